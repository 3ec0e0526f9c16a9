"""When freed memory goes back to the system. Does nothing where the C library is not glibc."""

from __future__ import annotations

import ctypes
import sys
from typing import Final

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # <malloc.h>
_KEPT_BYTES: Final = 64 << 20
_OWN_PAGES_BYTES: Final = 2 << 20


def keep_freed_memory() -> None:
    """Blocks of a second of sound are taken and freed all the time: glibc would give each back to the kernel and fault
    it in again, a fifth of all work."""
    if (libc := _glibc()) is not None:
        for option, value in ((_M_TRIM_THRESHOLD, _KEPT_BYTES), (_M_MMAP_THRESHOLD, _OWN_PAGES_BYTES)):
            libc.mallopt(option, value)


def give_freed_memory_back() -> None:
    """What a phase has freed, before one that needs other memory."""
    if (libc := _glibc()) is not None:
        libc.malloc_trim(0)


def _glibc() -> ctypes.CDLL | None:
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    return libc if hasattr(libc, "mallopt") and hasattr(libc, "malloc_trim") else None
