"""Locks the data folder for one server, and ends a worker when the process that started it ends.

Any process may call it. The lock is taken with `flock`; the kernel releases it when the process ends, however it ends.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import sys
import time
from pathlib import Path
from typing import IO, Final

_LOOKS: Final = 10
_LOOK_S: Final = 0.02
_held: dict[Path, IO[str]] = {}  # keeps the locked files open for the life of the process


class InUse(Exception):
    """Another server uses the data folder; `pid` is its process, or empty when it could not be read."""

    def __init__(self, data: Path, pid: str) -> None:
        super().__init__(f"{data} is in use by another AutoDubber" + (f" (process {pid})" if pid else ""))
        self.pid = pid


def _lock_path(data: Path) -> Path:
    return data / ".lock"


def claim(data: Path) -> None:
    """Lock the data folder until this process ends. Raises InUse. A second call by the same process does nothing."""
    path = _lock_path(data)
    if path in _held:
        return
    data.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(path.open("a+"))
        if not _locked(file):
            file.seek(0)
            raise InUse(data, file.read().strip())
        _sign(file)
        _held[path] = file
        stack.pop_all()


def _sign(file: IO[str]) -> None:
    """Write the process number into the lock file, for error messages. On a full disk the file stays empty."""
    from app.system.disk_full import is_disk_full

    file.truncate(0)
    try:
        os.write(file.fileno(), f"{os.getpid()}\n".encode())
    except OSError as error:
        if not is_disk_full(error):
            raise


def _locked(file: IO[str]) -> bool:
    """Lock the file. Waits a moment for `owner`, which holds the lock only while it looks."""
    for _ in range(_LOOKS):
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(_LOOK_S)
        else:
            return True
    return False


def owner(data: Path) -> str | None:
    """The number of the process that has locked the data folder; "" when it is not known, None when no process has.
    Changes nothing."""
    path = _lock_path(data)
    if path in _held or not path.exists():
        return str(os.getpid()) if path in _held else None
    with path.open("r") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return file.read().strip()
        return None


def die_with(parent: int) -> None:
    """End this process (SIGKILL) as soon as the thread that started it ends. `parent` is the starter's process
    number."""
    if sys.platform != "linux":
        return
    import ctypes

    ctypes.CDLL(None, use_errno=True).prctl(1, signal.SIGKILL, 0, 0, 0)  # PR_SET_PDEATHSIG
    if os.getppid() != parent:  # it ended between the fork and the line above
        os.kill(os.getpid(), signal.SIGKILL)
