"""Recognises a full disk, whether the kernel, SQLite, PostgreSQL or a tool's error output reports it."""

from __future__ import annotations

import errno
import os
import secrets
from pathlib import Path
from typing import Final

from app.domain.errors import DubError
from app.domain.problems.uploads import DISK_FULL

_ERRNOS: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_SQLITE_FULL: Final = 13
# SQLITE_IOERR, SQLITE_CANTOPEN: SQLite reports SQLITE_FULL only for some of its writes
_SQLITE_UNCLEAR: Final = frozenset({10, 14})
_POSTGRES: Final = "53100"  # disk_full
_WORDS: Final = ("No space left on device", "Disk quota exceeded")
_PROBE_BYTES: Final = 64 << 10


def is_disk_full(error: BaseException, folder: Path | None = None) -> bool:
    """Whether `error` means that the disk is full, wrapped by SQLAlchemy or not.

    SQLite's error code does not always name the cause. With `folder`, the folder of the database file, a small file is
    written there to find out.
    """
    if isinstance(error, DubError):
        return error.problem is DISK_FULL
    if isinstance(error, OSError):
        return error.errno in _ERRNOS
    original = getattr(error, "orig", None)
    if isinstance(original, BaseException):
        return is_disk_full(original, folder)
    code = getattr(error, "sqlite_errorcode", None)
    if isinstance(code, int):
        return code & 0xFF == _SQLITE_FULL or (
            code & 0xFF in _SQLITE_UNCLEAR and folder is not None and not has_room(folder)
        )
    return getattr(error, "sqlstate", None) == _POSTGRES


def said(error: OSError) -> Exception:
    """The exception to raise: disk_full when the disk is full, else the error itself."""
    return DubError(DISK_FULL) if is_disk_full(error) else error


def told(words: str) -> bool:
    """Whether a tool's error output reports a full disk."""
    return any(phrase in words for phrase in _WORDS)


def has_room(folder: Path) -> bool:
    """Whether 64 kB can be written into the folder. False only when the disk is full; other errors count as True."""
    path = folder / f".room-{secrets.token_hex(4)}"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            left = memoryview(os.urandom(_PROBE_BYTES))
            while left:
                left = left[os.write(descriptor, left) :]
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        return error.errno not in _ERRNOS
    finally:
        path.unlink(missing_ok=True)
    return True
