"""Small files that are complete, or absent: what a killed run leaves of them is no trap for the next one."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path
from typing import Final

_CHECK_BYTES: Final = 16


def store(file: Path, data: bytes) -> None:
    """Complete or absent. Several threads and processes may store the same."""
    written = file.with_name(f"{file.name}.{os.getpid()}.{threading.get_ident()}.tmp")
    written.write_bytes(sealed(data))
    written.replace(file)


def load(file: Path) -> bytes | None:
    """What was stored, or None where it is absent or damaged (a machine that lost power)."""
    try:
        return unsealed(file.read_bytes())
    except FileNotFoundError:
        return None


def sealed(data: bytes) -> bytes:
    """The bytes with what tells later whether they are whole."""
    return _check(data) + data


def unsealed(stored: bytes) -> bytes | None:
    """What was sealed; None where it is damaged."""
    data = stored[_CHECK_BYTES:]
    return data if stored[:_CHECK_BYTES] == _check(data) else None


def _check(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_CHECK_BYTES).digest()
