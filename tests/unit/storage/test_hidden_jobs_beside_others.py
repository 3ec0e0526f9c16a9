"""Jobs that are being deleted, copied or imported while others work: who waits, and for how long."""

from __future__ import annotations

import sqlite3
import threading
import uuid
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, func, select

from app.archive import export
from app.domain.errors import DubError
from app.domain.job import JobState, Phase
from app.domain.retention import Kind
from app.domain.segment import MAX_LINES, Segment
from app.domain.stages import names
from app.storage import batches, hidden, references
from app.storage import tables as t
from app.storage.database import reading
from app.storage.hidden import Coming
from tests.unit.archive.test_export_import import exported, take
from tests.unit.retention.shelf import Shelf, rule
from tests.unit.storage.test_hidden_jobs import LINES, NEW, all_rows, seen


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "PIECE", 3)
    monkeypatch.setattr(hidden, "_FILES", 8)
    monkeypatch.setattr(references, "_BATCH", 4)


def test_clips_that_are_being_cleared_stay_from_the_moment_that_a_render_begins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf(tmp_path)
    job_id = shelf.job(lines=LINES, days=40)
    monkeypatch.setattr(batches.time, "sleep", lambda _: shelf.store.update(job_id, title="touched"))
    shelf.cleaner(rule(Kind.CLIPS, 30)).clean()
    assert len(shelf.files("clips")) == 2 * len(LINES) - 4


def test_a_stage_cannot_give_anything_to_a_job_that_is_being_deleted(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    job_id = shelf.job(lines=LINES)
    hidden.hide(shelf.database, job_id)
    line = Segment(uuid.uuid4().hex, 0.0, 1.0, "a", "a", "", False, ())
    for give in (
        lambda: shelf.store.finish_stage(job_id, "mix", "m", {}, 1.0),
        lambda: shelf.store.append_segments(job_id, [line] * 4, stage="transcribe", fingerprint="f", output={}),
        lambda: shelf.store.refer(job_id, ["clips/a.wav"]),
        lambda: shelf.store.update(job_id, title="a"),
        lambda: shelf.store.delete(job_id, shelf.blobs),
    ):
        with pytest.raises(DubError, match="job_not_found"):
            give()


def test_a_copy_of_a_job_that_is_prepared_anew_meanwhile_is_one_of_its_later_state(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shelf = Shelf(tmp_path)
    job_id = shelf.job(lines=LINES)
    changes = iter([lambda: shelf.store.finish_stage(job_id, "ingest", "new", {}, 1.0)])
    monkeypatch.setattr(batches.time, "sleep", lambda _: next(changes, lambda: None)())
    options = shelf.store.get(job_id).options
    shelf.store.copy(
        job_id,
        NEW,
        shelf.blobs,
        title="d",
        options=options,
        stem_key=None,
        state=JobState.REVIEW,
        stages=names(Phase.PREPARE),
    )
    ingest = shelf.store.stage(NEW, "ingest")
    assert ingest is not None and ingest.fingerprint == "new"
    assert all_rows(shelf) == {job_id, NEW}


def test_who_still_writes_is_spared_by_the_sweep_and_the_later_of_two_writers_wins(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    job_id = shelf.job(lines=LINES)
    with reading(shelf.database) as c:
        values = dict(c.execute(select(t.jobs)).one()._mapping)
    with pytest.raises(DubError, match="database_busy"), Coming(shelf.database, shelf.blobs, NEW, "copy") as coming:
        with shelf.database.begin() as c:
            coming.begin(c, values)
        assert hidden.sweep(shelf.database, shelf.blobs) == 0
        with (
            pytest.raises(DubError, match="database_busy"),
            Coming(shelf.database, shelf.blobs, NEW, "copy") as second,
            shelf.database.begin() as c,
        ):
            second.begin(c, values)
        hidden.clear(shelf.database, shelf.blobs, NEW)
        coming.write(["clips/a.wav"], lambda *_: None)
    assert all_rows(shelf) == {job_id}


# ---------------------------------------------------------------- no transaction is long


class Watch:
    """How many rows each transaction changed, with those that a deletion takes along, and whether another writer came
    in after each piece."""

    def __init__(self, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
        self.rows: list[int] = []
        self.others = 0
        self._thread, self._at = threading.get_ident(), 0
        self._other = sqlite3.connect(shelf.data / "app.sqlite3", timeout=0, isolation_level=None)
        event.listen(shelf.database, "begin", self._begin)
        event.listen(shelf.database, "commit", self._commit)
        monkeypatch.setattr(batches.time, "sleep", self._sleep)

    def _begin(self, connection: Connection) -> None:
        self._at = connection.connection.dbapi_connection.total_changes  # type: ignore[union-attr]

    def _commit(self, connection: Connection) -> None:
        self.rows.append(connection.connection.dbapi_connection.total_changes - self._at)  # type: ignore[union-attr]

    def _sleep(self, _seconds: float) -> None:
        self._other.execute("UPDATE jobs SET title = title")  # waits for nothing: it would fail at once
        self.others += 1


def test_nobody_waits_longer_than_for_one_piece_of_a_job_with_all_lines_that_it_may_have(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    shelf, there = Shelf(tmp_path / "here"), Shelf(tmp_path / "there")
    job_id = shelf.job()
    options = shelf.store.get(job_id).options
    lines = [
        Segment(uuid.uuid4().hex, n / 2, n / 2 + 0.4, f"Line {n}.", f"Line {n}.", "", False, ())
        for n in range(MAX_LINES - 2)
    ]
    shelf.store.append_segments(
        job_id, lines, stage="transcribe", fingerprint="t", output={"language": "en", "done_s": 20.0}
    )
    shelf.store.refer(job_id, [f"clips/{n}.wav" for n in range(MAX_LINES // 2)])
    monkeypatch.setattr(export, "_named", lambda *_: ("clip", "clip"))
    archive = exported(shelf, job_id)

    def copy() -> None:
        shelf.store.copy(
            job_id,
            NEW,
            shelf.blobs,
            title="d",
            options=options,
            stem_key=None,
            state=JobState.REVIEW,
            stages=names(Phase.PREPARE),
        )

    for house, work in (
        (shelf, copy),
        (shelf, lambda: shelf.store.delete(job_id, shelf.blobs)),
        (there, lambda: take(there, archive)),
    ):
        watch = Watch(house, monkeypatch)
        work()
        assert max(watch.rows) <= batches.PIECE + 10
        assert watch.others >= MAX_LINES / batches.PIECE and len(watch.rows) <= watch.others + 4
    with reading(shelf.database) as c:
        assert c.execute(select(func.count()).select_from(t.segments)).scalar_one() == MAX_LINES
    assert seen(shelf) == [NEW]
