"""Atomic, checksummed cache files: a reader finds a complete file or none, even after a kill."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Final

from app.system.durable_files import Durable, write

_CHECK_BYTES: Final = 16


def store(file: Path, data: bytes) -> None:
    """Store a file atomically. Several threads and processes may store the same one."""
    write(file, sealed(data), durable=Durable.NO)


def load(file: Path) -> bytes | None:
    """The stored bytes, or None when the file is absent or damaged (by a power loss)."""
    try:
        return unsealed(file.read_bytes())
    except FileNotFoundError:
        return None


def sealed(data: bytes) -> bytes:
    """The bytes with a checksum."""
    return _check(data) + data


def unsealed(stored: bytes) -> bytes | None:
    """The bytes without their checksum; None when they are damaged."""
    data = stored[_CHECK_BYTES:]
    return data if stored[:_CHECK_BYTES] == _check(data) else None


def _check(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_CHECK_BYTES).digest()
