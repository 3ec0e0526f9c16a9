"""Unfinished uploads: how many there may be, and the room that each has reserved for what is still to come.

In memory; after a restart it is made again from the table of uploads. An upload whose client has been silent for a
quarter of an hour loses its room when another wants it: it keeps its bytes, and its next chunk asks for the room anew.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Final

from app.domain.errors import DubError
from app.domain.problems.uploads import TOO_MANY_UPLOADS
from app.storage.disk_floor import Floor
from app.storage.disk_floors import Reservation, reserve_on

LAPSES_AFTER_S: Final = 900.0
_RETRY_AFTER_S: Final = 30


class OpenUploads:
    """`floors` are those of the disks that an upload comes to lie on: where it arrives and, where that is another one,
    where the blobs are."""

    def __init__(self, floors: Sequence[Floor], most: int) -> None:
        self._floors, self._most = tuple(floors), most
        self._open: dict[str, Reservation] = {}
        self._borrowed: set[str] = set()
        self._lock = threading.Lock()

    def begin(
        self,
        upload_id: str,
        length_bytes: int,
        *,
        room: Reservation | None = None,
        make_place: Callable[[], object] = lambda: None,
    ) -> None:
        """Take it in, with room for its length (0: as its bytes come), or in `room` that somebody else has reserved and
        will release.

        `make_place` is tried when there are too many. Raises too_many_uploads, disk_full.
        """
        if len(self._open) >= self._most:
            make_place()
        if len(self._open) >= self._most:
            raise self._too_many()
        reservation = room or reserve_on(self._floors, length_bytes, lapses_after_s=LAPSES_AFTER_S)
        with self._lock:
            full = len(self._open) >= self._most
            if not full:
                self._open[upload_id] = reservation
                if room is not None:
                    self._borrowed.add(upload_id)
        if full:
            if room is None:
                reservation.release()
            raise self._too_many()

    def resume(self, upload_id: str, remaining_bytes: int, length_bytes: int, idle_s: float) -> None:
        """One that was open before the restart: its room counts, whether it is there or not."""
        rest = [remaining_bytes, length_bytes]
        holds = [
            floor.resume(size, lapses_after_s=LAPSES_AFTER_S, idle_s=idle_s)
            for floor, size in zip(dict.fromkeys(self._floors), rest, strict=False)
        ]
        with self._lock:
            self._open[upload_id] = Reservation(holds, landed_bytes=length_bytes - remaining_bytes)

    def room(self, upload_id: str) -> Reservation:
        """What it has reserved; an empty reservation, which grows, where nothing is known of it."""
        with self._lock:
            if upload_id not in self._open:
                self._open[upload_id] = reserve_on(self._floors, 0, lapses_after_s=LAPSES_AFTER_S)
            return self._open[upload_id]

    def end(self, upload_id: str) -> None:
        """It is finished or given up: what it had reserved is free for others."""
        with self._lock:
            reservation = self._open.pop(upload_id, None)
            borrowed = upload_id in self._borrowed
            self._borrowed.discard(upload_id)
        if reservation is not None and not borrowed:
            reservation.release()

    def __len__(self) -> int:
        return len(self._open)

    def _too_many(self) -> DubError:
        return DubError(TOO_MANY_UPLOADS, f"{self._most} are open.", headers={"Retry-After": str(_RETRY_AFTER_S)})
