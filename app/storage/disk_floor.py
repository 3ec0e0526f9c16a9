"""The disk's floor: room is reserved before it is written into, so that what must stay free stays free however many
write at once.

One `Floor` for each disk, asked by all who write to it. What may still be promised is what is free, less the floor,
less what has been promised and is not written yet: bytes that land are no longer free, and at the same moment they are
no longer promised.

Between a write and the word of it the same bytes are both not free and still promised. So what is being written is
known too, and where that would decide, the decision waits until it has been told: nobody is refused on figures that are
not settled, and nobody is let in on them.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Final, Protocol

from app.domain.errors import DubError
from app.domain.problems.uploads import DISK_FULL

PIECE_BYTES: Final = 16 << 20  # by which a reservation grows whose end nobody knows
SETTLES_S: Final = 10.0  # a disk that takes longer to write a block has no room to promise
_LOOK_S: Final = 0.01  # at other processes, which cannot wake us


class OtherProcesses(Protocol):
    """What other processes have reserved on the disk: `app.storage.shared_reservations`."""

    def alone(self) -> contextlib.AbstractContextManager[None]:
        """Between the question and the answer no other process reserves."""

    def reserved_bytes(self) -> tuple[int, int]:
        """What they have promised, and how much of it may be on the disk already."""

    def publish(self, reserved_bytes: int, writing_bytes: int) -> None: ...


class Hold:
    """Room for one writer. Any thread may call; `release` is due at the end, whatever happened. As a context manager it
    releases itself.

    `lapses_after_s`: when nothing happened for so long and another wants the room, it is given up, and `need` asks for
    it anew.
    """

    def __init__(self, floor: Floor, remaining_bytes: int, lapses_after_s: float | None, idle_s: float) -> None:
        self._floor, self.remaining_bytes, self.lapses_after_s = floor, remaining_bytes, lapses_after_s
        self.touched_at = time.monotonic() - idle_s
        self.ended = False
        self.writing_bytes = 0  # of those that are promised: they may be on the disk already, and not told of yet

    def need(self, size_bytes: int, *, piece_bytes: int = 0) -> None:
        """So many more bytes may be written. What is lacking is reserved, in a larger piece where one is wished and
        there. Raises disk_full.

        Also for a reservation that is large enough: it is worth nothing when somebody else's bytes lie where its own
        should.
        """
        self._floor.grow(self, size_bytes, piece_bytes)

    @contextlib.contextmanager
    def writing(self, size_bytes: int, *, piece_bytes: int = 0) -> Iterator[Callable[[int], None]]:
        """`need`, and up to so many bytes are written in the block, which tells of them as they land. Keep it short:
        others may wait for its end."""
        self._floor.grow(self, size_bytes, piece_bytes, writing_bytes=size_bytes)
        left = size_bytes

        def landed(written_bytes: int) -> None:
            nonlocal left
            counted = min(written_bytes, left)
            left -= counted
            self._floor.change(self, -written_bytes, writing_bytes=-counted)

        try:
            yield landed
        finally:
            self._floor.told(self, left)

    @contextlib.contextmanager
    def returning(self, size_bytes: int) -> Iterator[None]:
        """So many bytes that had been written are cut off in the block, and will be written again."""
        self._floor.change(self, size_bytes, writing_bytes=size_bytes)
        try:
            yield
        finally:
            self._floor.told(self, size_bytes)

    def shrink(self, size_bytes: int) -> None:
        """No more than so many bytes are still to come."""
        self._floor.change(self, min(self.remaining_bytes, size_bytes) - self.remaining_bytes)

    def landed(self, size_bytes: int) -> None:
        """So many bytes have been written: they are not free any more."""
        self._floor.change(self, -size_bytes)

    def release(self) -> None:
        self._floor.end(self)

    def __enter__(self) -> Hold:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.release()


class Floor:
    """The ledger of one disk. `make_room` is tried before anything is refused: it deletes what retention keeps no
    longer.

    `margin_bytes` are for what nobody reserves: the database and its log, folders, the unused ends of blocks.
    """

    def __init__(
        self,
        free_bytes: Callable[[], int],
        floor_bytes: int,
        make_room: Callable[[], object] = lambda: None,
        *,
        margin_bytes: int = 0,
        others: OtherProcesses | None = None,
    ) -> None:
        self.free_bytes, self.floor_bytes, self._make_room, self._margin_bytes = (
            free_bytes,
            floor_bytes,
            make_room,
            margin_bytes,
        )
        self._others = others
        self._holds: dict[Hold, None] = {}  # the oldest first
        self._lock = threading.Lock()
        self._settling = threading.Condition(self._lock)
        self._undecided = 0  # who wait until what is being written has been told

    def check(self, wanted_bytes: int = 0) -> None:
        """Raises disk_full when less than the floor would be left after so many bytes and all that is reserved.
        Promises nothing. Blocks."""
        until = time.monotonic() + SETTLES_S
        if not self._decided(lambda: self._has_room(wanted_bytes), until):
            self._make_room()
            with self._lock:
                self._lapse(wanted_bytes)
            if not self._decided(lambda: self._has_room(wanted_bytes), until):
                raise self._full(wanted_bytes, self._spare()[0])

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
            return self._promised()[0]

    # ---------------------------------------------------------------- for holds

    def grow(self, hold: Hold, size_bytes: int, piece_bytes: int, *, writing_bytes: int = 0) -> None:
        until = time.monotonic() + SETTLES_S

        def take() -> bool | None:
            return self._take(hold, size_bytes, piece_bytes, writing_bytes)

        if not self._decided(take, until, writes=writing_bytes > 0):
            self._make_room()
            with self._lock:
                self._lapse(size_bytes - hold.remaining_bytes + self._margin_bytes)
            if not self._decided(take, until, writes=writing_bytes > 0):
                raise self._full(size_bytes, self._spare()[0] + hold.remaining_bytes - self._margin_bytes)

    def change(self, hold: Hold, by_bytes: int, *, writing_bytes: int = 0) -> None:
        with self._lock:
            if hold.ended:
                return
            hold.touched_at = time.monotonic()
            hold.remaining_bytes = max(0, hold.remaining_bytes + by_bytes)
            hold.writing_bytes += writing_bytes
            self._publish()

    def told(self, hold: Hold, size_bytes: int) -> None:
        """What was being written is counted."""
        with self._lock:
            hold.writing_bytes -= size_bytes
            self._publish()

    def end(self, hold: Hold) -> None:
        with self._lock:
            self._holds.pop(hold, None)
            hold.remaining_bytes, hold.ended = 0, True
            self._publish()

    def _decided(self, decide: Callable[[], bool | None], until: float, *, writes: bool = False) -> bool:
        """What it says once the figures are settled, or no when they are not in time. Who `writes` lets those go first
        who wait for that."""
        waits = False
        with self._lock:
            try:
                while True:
                    left_s = until - time.monotonic()
                    answer = None
                    if waits or not (writes and self._undecided) or left_s <= 0:
                        with self._others.alone() if self._others else contextlib.nullcontext():
                            answer = decide()
                        if answer is not None or left_s <= 0:
                            return bool(answer)
                        self._undecided += not waits
                        waits = True
                    self._settling.wait(min(left_s, _LOOK_S) if self._others else left_s)
            finally:
                if waits:
                    self._undecided -= 1
                    self._settling.notify_all()

    # ---------------------------------------------------------------- with the lock: yes, no, or None when that is not
    # settled

    def _take(self, hold: Hold, size_bytes: int, piece_bytes: int, writing_bytes: int) -> bool | None:
        hold.touched_at = time.monotonic()
        lacking = 0 if hold.ended else size_bytes - hold.remaining_bytes
        answer = self._has_room(lacking + self._margin_bytes) if lacking > 0 else self._covers(hold)
        if answer:
            if lacking > 0:
                hold.remaining_bytes += max(lacking, min(piece_bytes, self._spare()[0] - self._margin_bytes))
            hold.writing_bytes += writing_bytes
            self._publish()
        return answer

    def _has_room(self, wanted_bytes: int) -> bool | None:
        return _whether(wanted_bytes, *self._spare())

    def _covers(self, hold: Hold) -> bool | None:
        """Whether what is free is enough for this reservation and all older ones: when it shrinks by other hands, the
        newest wait."""
        wanted = writing = 0
        for each in self._holds:
            wanted += each.remaining_bytes
            writing += min(each.writing_bytes, each.remaining_bytes)
            if each is hold:
                break
        return _whether(wanted, free := self.free_bytes() - self.floor_bytes, free + writing)

    def _spare(self) -> tuple[int, int]:
        """What may still be promised: at least, and at most."""
        others, theirs = self._others.reserved_bytes() if self._others else (0, 0)
        promised, writing = self._promised()
        least = self.free_bytes() - self.floor_bytes - others - promised
        return least, least + writing + theirs

    def _promised(self) -> tuple[int, int]:
        holds = list(self._holds)
        return sum(hold.remaining_bytes for hold in holds), sum(
            min(hold.writing_bytes, hold.remaining_bytes) for hold in holds
        )

    def _lapse(self, wanted_bytes: int) -> None:
        """Take back what is promised to who does not come, the longest idle first, until there is enough."""
        now = time.monotonic()
        idle = [
            hold
            for hold in self._holds
            if hold.lapses_after_s is not None and now - hold.touched_at > hold.lapses_after_s
        ]
        for hold in sorted(idle, key=lambda each: each.touched_at):
            if self._spare()[0] >= wanted_bytes:
                return
            hold.remaining_bytes = 0
            self._publish()

    def _publish(self) -> None:
        if self._others is not None:
            self._others.publish(*self._promised())
        if self._undecided:
            self._settling.notify_all()

    def _full(self, wanted_bytes: int, spare_bytes: int) -> DubError:
        free = self.free_bytes()
        wants = f", {_mb(wanted_bytes)} are wanted" if wanted_bytes else ""
        promised = max(0, free - self.floor_bytes - spare_bytes)
        others = f" and {_mb(promised)} are promised to others" if wanted_bytes and promised >> 20 else ""
        return DubError(DISK_FULL, f"{_mb(free)} are free{wants}; {_mb(self.floor_bytes)} must stay free{others}.")


def _whether(wanted_bytes: int, least_bytes: int, most_bytes: int) -> bool | None:
    """Whether that is there, when what is there is between those two."""
    return True if wanted_bytes <= least_bytes else False if wanted_bytes > most_bytes else None


def _mb(size_bytes: int) -> str:
    return f"{size_bytes >> 20} MB"
