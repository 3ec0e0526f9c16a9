"""How fast bytes come, and how long the rest takes."""

from __future__ import annotations

import time
from typing import Final

_NOTHING: Final = 10.0  # bytes a second
_SETTLES_S: Final = 4.0  # about so long a change of the rate takes to be seen


class Rate:
    """The rate of the last seconds, from counts that only grow."""

    def __init__(self, have_bytes: int, at_s: float | None = None) -> None:
        self._bytes = have_bytes
        self._at = time.monotonic() if at_s is None else at_s
        self.bytes_per_s = 0.0

    def mark(self, have_bytes: int, at_s: float | None = None) -> None:
        now = time.monotonic() if at_s is None else at_s
        passed = now - self._at
        if passed <= 0:
            return
        newest = max(0, have_bytes - self._bytes) / passed
        share = 1.0 if not self.bytes_per_s else min(1.0, passed / _SETTLES_S)
        self.bytes_per_s += share * (newest - self.bytes_per_s)
        if self.bytes_per_s < _NOTHING:
            self.bytes_per_s = 0.0
        self._bytes, self._at = have_bytes, now

    def left_s(self, whole_bytes: int | None) -> float | None:
        """None where the size or the rate is not known."""
        if whole_bytes is None or self.bytes_per_s <= 0:
            return None
        return max(0, whole_bytes - self._bytes) / self.bytes_per_s
