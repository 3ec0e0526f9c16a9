"""What the processes that write to one disk have promised: the server, and commands beside it.

Each has a file of its own in a folder, with the bytes that it has promised and not written yet, and how many of them it
is writing now. It holds the file locked for its life: however a process ends, its promises end with it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from app.system.disk_full import is_disk_full

_DIGITS: Final = 20
_LOCK: Final = "lock"


class SharedLedger:
    """One disk's, for this process; see `app.storage.disk_floor.OtherProcesses`. `folder` is in the data folder, whose
    owner gets what root makes.

    Where no block is free nothing is told: then nothing is promised either. What belongs to another user cannot be
    asked, and does not count.
    """

    def __init__(self, folder: Path, device: int) -> None:
        self._folder, self._device = folder, device
        self._path = folder / f"{device}-{os.getpid()}-{secrets.token_hex(4)}"
        self._file = -1
        self._last_written = (0, 0)

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """Between the question and the answer no other process reserves."""
        with contextlib.ExitStack() as stack:
            try:
                self._make_folder()
                descriptor = os.open(self._folder / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                if not _is_passed_over(error):
                    raise
            else:
                self._give(descriptor)
                stack.callback(os.close, descriptor)
                fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield

    def reserved_bytes(self) -> tuple[int, int]:
        """What the others have promised, and how much of it may be on the disk already. Files of processes that have
        ended are deleted."""
        found = [self._of(path) for path in self._folder.glob(f"{self._device}-*")]
        return sum(reserved for reserved, _ in found), sum(writing for _, writing in found)

    def publish(self, reserved_bytes: int, writing_bytes: int) -> None:
        """Tell the others."""
        if (reserved_bytes, writing_bytes) == self._last_written:
            return
        try:
            if self._file < 0:
                self._open()
            os.pwrite(self._file, f"{reserved_bytes:0{_DIGITS}}{writing_bytes:0{_DIGITS}}".encode(), 0)
        except OSError as error:
            if not _is_passed_over(error):
                raise
        else:
            self._last_written = reserved_bytes, writing_bytes

    def _open(self) -> None:
        """The file has its name once it is locked: nobody takes it for that of a process that has ended."""
        self._make_folder()
        made = self._path.with_name(f".{self._path.name}")
        descriptor = os.open(made, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            self._give(descriptor)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            os.pwrite(descriptor, b"0" * 2 * _DIGITS, 0)
            made.rename(self._path)
        except BaseException:
            os.close(descriptor)
            made.unlink(missing_ok=True)
            raise
        self._file = descriptor

    def _make_folder(self) -> None:
        if not self._folder.is_dir():
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if os.geteuid() == 0:
                owner = self._folder.parent.stat()
                os.chown(self._folder, owner.st_uid, owner.st_gid)

    def _give(self, descriptor: int) -> None:
        if os.geteuid() == 0:
            owner = self._folder.parent.stat()
            os.fchown(descriptor, owner.st_uid, owner.st_gid)

    def _of(self, path: Path) -> tuple[int, int]:
        if path == self._path:
            return 0, 0
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except (FileNotFoundError, PermissionError):
            return 0, 0
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            told = os.pread(descriptor, 2 * _DIGITS, 0)  # an older version's has the first figure alone
            return int(told[:_DIGITS] or 0), int(told[_DIGITS:] or 0)
        else:
            path.unlink(missing_ok=True)
            return 0, 0
        finally:
            os.close(descriptor)


def _is_passed_over(error: OSError) -> bool:
    return is_disk_full(error) or isinstance(error, PermissionError)
