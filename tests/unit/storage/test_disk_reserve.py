"""The reserve: made where there is room, given up piece by piece to what has to be written on a full disk."""

from __future__ import annotations

import errno
from pathlib import Path
from types import SimpleNamespace

import pytest

from app.domain.choices import Choices
from app.domain.errors import DubError
from app.domain.job import JobState
from app.domain.problems.uploads import DISK_FULL
from app.storage import disk_reserve as reserves
from app.storage.disk_reserve import PIECE_BYTES, SIZE_BYTES, Reserve
from tests.doubles.full_disk import full_disk
from tests.unit.jobs.house import House


@pytest.fixture
def reserve(tmp_path: Path) -> Reserve:
    return Reserve(tmp_path)


def test_it_is_made_once_of_blocks_that_are_really_there(reserve: Reserve, tmp_path: Path) -> None:
    assert (reserve.keep(), reserve.keep()) == (1, 0)
    status = (tmp_path / reserves.NAME).stat()
    assert status.st_size == SIZE_BYTES and status.st_blocks * 512 >= SIZE_BYTES and status.st_mode & 0o777 == 0o600


def test_it_is_not_made_of_the_last_room(reserve: Reserve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reserves.shutil, "disk_usage", lambda folder: SimpleNamespace(free=2 * SIZE_BYTES - 1))
    assert reserve.keep() == 0 and reserve.bytes() == 0


def test_a_disk_that_gets_full_meanwhile_keeps_what_it_had(reserve: Reserve) -> None:
    reserve.keep()
    reserve.give_up()
    with full_disk():
        assert reserve.keep() == 0
    assert reserve.bytes() == SIZE_BYTES - PIECE_BYTES and reserve.keep() == 1


def test_work_gets_a_piece_after_each_failure_and_no_more_than_it_needs(reserve: Reserve) -> None:
    reserve.keep()
    left: list[int] = []

    def work() -> str:
        left.append(reserve.bytes())
        if len(left) < 3:
            raise OSError(errno.ENOSPC, "")
        return "done"

    assert reserve.spend(work) == "done"
    assert left == [SIZE_BYTES, SIZE_BYTES - PIECE_BYTES, SIZE_BYTES - 2 * PIECE_BYTES]


def test_without_a_reserve_the_failure_is_told(reserve: Reserve) -> None:
    def work() -> None:
        raise DubError(DISK_FULL)

    reserve.keep()
    with pytest.raises(DubError):
        reserve.spend(work)
    assert reserve.bytes() == 0
    with pytest.raises(DubError):
        reserve.spend(work)


def test_another_failure_costs_nothing(reserve: Reserve) -> None:
    def work() -> None:
        raise OSError(errno.EIO, "")

    reserve.keep()
    with pytest.raises(OSError):
        reserve.spend(work)
    assert reserve.bytes() == SIZE_BYTES


def test_what_ends_deletes_or_cancels_is_given_the_reserve_and_what_begins_is_not(tmp_path: Path) -> None:
    house = House(tmp_path)
    job, upload = house.created(), house.uploaded(b"x")
    house.keys.set("k", "v")
    reserve = Reserve(tmp_path)

    def spent(work: object) -> int:
        reserve.keep()
        with full_disk(), pytest.raises(DubError) as caught:
            work()  # type: ignore[operator] - it stays full here: all of the reserve is tried
        assert caught.value.problem is DISK_FULL
        return SIZE_BYTES - reserve.bytes()

    row = house.store.row(job.id)
    assert spent(lambda: house.store.transition(job.id, JobState.PREPARING)) == 0
    assert spent(lambda: house.uploads.create(filename="f", media_type="", length_bytes=1, metadata={})) == 0
    for work in (
        lambda: house.store.transition(job.id, JobState.CANCELLED),
        lambda: house.store.transition(job.id, JobState.FAILED),
        lambda: house.store.delete(job.id, house.blobs),
        lambda: house.store.revise(job.id, list(JobState), row, Choices("x", row.job.options, None)),
        lambda: house.keys.set("k", "v"),
        lambda: house.keys.delete("k"),
        lambda: house.uploads.delete(upload),
    ):
        assert spent(work) == SIZE_BYTES


def test_an_upload_that_could_not_be_deleted_keeps_the_room_that_is_promised_to_it(tmp_path: Path) -> None:
    house = House(tmp_path)
    upload = house.uploads.create(filename="f", media_type="", length_bytes=1000, metadata={})
    with full_disk(), pytest.raises(DubError):
        house.uploads.delete(upload.id)
    assert len(house.uploads._open) == 1
    house.uploads.delete(upload.id)
    assert len(house.uploads._open) == 0
