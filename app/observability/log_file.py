"""Writes the log to a file that is rotated by size. Two processes write; one of them rotates.

Every line is one write to the end of the file (O_APPEND), so lines of two processes never mix. The process that owns
the data folder rotates. The other one checks before each line whether its open file is still the current one. A line
written during a rotation lands in the rotated file: no line is lost.
"""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path
from typing import Final

from app.system import file_modes

_MODE: Final = 0o640  # the owner writes, the group reads: log collectors run under the group


class LogFileUnusable(Exception):
    """The log file cannot be written; the message is one line."""


def opened(path: str, *, most_bytes: int, keep: int, rotates: bool, within: Path | None = None) -> LogFile | None:
    """Open the log file at `path`; None without a path. In the data folder (`within`) only the owner may read it.
    Raises Unusable."""
    if not path:
        return None
    mode = _MODE & ~0o077 if within is not None and Path(path).resolve().is_relative_to(within.resolve()) else _MODE
    return LogFile(Path(path), most_bytes=most_bytes, keep=keep, rotates=rotates, mode=mode)


class LogFile:
    """`path` is `PATH`, then `PATH.1` (the newest) to `PATH.N` (`keep`). `most_bytes` 0: never rotated. Opens it:
    raises Unusable."""

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
                return  # a full disk does not stop the start: every line tries to open the file again
            raise LogFileUnusable(f"the log file {path} cannot be written: {error.strerror}") from None

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
        """Make a new lock in a forked child: the thread that held the old one does not exist there."""
        self._lock = threading.Lock()

    def close(self) -> None:
        with self._lock:
            self._close()

    def _is_current(self) -> bool:
        """Whether `path` is still the open file: another process or a person may have moved or deleted it."""
        try:
            there, here = self._path.stat(), os.fstat(self._fd)
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (here.st_dev, here.st_ino)

    def _open(self) -> None:
        self._close()
        # a pipe without a reader raises instead of blocking
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK
        try:
            fd = os.open(self._path, flags | os.O_EXCL, self._mode)
            os.fchmod(fd, self._mode & ~file_modes.persons_umask())  # the process's umask is meant for the data folder
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
        while self._numbered(beyond).exists():  # also files left from a larger setting
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
