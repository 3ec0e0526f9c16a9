"""The floors of all disks that the data folder lies on: one, unless parts of it are mounted. A part is asked for by its
path."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
import threading
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final

from app.domain.errors import DubError
from app.storage.disk_floor import Floor, Hold, OtherProcesses
from app.storage.shared_reservations import SharedLedger

_MARGIN_BYTES: Final = 16 << 20


class Disks:
    """A `Floor` for each disk, made when it is first asked for. `others_on` knows the other processes that write to a
    disk, by its number."""

    def __init__(
        self,
        floor_bytes: int,
        make_room: Callable[[], object] = lambda: None,
        *,
        others_on: Callable[[int], OtherProcesses] | None = None,
    ) -> None:
        self._floor_bytes, self._make_room, self._others_on = floor_bytes, make_room, others_on
        self._floors: dict[int, Floor] = {}
        self._lock = threading.Lock()

    @classmethod
    def of(cls, data: Path, floor_bytes: int, make_room: Callable[[], object] = lambda: None) -> Disks:
        """Those of a data folder, which other processes may write to as well: what they have reserved counts too."""
        return cls(floor_bytes, make_room, others_on=lambda device: SharedLedger(data / ".room", device))

    def at(self, place: Path) -> Floor:
        """The floor of the disk that this folder lies on; a folder that is not there yet will lie on its parent's."""
        there = next(folder for folder in (place, *place.absolute().parents) if folder.exists())
        device = there.stat().st_dev
        with self._lock:
            if device not in self._floors:
                self._floors[device] = Floor(
                    lambda: shutil.disk_usage(there).free,
                    self._floor_bytes,
                    self._make_room,
                    margin_bytes=min(_MARGIN_BYTES, self._floor_bytes // 16),
                    others=self._others_on(device) if self._others_on else None,
                )
            return self._floors[device]

    def reserve(self, wanted_bytes: int, *places: Path) -> Reservation:
        """Room for so many bytes on every disk that one of these folders lies on. Raises disk_full, and then has
        reserved nothing. Blocks."""
        return reserve_on([self.at(place) for place in places], wanted_bytes)


class Reservation:
    """Room for one piece of work on each disk that it writes to: first where it is made, then where it is moved to when
    it is whole."""

    def __init__(self, holds: Sequence[Hold], *, landed_bytes: int = 0) -> None:
        self._first, *self._later = holds
        self._landed_bytes = landed_bytes

    @property
    def remaining_bytes(self) -> int:
        return self._first.remaining_bytes

    def need(self, size_bytes: int, *, piece_bytes: int = 0) -> None:
        """As `Hold.need`, on every disk."""
        self._first.need(size_bytes, piece_bytes=piece_bytes)
        self._need_later(size_bytes, piece_bytes)

    @contextlib.contextmanager
    def writing(self, size_bytes: int, *, piece_bytes: int = 0) -> Iterator[Callable[[int], None]]:
        """As `Hold.writing`, where the work is made; `need` where it is moved to."""
        self._need_later(size_bytes, piece_bytes)
        with self._first.writing(size_bytes, piece_bytes=piece_bytes) as first_landed:

            def landed(written_bytes: int) -> None:
                self._landed_bytes += written_bytes
                first_landed(written_bytes)

            yield landed

    def landed(self, size_bytes: int) -> None:
        """So many bytes have been written where the work is made."""
        self._landed_bytes += size_bytes
        self._first.landed(size_bytes)

    @contextlib.contextmanager
    def returning(self, size_bytes: int) -> Iterator[None]:
        """So many of them are cut off again in the block."""
        self._landed_bytes -= size_bytes
        with self._first.returning(size_bytes):
            yield

    def shrink(self, size_bytes: int) -> None:
        """No more than so many bytes are still to come."""
        self._first.shrink(size_bytes)
        for hold in self._later:
            hold.shrink(self._landed_bytes + size_bytes)

    def release(self) -> None:
        for hold in (self._first, *self._later):
            hold.release()

    def _need_later(self, size_bytes: int, piece_bytes: int) -> None:
        for hold in self._later:
            hold.need(self._landed_bytes + size_bytes, piece_bytes=piece_bytes)

    def __enter__(self) -> Reservation:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


def reserve_on(floors: Iterable[Floor], wanted_bytes: int, *, lapses_after_s: float | None = None) -> Reservation:
    """`Disks.reserve` for floors that are known; the same one is asked once."""
    holds: list[Hold] = []
    try:
        for floor in dict.fromkeys(floors):
            holds.append(floor.reserve(wanted_bytes, lapses_after_s=lapses_after_s))
    except BaseException:
        for hold in holds:
            hold.release()
        raise
    return Reservation(holds)


@contextlib.asynccontextmanager
async def reserved(disks: Disks, wanted_bytes: int, *places: Path) -> AsyncIterator[Reservation]:
    """`Disks.reserve` for a task: it asks in a thread, and gives all back at its end, also when it is cancelled while
    it asks."""
    asking = asyncio.ensure_future(asyncio.to_thread(disks.reserve, wanted_bytes, *places))
    try:
        reservation = await asyncio.shield(asking)
    except asyncio.CancelledError:
        asking.add_done_callback(_give_back)
        raise
    try:
        yield reservation
    finally:
        reservation.release()


def _give_back(asked: asyncio.Future[Reservation]) -> None:
    with contextlib.suppress(DubError, asyncio.CancelledError):
        asked.result().release()
