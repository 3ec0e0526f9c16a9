"""autodubber backup, backups and verify in one process: what they say, and what they refuse."""

from __future__ import annotations

import argparse
import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from app.backup.last_backup import read
from app.cli import backup, backup_place, list_backups, verify
from app.config.settings import Settings
from app.system import exit_status
from tests.unit.backup.folders import DataFolder


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    data = DataFolder(tmp_path / "data")
    data.job("a")
    data.close()
    before = signal.getsignal(signal.SIGTERM)
    yield Settings(data=tmp_path / "data", backup_to=str(tmp_path / "place"))
    signal.signal(signal.SIGTERM, before)


def run(module: Any, settings: Settings, **typed: Any) -> int:
    options = {"to": None, "source": None, "snapshot": None, "json": False} | typed
    return int(module.run(argparse.Namespace(**options), settings))


def test_a_backup_is_recorded_listed_and_verified(settings: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(backup, settings) == exit_status.OK
    kept = read(settings.data)
    assert kept is not None and kept.ok and kept.to == settings.backup_to and kept.bytes > 160_000
    assert kept.snapshot in capsys.readouterr().out
    assert run(list_backups, settings) == exit_status.OK
    said = capsys.readouterr().out
    assert kept.snapshot in said and "not encrypted" in said
    assert run(list_backups, settings, json=True) == exit_status.OK
    told = json.loads(capsys.readouterr().out)
    assert [(found["id"], found["jobs"]) for found in told["snapshots"]] == [(kept.snapshot, 1)] and not told[
        "encrypted"
    ]
    assert run(verify, settings) == exit_status.OK and "whole" in capsys.readouterr().out
    assert run(verify, settings, snapshot="20260101T000000000Z-000000") == exit_status.ENVIRONMENT


def test_a_copy_elsewhere_by_hand_does_not_put_off_the_schedule(settings: Settings, tmp_path: Path) -> None:
    assert run(backup, settings, to=str(tmp_path / "stick")) == exit_status.OK
    assert read(settings.data) is None
    assert run(backup, settings, to=settings.backup_to + "/") == exit_status.OK
    assert read(settings.data) is not None, "the same place, by another spelling"


def test_a_disk_that_is_not_mounted_is_noticed(
    settings: Settings, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(backup, settings) == exit_status.OK
    good = read(settings.data)
    (tmp_path / "place").rename(tmp_path / "away")
    (tmp_path / "place").mkdir()  # the mount point
    for _ in range(2):
        assert run(backup, settings) == exit_status.ENVIRONMENT
        assert "is the disk mounted?" in capsys.readouterr().err
    kept = read(settings.data)
    assert kept is not None and good is not None and not kept.ok and kept.good_at == good.good_at
    assert list((tmp_path / "place").iterdir()) == [], "nothing is written below a mount point"
    assert run(backup, settings, to=settings.backup_to) == exit_status.OK, "an operator may begin anew"


def test_a_file_that_has_gone_is_told_and_the_backup_is_good(
    settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    (settings.data / "blobs" / "uploads" / "a").unlink()
    assert run(backup, settings) == exit_status.OK
    assert "blobs/uploads/a could not be read" in capsys.readouterr().err
    kept = read(settings.data)
    assert kept is not None and kept.ok and kept.missing == 1


def test_sizes_for_people() -> None:
    assert [backup_place.size(n) for n in (0, 999, 1000, 12_345_678, 2e11, 5e12)] == [
        "0 B",
        "999 B",
        "1.0 kB",
        "12.3 MB",
        "200.0 GB",
        "5.0 TB",
    ]
