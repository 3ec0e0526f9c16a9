"""The scheduled backup: when it is due, what is known of it, and how it ends with its server."""

from __future__ import annotations

import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from app.backup import last_backup
from app.backup.last_backup import Record
from app.backup.schedule import RETRY_S, BackupSchedule, due_in_s

DAY_S = 86400.0
TO = "/mnt/backups"


def record(at: float, *, ok: bool = True, to: str = TO) -> Record:
    return Record(
        at=at,
        to=to,
        snapshot="s",
        bytes=9,
        new_bytes=1,
        seconds=0.5,
        missing=0,
        ok=ok,
        error="" if ok else "no disk",
        good_at=at if ok else 1.0,
    )


def due(last: Record | None, now: float) -> float:
    return due_in_s(last, to=TO, every_s=DAY_S, now=now)


def test_the_first_is_due_soon_after_the_start() -> None:
    assert due(None, 1000.0) == 60.0
    assert due(record(1000.0, to="/elsewhere"), 1000.0) == 60.0
    assert due_in_s(None, to=TO, every_s=5.0, now=0.0) == 5.0


def test_the_next_is_measured_from_the_last_good_one_over_restarts() -> None:
    assert due(record(1000.0), 1000.0) == DAY_S
    assert due(record(1000.0), 1000.0 + DAY_S - 7) == 7.0
    assert due(record(1000.0), 1000.0 + 3 * DAY_S) == 0.0


def test_a_failed_one_is_tried_again_within_the_hour() -> None:
    assert due(record(1000.0, ok=False), 1000.0) == RETRY_S <= 3600.0
    assert due(record(1000.0, ok=False), 1000.0 + RETRY_S + 1) == 0.0


def test_a_clock_that_was_set_back_does_not_stop_it() -> None:
    assert due(record(10 * DAY_S), DAY_S) == DAY_S


def schedule(data: Path, code: str, every_s: float = DAY_S) -> BackupSchedule:
    return BackupSchedule(data, to=TO, every_s=every_s, argv=[sys.executable, "-c", code])


def test_a_good_backup_is_one_thing_done(tmp_path: Path) -> None:
    code = f"""
import time, pathlib, msgspec
from app.backup.last_backup import read, write
data = pathlib.Path({str(tmp_path)!r})
write(data, msgspec.structs.replace(read(data), at=time.time(), snapshot="new", ok=True, error=""))
"""
    last_backup.write(tmp_path, record(time.time() - 2 * DAY_S, ok=False))
    made = schedule(tmp_path, code)
    assert made.run() == 1
    assert last_backup.read(tmp_path).snapshot == "new"  # type: ignore[union-attr]
    assert made.due_in_s() > DAY_S - 60
    assert made.run() == 0, "it is not due any more"


def test_a_backup_that_dies_is_a_failure_that_is_kept_and_logged(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    last_backup.write(tmp_path, record(time.time() - 2 * DAY_S))
    assert schedule(tmp_path, "import sys; sys.stderr.write('it was the disk'); sys.exit(7)").run() == 0
    found = last_backup.read(tmp_path)
    assert found is not None and not found.ok
    assert found.error and "status 7" in found.error and "it was the disk" in found.error
    assert found.good_at is not None and found.good_at < time.time() - DAY_S, (
        "when the last good one was is not forgotten"
    )


def test_a_record_that_cannot_be_read_holds_no_backup_up(tmp_path: Path) -> None:
    assert last_backup.read(tmp_path) is None
    (tmp_path / "backup.json").write_text("{")
    with pytest.raises(last_backup.Unreadable):
        last_backup.read(tmp_path)
    assert last_backup.known(tmp_path) is None
    assert last_backup.failure(tmp_path, TO, "no", 1.0).good_at is None
    assert schedule(tmp_path, "").due_in_s() <= 60


def test_one_module_reads_and_writes_the_record() -> None:
    named = [path.name for path in Path("app").rglob("*.py") if '"backup.json"' in path.read_text(encoding="utf-8")]
    assert named == ["last_backup.py"]


def test_a_stopped_server_ends_its_backup_and_counts_it_as_none(tmp_path: Path) -> None:
    started = tmp_path / "started"
    code = f"import time, pathlib; pathlib.Path({str(started)!r}).write_text('x'); time.sleep(600)"
    made = schedule(tmp_path, code)
    others = set(psutil.Process().children())  # a browser's, of other tests
    told: list[int] = []
    runner = threading.Thread(target=lambda: told.append(made.run()))
    runner.start()
    while not started.exists():
        time.sleep(0.01)
    [child] = set(psutil.Process().children()) - others
    assert child.nice() >= 10, "what a person waits for goes first"
    made.stop()
    runner.join(10)
    assert told == [0] and not child.is_running()
    assert last_backup.read(tmp_path) is None, "the next start makes it"
    assert made.run() == 0, "stopped is stopped"
