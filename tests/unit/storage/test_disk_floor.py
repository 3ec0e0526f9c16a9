"""The disk's floor: what is promised once is not promised again, and what must stay free stays free."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.domain.errors import DubError
from app.storage.disk_floor import Floor, Hold
from app.storage.disk_floors import Disks, Reservation, reserved


class Disk:
    """A disk of so many bytes, and what lies on it."""

    def __init__(self, free: int, floor: int, **more: int) -> None:
        self.free = free
        self.lowest = free
        self.floor = Floor(lambda: self.free, floor, **more)

    def write(self, size: int, hold: Hold) -> None:
        with hold.writing(size) as landed:
            self.free -= size
            self.lowest = min(self.lowest, self.free)
            landed(size)


def refused(call: Callable[[], object]) -> str:
    with pytest.raises(DubError) as error:
        call()
    assert error.value.problem.code == "disk_full"
    return error.value.message


def test_room_is_promised_once() -> None:
    disk = Disk(100, 20)
    first = disk.floor.reserve(50)
    refused(lambda: disk.floor.reserve(31))
    second = disk.floor.reserve(30)
    refused(lambda: disk.floor.check(1))
    first.release()
    disk.floor.check(50)
    assert second.remaining_bytes == 30


def test_bytes_that_land_are_promised_no_more() -> None:
    disk = Disk(100, 20)
    hold = disk.floor.reserve(60)
    disk.write(40, hold)
    assert (disk.free, hold.remaining_bytes, disk.floor.reserved_bytes()) == (60, 20, 20)
    disk.floor.check(20)
    refused(lambda: disk.floor.check(21))
    with hold.returning(15):  # cut off, and to be written again
        disk.free += 15
    refused(lambda: disk.floor.check(21))
    hold.release()
    disk.floor.check(55)


def test_sixty_writers_at_once_keep_the_floor() -> None:
    disk = Disk(699, 200)

    def one(_: int) -> bool:
        try:
            hold = disk.floor.reserve(14)
        except DubError:
            return False
        for _ in range(14):
            with writing:
                disk.write(1, hold)
        hold.release()
        return True

    writing = threading.Lock()
    with ThreadPoolExecutor(60) as pool:
        fitted = sum(pool.map(one, range(60)))
    assert (fitted, disk.lowest) == (35, 699 - 35 * 14)


def test_what_nobody_knows_the_end_of_grows_in_pieces() -> None:
    disk = Disk(100, 20)
    hold = disk.floor.reserve(0)
    hold.need(5, piece_bytes=30)
    assert hold.remaining_bytes == 30
    hold.need(30, piece_bytes=30)
    assert hold.remaining_bytes == 30
    hold.need(31, piece_bytes=100)  # no larger piece than there is
    assert hold.remaining_bytes == 80
    refused(lambda: hold.need(81))
    assert hold.remaining_bytes == 80


def test_a_disk_that_others_fill_stops_the_newest_first() -> None:
    disk = Disk(100, 20)
    old, new = disk.floor.reserve(30), disk.floor.reserve(30)
    disk.free = 70  # somebody else's bytes
    old.need(1)
    refused(lambda: new.need(1))
    disk.free = 49
    refused(lambda: old.need(1))
    disk.free = 100
    new.need(1)


def deciding(floor: Floor, *calls: Callable[[], object]) -> contextlib.ExitStack:
    """The calls, each in a thread of its own; returns when all of them wait for what is being written."""
    stack = contextlib.ExitStack()
    pool = stack.enter_context(ThreadPoolExecutor(len(calls)))
    asked = [pool.submit(call) for call in calls]
    while floor._undecided < len(calls):
        assert not any(each.done() for each in asked), "it was decided at once"
        time.sleep(0.001)  # until the threads wait: nothing tells of that
    stack.callback(lambda: [each.result(10) for each in asked])
    return stack


def test_bytes_that_are_written_and_not_told_of_yet_refuse_nobody() -> None:
    disk = Disk(100, 20)
    one, _ = disk.floor.reserve(40), disk.floor.reserve(20)
    third: list[Hold] = []
    with contextlib.ExitStack() as stack, one.writing(20) as landed:
        disk.free -= 20  # between the write and its `landed`
        stack.enter_context(deciding(disk.floor, lambda: third.append(disk.floor.reserve(20))))
        disk.floor.check(0)  # that fits both ways
        refused(lambda: disk.floor.check(21))  # and that does not
        landed(20)
    assert (third[0].remaining_bytes, disk.floor.reserved_bytes()) == (20, 60)


def test_nobody_is_let_in_on_bytes_that_may_not_be_written_yet() -> None:
    disk = Disk(100, 20)
    one, other = disk.floor.reserve(40), disk.floor.reserve(40)
    with one.writing(20) as landed:
        disk.free -= 20  # somebody else's: those of `one` are not written yet
        with deciding(disk.floor, lambda: refused(lambda: other.need(1))):
            disk.free -= 20
            landed(20)
    disk.free += 20
    other.need(1)


def test_a_new_write_waits_for_those_who_wait_for_the_figures() -> None:
    disk = Disk(100, 20)
    one, other = disk.floor.reserve(40), disk.floor.reserve(20)
    begun = threading.Event()

    def write() -> None:
        with other.writing(20) as landed:
            begun.set()
            disk.free -= 20
            landed(20)

    with ThreadPoolExecutor(1) as pool:
        with one.writing(20) as landed:
            disk.free -= 20
            with deciding(disk.floor, lambda: disk.floor.reserve(20)):
                writes = pool.submit(write)
                assert not begun.wait(0.05)
                landed(20)
        writes.result(10)
    assert (disk.free, disk.floor.reserved_bytes()) == (60, 40)


def test_a_write_that_fails_leaves_nobody_waiting() -> None:
    disk = Disk(100, 20)
    one, other = disk.floor.reserve(40), disk.floor.reserve(40)
    with pytest.raises(OSError), one.writing(20):
        raise OSError
    disk.free -= 1
    refused(lambda: other.need(40))
    one.release()
    other.need(40)


def test_bytes_that_never_settle_refuse_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.storage.disk_floor.SETTLES_S", 0.05)
    disk = Disk(100, 20)
    with disk.floor.reserve(40).writing(20):
        disk.free -= 20
        refused(lambda: disk.floor.reserve(40))


def test_who_does_not_come_loses_the_room_only_when_another_wants_it() -> None:
    disk = Disk(100, 20)
    idle = disk.floor.reserve(50, lapses_after_s=900.0)
    busy = disk.floor.reserve(20, lapses_after_s=900.0)
    refused(lambda: disk.floor.reserve(40))
    idle.touched_at -= 901
    disk.floor.check(10)
    assert idle.remaining_bytes == 50
    other = disk.floor.reserve(40)
    assert (idle.remaining_bytes, busy.remaining_bytes) == (0, 20)
    refused(lambda: idle.need(50))
    other.release()
    idle.need(50)


def test_what_was_promised_before_a_restart_counts_even_when_it_is_not_there() -> None:
    disk = Disk(50, 20)
    first, second = disk.floor.resume(20), disk.floor.resume(20)
    refused(lambda: disk.floor.reserve(1))
    first.need(20)
    refused(lambda: second.need(20))
    first.release()
    second.need(20)


def test_an_ended_reservation_takes_nothing_any_more() -> None:
    disk = Disk(100, 20)
    hold = disk.floor.reserve(50)
    hold.release()
    with hold.returning(10):
        pass
    hold.need(10)
    assert disk.floor.reserved_bytes() == 0


def test_a_margin_is_left_for_what_nobody_reserves() -> None:
    disk = Disk(100, 20, margin_bytes=5)
    assert "75 MB" not in refused(lambda: disk.floor.reserve(76))
    disk.floor.reserve(75)
    disk.floor.check()


def test_room_is_made_before_a_reservation_is_refused() -> None:
    disk = Disk(100, 20)

    def make_room() -> None:
        disk.free += 50

    floor = Floor(lambda: disk.free, 20, make_room)
    assert floor.reserve(120).remaining_bytes == 120


def test_a_refusal_says_what_is_free_wanted_and_promised() -> None:
    disk = Disk(700 << 20, 200 << 20)
    disk.floor.reserve(400 << 20)
    assert refused(lambda: disk.floor.reserve(150 << 20)).endswith(
        "700 MB are free, 150 MB are wanted; 200 MB must stay free and 400 MB are promised to others."
    )


def test_folders_of_one_disk_share_a_floor(tmp_path: Path) -> None:
    disks = Disks(0)
    assert disks.at(tmp_path) is disks.at(tmp_path / "not" / "there")
    with disks.reserve(10, tmp_path, tmp_path / "blobs") as room:
        assert disks.at(tmp_path).reserved_bytes() == 10
        room.landed(4)
        assert (room.remaining_bytes, disks.at(tmp_path).reserved_bytes()) == (6, 6)
    assert disks.at(tmp_path).reserved_bytes() == 0


def test_work_that_is_moved_to_another_disk_has_room_on_both() -> None:
    here, there = Disk(100, 20), Disk(100, 50)
    room = Reservation([here.floor.reserve(40), there.floor.reserve(40)])
    here.free -= 30
    room.landed(30)
    assert (here.floor.reserved_bytes(), there.floor.reserved_bytes()) == (10, 40)
    room.need(20)  # 50 in all
    assert (here.floor.reserved_bytes(), there.floor.reserved_bytes()) == (20, 50)
    refused(lambda: room.need(21))
    room.release()
    assert (here.floor.reserved_bytes(), there.floor.reserved_bytes()) == (0, 0)


async def test_a_task_that_is_cancelled_while_it_asks_keeps_nothing(tmp_path: Path) -> None:
    asked, go = threading.Event(), threading.Event()

    def make_room() -> None:
        asked.set()
        go.wait(10)

    disks = Disks(1 << 60, make_room)

    async def work() -> None:
        async with reserved(disks, 5, tmp_path):
            raise AssertionError("there is no room")

    task = asyncio.create_task(work())
    await asyncio.to_thread(asked.wait, 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    go.set()
    refused(lambda: disks.reserve(1, tmp_path))
    assert disks.at(tmp_path).reserved_bytes() == 0
