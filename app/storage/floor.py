"""The disk's floor: below so many free bytes nothing new begins."""

from __future__ import annotations

from collections.abc import Callable

import msgspec

from app.domain.errors import DISK_FULL, DubError


class Floor(msgspec.Struct, frozen=True):
    """`make_room` is tried before anything is refused: it deletes what retention keeps no longer."""

    free_bytes: Callable[[], int]
    floor_bytes: int
    make_room: Callable[[], object] = lambda: None

    def check(self, wanted_bytes: int = 0) -> None:
        """Raises disk_full when less than the floor would be left after so many bytes. Blocks."""
        if self.free_bytes() - wanted_bytes >= self.floor_bytes:
            return
        self.make_room()
        free = self.free_bytes()
        if free - wanted_bytes < self.floor_bytes:
            wants = f", {wanted_bytes >> 20} MB are wanted" if wanted_bytes else ""
            raise DubError(DISK_FULL, f"{free >> 20} MB are free{wants}; {self.floor_bytes >> 20} MB must stay free.")
