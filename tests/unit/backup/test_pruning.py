"""Old backups go, their objects with them, and what is needed stays whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.backup import snapshot
from app.backup.backend import FolderBackend
from app.backup.pruning import DAY_S, Pruned, prune
from app.backup.repository import Repository, new_id, open_or_make, taken_at
from app.backup.snapshot import back_up
from app.backup.verifying import verify
from app.domain.errors import DubError
from app.domain.problems.backups import BACKUP_BUSY, BACKUP_DAMAGED
from tests.unit.backup.folders import DataFolder

NOW = 1_790_000_000.0


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    """Four backups, 40, 20, 10 and 0 days old; each has a job of its own, which is deleted before the next."""
    data = DataFolder(tmp_path / "data")
    place = FolderBackend(tmp_path / "place")
    place.prepare()
    with place.lock(alone=True) as check:
        made = open_or_make(place, "")
        for number, days in enumerate((40, 20, 10, 0)):
            monkeypatch.setattr(snapshot.time, "time", lambda days=days: NOW - days * DAY_S)
            data.job(f"j{number}", source_bytes=200_000)
            back_up(data.root, made, check, app_version="1")
            data.remove(f"j{number}")
    monkeypatch.undo()
    data.close()
    yield made


def pruned(
    repository: Repository, *, keep_days: float = 0, max_bytes: int = 0, grace_s: float = -DAY_S, dry_run: bool = False
) -> Pruned:
    with repository.place.lock(alone=True) as check:
        return prune(
            repository, check, keep_s=keep_days * DAY_S, max_bytes=max_bytes, now=NOW, grace_s=grace_s, dry_run=dry_run
        )


def ages(repository: Repository) -> list[int]:
    return [round((NOW - taken_at(snapshot_id)) / DAY_S) for snapshot_id in repository.ids()]


def whole(repository: Repository, work: Path) -> bool:
    return all(checked.whole for checked in verify(repository, repository.ids(), work))


def test_what_is_older_than_the_limit_goes_with_what_only_it_needs(repository: Repository, tmp_path: Path) -> None:
    before = sum(entry.size_bytes for entry in repository.objects())
    told = pruned(repository, keep_days=15)
    assert ages(repository) == [10, 0] and len(told.snapshots) == 2
    assert whole(repository, tmp_path)
    left = sum(entry.size_bytes for entry in repository.objects())
    assert left == told.left_bytes == before - told.bytes
    assert told.bytes > 2 * 200_000
    assert pruned(repository, keep_days=15) == Pruned((), 0, 0, left)


def test_the_newest_stays_however_old_and_large(repository: Repository, tmp_path: Path) -> None:
    pruned(repository, keep_days=0.001)
    assert ages(repository) == [0]
    pruned(repository, max_bytes=1)
    assert ages(repository) == [0] and whole(repository, tmp_path)


def test_the_oldest_go_until_the_rest_is_small_enough(repository: Repository, tmp_path: Path) -> None:
    limit = 650_000  # each has about 280 000 of its own
    told = pruned(repository, max_bytes=limit)
    assert ages(repository) == [10, 0] and told.left_bytes <= limit
    assert whole(repository, tmp_path)


def test_without_limits_nothing_goes(repository: Repository) -> None:
    assert pruned(repository).snapshots == () and ages(repository) == [40, 20, 10, 0]


def test_a_dry_run_deletes_nothing(repository: Repository, tmp_path: Path) -> None:
    told = pruned(repository, keep_days=15, dry_run=True)
    assert len(told.snapshots) == 2 and told.objects > 0
    assert ages(repository) == [40, 20, 10, 0] and whole(repository, tmp_path)


def test_young_objects_that_nobody_needs_stay_for_a_day(repository: Repository) -> None:
    repository.put("0" * 64, [b"of a backup that is under way somewhere"], 39)
    assert pruned(repository, grace_s=DAY_S).objects == 0
    assert pruned(repository).objects == 1


def test_nothing_is_deleted_while_a_backup_that_stays_cannot_be_read(repository: Repository) -> None:
    damaged = repository.snapshot(repository.ids()[2])
    repository.place.delete(repository.object_name(damaged.listing.sha256, packed=True))
    before = {entry.name for entry in repository.objects()}
    with pytest.raises(DubError):
        pruned(repository, keep_days=15)
    assert ages(repository) == [40, 20, 10, 0] and {entry.name for entry in repository.objects()} == before


def test_an_old_one_goes_even_when_it_is_damaged(repository: Repository, tmp_path: Path) -> None:
    (tmp_path / "place" / "snapshots" / f"{repository.ids()[0]}.json").write_bytes(b"damaged")
    with pytest.raises(DubError) as raised:
        repository.snapshot(repository.ids()[0])
    assert raised.value.problem is BACKUP_DAMAGED
    pruned(repository, keep_days=30)
    assert ages(repository) == [20, 10, 0] and whole(repository, tmp_path)


def test_who_lost_the_lock_deletes_nothing(repository: Repository) -> None:
    def lost() -> None:
        raise DubError(BACKUP_BUSY)

    with pytest.raises(DubError):
        prune(repository, lost, keep_s=15 * DAY_S, max_bytes=0, now=NOW, grace_s=-DAY_S)
    assert ages(repository) == [40, 20, 10, 0]


def test_an_id_tells_the_time_to_the_millisecond() -> None:
    assert taken_at(new_id(NOW + 0.125)) == NOW + 0.125
    assert new_id(NOW + 0.001) < new_id(NOW + 0.002) < new_id(NOW + 1)
