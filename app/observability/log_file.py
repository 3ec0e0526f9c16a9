"""The log in a file: rotated by size, the newest files kept; two processes write, one of them rotates.

Every line is one write to the end of the file (O_APPEND), which the kernel does not mix with another. The process that owns the data folder rotates;
the other looks before each line whether the file is still the one that it has open. A line that it writes in that very moment is in the rotated file:
no line is lost. A leaf.
"""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path
from typing import Final

from app.system import file_modes

_MODE: Final = 0o640  # the owner writes, the group reads: who collects logs


class Unusable(Exception):
    """The file cannot be written; the message is one line."""


def opened(path: str, *, most_bytes: int, keep: int, rotates: bool, within: Path | None = None) -> LogFile | None:
    """The file at `path`, None where no file is wished; in the data folder (`within`) it is the owner's alone. Raises Unusable."""
    if not path:
        return None
    mode = _MODE & ~0o077 if within is not None and Path(path).resolve().is_relative_to(within.resolve()) else _MODE
    return LogFile(Path(path), most_bytes=most_bytes, keep=keep, rotates=rotates, mode=mode)


class LogFile:
    """`path` is `PATH`, then `PATH.1` (the newest) to `PATH.N` (`keep`). `most_bytes` 0: never rotated. Opens it: raises Unusable."""

    def __init__(self, path: Path, *, most_bytes: int, keep: int, rotates: bool, mode: int = _MODE) -> None:
        self._path, self._most_bytes, self._keep, self._rotates = path, most_bytes, keep, rotates
        self._mode = mode
        self._lock = threading.Lock()
        os.register_at_fork(after_in_child=self._renew_lock)
        self._fd = -1
        try:
            self._open()
        except OSError as error:
            from app.system.disk_full import is_disk_full

            if is_disk_full(error):
                return  # a full disk stops no start: each line tries to open it
            raise Unusable(f"the log file {path} cannot be written: {error.strerror}") from None

    def write(self, line: str) -> None:
        """Append one line. Raises OSError: the disk is full, the folder is gone."""
        data = line.encode("utf-8", "replace")
        with self._lock:
            if not self._is_current():
                self._open()
            if self._rotates and self._most_bytes and 0 < self._size() > self._most_bytes - len(data):
                self._rotate()
            while data:
                data = data[os.write(self._fd, data) :]

    def _renew_lock(self) -> None:
        """In a child that was forked while a thread, which it does not have, was writing."""
        self._lock = threading.Lock()

    def close(self) -> None:
        with self._lock:
            self._close()

    def _is_current(self) -> bool:
        """Whether the path is still the open file: another process, or a person, may have moved or deleted it."""
        try:
            there, here = self._path.stat(), os.fstat(self._fd)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)

    def _open(self) -> None:
        self._close()
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK  # a pipe without a reader refuses instead of waiting
        try:
            fd = os.open(self._path, flags | os.O_EXCL, self._mode)
            os.fchmod(fd, self._mode & ~file_modes.persons_umask())  # the process's own umask is for the data folder
        except FileExistsError:
            fd = os.open(self._path, flags, self._mode)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise OSError(0, "It is no regular file")
        self._fd = fd

    def _close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _size(self) -> int:
        return os.fstat(self._fd).st_size

    def _rotate(self) -> None:
        beyond = self._keep
        while self._numbered(beyond).exists():  # also those that a larger number had kept
            self._numbered(beyond).unlink()
            beyond += 1
        for number in range(self._keep - 1, 0, -1):
            older = self._numbered(number)
            if older.exists():
                older.replace(self._numbered(number + 1))
        self._path.replace(self._numbered(1))
        self._open()

    def _numbered(self, number: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{number}")
