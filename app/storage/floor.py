"""The disk's floor: room is reserved before it is written into, so that what must stay free stays free however many write at once.

One `Floor` for each disk, asked by all who write to it. What may still be promised is what is free, less the floor, less what has been promised
and is not written yet: bytes that land are no longer free, and at the same moment they are no longer promised.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Final, Protocol

from app.domain.errors import DISK_FULL, DubError

PIECE_BYTES: Final = 16 << 20  # by which a reservation grows whose end nobody knows


class Others(Protocol):
    """What other processes have reserved on the disk: `app.storage.shared`."""

    def alone(self) -> contextlib.AbstractContextManager[None]:
        """Between the question and the answer no other process reserves."""

    def reserved_bytes(self) -> int: ...

    def publish(self, reserved_bytes: int) -> None: ...


class Hold:
    """Room for one writer. Any thread may call; `release` is due at the end, whatever happened. As a context manager it releases itself.

    `lapses_after_s`: when nothing happened for so long and another wants the room, it is given up, and `need` asks for it anew.
    """

    def __init__(self, floor: Floor, remaining_bytes: int, lapses_after_s: float | None, idle_s: float) -> None:
        self._floor, self.remaining_bytes, self.lapses_after_s = floor, remaining_bytes, lapses_after_s
        self.touched_at = time.monotonic() - idle_s
        self.ended = False
        self.writing_bytes = 0  # of those that are promised: they may be on the disk already, and not told of yet

    def need(self, size_bytes: int, *, piece_bytes: int = 0, at_once: bool = False) -> None:
        """So many more bytes may be written. What is lacking is reserved, in a larger piece where one is wished and there. Raises disk_full.

        Also for a reservation that is large enough: it is worth nothing when somebody else's bytes lie where its own should. `at_once`: they are
        written now, and `landed` follows.
        """
        self._floor.grow(self, size_bytes, piece_bytes)
        self.writing_bytes = size_bytes if at_once else 0

    def shrink(self, size_bytes: int) -> None:
        """No more than so many bytes are still to come."""
        self._floor.change(self, min(self.remaining_bytes, size_bytes) - self.remaining_bytes)

    def landed(self, size_bytes: int) -> None:
        """So many bytes have been written: they are not free any more."""
        self._floor.change(self, -size_bytes)

    def returned(self, size_bytes: int) -> None:
        """So many bytes that had been written are cut off, and will be written again."""
        self._floor.change(self, size_bytes)

    def release(self) -> None:
        self._floor.end(self)

    def __enter__(self) -> Hold:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.release()


class Floor:
    """The ledger of one disk. `make_room` is tried before anything is refused: it deletes what retention keeps no longer.

    `margin_bytes` are for what nobody reserves: the database and its log, folders, the unused ends of blocks.
    """

    def __init__(
        self, free_bytes: Callable[[], int], floor_bytes: int, make_room: Callable[[], object] = lambda: None, *, margin_bytes: int = 0,
        others: Others | None = None,
    ) -> None:  # fmt: skip
        self.free_bytes, self.floor_bytes, self._make_room, self._margin_bytes = free_bytes, floor_bytes, make_room, margin_bytes
        self._others = others
        self._holds: dict[Hold, None] = {}  # the oldest first
        self._lock = threading.Lock()

    def check(self, wanted_bytes: int = 0) -> None:
        """Raises disk_full when less than the floor would be left after so many bytes and all that is reserved. Promises nothing. Blocks."""
        if self._spare() < wanted_bytes:
            self._make_room()
            with self._lock:
                self._lapse(wanted_bytes)
                if (spare := self._spare()) < wanted_bytes:
                    raise self._full(wanted_bytes, spare)

    def reserve(self, wanted_bytes: int, *, lapses_after_s: float | None = None) -> Hold:
        """Room for so many bytes, or disk_full: at most one of two who want the last of it gets it. Blocks."""
        hold = Hold(self, 0, lapses_after_s, 0.0)
        with self._lock:
            self._holds[hold] = None
        try:
            self.grow(hold, wanted_bytes, 0)
        except BaseException:
            self.end(hold)
            raise
        return hold

    def resume(self, remaining_bytes: int, *, lapses_after_s: float | None = None, idle_s: float = 0.0) -> Hold:
        """What was promised before a restart, there or not: new promises wait until it is."""
        hold = Hold(self, 0, lapses_after_s, idle_s)
        with self._lock:
            hold.remaining_bytes = remaining_bytes
            self._holds[hold] = None
            self._publish()
        return hold

    def reserved_bytes(self) -> int:
        """What has been promised in this process and is not written yet."""
        with self._lock:
            return self._promised()

    # ---------------------------------------------------------------- for holds

    def grow(self, hold: Hold, size_bytes: int, piece_bytes: int) -> None:
        if not self._take(hold, size_bytes, piece_bytes):
            self._make_room()
            with self._lock:
                self._lapse(size_bytes - hold.remaining_bytes + self._margin_bytes)
            if not self._take(hold, size_bytes, piece_bytes):
                raise self._full(size_bytes, self._spare() + hold.remaining_bytes - self._margin_bytes)

    def change(self, hold: Hold, by_bytes: int) -> None:
        with self._lock:
            if hold.ended:
                return
            hold.touched_at = time.monotonic()
            hold.remaining_bytes = max(0, hold.remaining_bytes + by_bytes)
            hold.writing_bytes = max(0, hold.writing_bytes + min(by_bytes, 0))
            self._publish()

    def end(self, hold: Hold) -> None:
        with self._lock:
            self._holds.pop(hold, None)
            hold.remaining_bytes, hold.ended = 0, True
            self._publish()

    def _take(self, hold: Hold, size_bytes: int, piece_bytes: int) -> bool:
        with self._lock, self._others.alone() if self._others else contextlib.nullcontext():
            hold.touched_at = time.monotonic()
            lacking = 0 if hold.ended else size_bytes - hold.remaining_bytes
            if lacking <= 0:
                return self._covered(hold)
            spare = self._spare() - self._margin_bytes
            if spare < lacking:
                return False
            hold.remaining_bytes += max(lacking, min(piece_bytes, spare))
            self._publish()
            return True

    # ---------------------------------------------------------------- with the lock

    def _covered(self, hold: Hold) -> bool:
        """Whether what is free is enough for this reservation and all older ones: when it shrinks by other hands, the newest wait."""
        wanted = 0
        for each in self._holds:
            wanted += max(0, each.remaining_bytes - each.writing_bytes)
            if each is hold:
                break
        return self.free_bytes() - self.floor_bytes >= wanted

    def _spare(self) -> int:
        others = self._others.reserved_bytes() if self._others else 0
        return self.free_bytes() - self.floor_bytes - others - self._promised()

    def _promised(self) -> int:
        return sum(hold.remaining_bytes for hold in list(self._holds))

    def _lapse(self, wanted_bytes: int) -> None:
        """Take back what is promised to who does not come, the longest idle first, until there is enough."""
        now = time.monotonic()
        idle = [hold for hold in self._holds if hold.lapses_after_s is not None and now - hold.touched_at > hold.lapses_after_s]
        for hold in sorted(idle, key=lambda each: each.touched_at):
            if self._spare() >= wanted_bytes:
                return
            hold.remaining_bytes = 0
            self._publish()

    def _publish(self) -> None:
        if self._others is not None:
            self._others.publish(self._promised())

    def _full(self, wanted_bytes: int, spare_bytes: int) -> DubError:
        free = self.free_bytes()
        wants = f", {_mb(wanted_bytes)} are wanted" if wanted_bytes else ""
        promised = max(0, free - self.floor_bytes - spare_bytes)
        others = f" and {_mb(promised)} are promised to others" if wanted_bytes and promised >> 20 else ""
        return DubError(DISK_FULL, f"{_mb(free)} are free{wants}; {_mb(self.floor_bytes)} must stay free{others}.")


def _mb(size_bytes: int) -> str:
    return f"{size_bytes >> 20} MB"
