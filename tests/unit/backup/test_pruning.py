"""Old backups go, their objects with them, and what is needed stays whatever happens."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.backup import snapshot
from app.backup.place import FolderPlace
from app.backup.pruning import DAY_S, Pruned, prune
from app.backup.repository import Vault, new_id, open_or_make, taken_at
from app.backup.snapshot import back_up
from app.backup.verifying import verify
from app.domain.errors import BACKUP_BUSY, BACKUP_DAMAGED, DubError
from tests.unit.backup.folders import DataFolder

NOW = 1_790_000_000.0


@pytest.fixture
def vault(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Vault]:
    """Four backups, 40, 20, 10 and 0 days old; each has a job of its own, which is deleted before the next."""
    data = DataFolder(tmp_path / "data")
    place = FolderPlace(tmp_path / "place")
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


def pruned(vault: Vault, *, keep_days: float = 0, max_bytes: int = 0, grace_s: float = -DAY_S, dry_run: bool = False) -> Pruned:
    with vault.place.lock(alone=True) as check:
        return prune(vault, check, keep_s=keep_days * DAY_S, max_bytes=max_bytes, now=NOW, grace_s=grace_s, dry_run=dry_run)


def ages(vault: Vault) -> list[int]:
    return [round((NOW - taken_at(snapshot_id)) / DAY_S) for snapshot_id in vault.ids()]


def whole(vault: Vault, work: Path) -> bool:
    return all(checked.whole for checked in verify(vault, vault.ids(), work))


def test_what_is_older_than_the_limit_goes_with_what_only_it_needs(vault: Vault, tmp_path: Path) -> None:
    before = sum(entry.size_bytes for entry in vault.objects())
    told = pruned(vault, keep_days=15)
    assert ages(vault) == [10, 0] and len(told.snapshots) == 2
    assert whole(vault, tmp_path)
    left = sum(entry.size_bytes for entry in vault.objects())
    assert left == told.left_bytes == before - told.bytes
    assert told.bytes > 2 * 200_000
    assert pruned(vault, keep_days=15) == Pruned((), 0, 0, left)


def test_the_newest_stays_however_old_and_large(vault: Vault, tmp_path: Path) -> None:
    pruned(vault, keep_days=0.001)
    assert ages(vault) == [0]
    pruned(vault, max_bytes=1)
    assert ages(vault) == [0] and whole(vault, tmp_path)


def test_the_oldest_go_until_the_rest_is_small_enough(vault: Vault, tmp_path: Path) -> None:
    limit = 650_000  # each has about 280 000 of its own
    told = pruned(vault, max_bytes=limit)
    assert ages(vault) == [10, 0] and told.left_bytes <= limit
    assert whole(vault, tmp_path)


def test_without_limits_nothing_goes(vault: Vault) -> None:
    assert pruned(vault).snapshots == () and ages(vault) == [40, 20, 10, 0]


def test_a_dry_run_deletes_nothing(vault: Vault, tmp_path: Path) -> None:
    told = pruned(vault, keep_days=15, dry_run=True)
    assert len(told.snapshots) == 2 and told.objects > 0
    assert ages(vault) == [40, 20, 10, 0] and whole(vault, tmp_path)


def test_young_objects_that_nobody_needs_stay_for_a_day(vault: Vault) -> None:
    vault.put("0" * 64, [b"of a backup that is under way somewhere"], 39)
    assert pruned(vault, grace_s=DAY_S).objects == 0
    assert pruned(vault).objects == 1


def test_nothing_is_deleted_while_a_backup_that_stays_cannot_be_read(vault: Vault) -> None:
    damaged = vault.snapshot(vault.ids()[2])
    vault.place.delete(vault.object_name(damaged.listing.sha256, packed=True))
    before = {entry.name for entry in vault.objects()}
    with pytest.raises(DubError):
        pruned(vault, keep_days=15)
    assert ages(vault) == [40, 20, 10, 0] and {entry.name for entry in vault.objects()} == before


def test_an_old_one_goes_even_when_it_is_damaged(vault: Vault, tmp_path: Path) -> None:
    (tmp_path / "place" / "snapshots" / f"{vault.ids()[0]}.json").write_bytes(b"damaged")
    with pytest.raises(DubError) as raised:
        vault.snapshot(vault.ids()[0])
    assert raised.value.problem is BACKUP_DAMAGED
    pruned(vault, keep_days=30)
    assert ages(vault) == [20, 10, 0] and whole(vault, tmp_path)


def test_who_lost_the_lock_deletes_nothing(vault: Vault) -> None:
    def lost() -> None:
        raise DubError(BACKUP_BUSY)

    with pytest.raises(DubError):
        prune(vault, lost, keep_s=15 * DAY_S, max_bytes=0, now=NOW, grace_s=-DAY_S)
    assert ages(vault) == [40, 20, 10, 0]


def test_an_id_tells_the_time_to_the_millisecond() -> None:
    assert taken_at(new_id(NOW + 0.125)) == NOW + 0.125
    assert new_id(NOW + 0.001) < new_id(NOW + 0.002) < new_id(NOW + 1)
