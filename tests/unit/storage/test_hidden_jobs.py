"""Deleting, duplicating, importing and clearing a long job: in pieces, survived at every boundary, and seen whole or
not at all."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, func, select, update

from app.archive import export
from app.archive.importing import Outcome
from app.backup import sqlite_copy
from app.domain.errors import DubError
from app.domain.job import JobState, Phase
from app.domain.retention import Kind
from app.domain.segment import MAX_LINES, Segment
from app.domain.stages import STAGES, names
from app.storage import batches, hidden, references
from app.storage import tables as t
from app.storage.clip_files import files_of
from app.storage.database import reading
from app.storage.hidden import Coming
from tests.unit.archive.test_export_import import everything, exported, take
from tests.unit.retention.shelf import Shelf, rule

LINES = tuple(f"Line {number}." for number in range(7))
NEW = "d" * 32
CHILDREN = (t.segments, t.stages, t.artifacts, t.blob_references)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "PIECE", 3)
    monkeypatch.setattr(hidden, "_FILES", 8)
    monkeypatch.setattr(references, "_BATCH", 4)


class Killed(BaseException):
    """Nothing is done any more: no clean-up either."""


class Death:
    """The process dies at a boundary: 0 right before the first commit, 1 right after it, 2 before the second..."""

    def __init__(self, shelf: Shelf, at: int) -> None:
        self.shelf, self.commits, self._at, self.dead = shelf, 0, at, False
        event.listen(shelf.database, "begin", self._begin)
        event.listen(shelf.database, "commit", self._commit)

    def _begin(self, _connection: Connection) -> None:
        if self.dead:
            raise Killed

    def _commit(self, _connection: Connection) -> None:
        self.dead = self.dead or self._at == 2 * self.commits + 1
        if self._at == 2 * self.commits:
            self.dead = True
            raise Killed
        self.commits += 1


def killed_everywhere(folder: Path, first: Shelf, work: Callable[[Shelf], object]) -> Iterator[Shelf]:
    """The data of `first` after each way to be killed in the work, opened anew; after the last one the work was
    done."""
    first.database.dispose()
    for at in range(1000):
        place = folder / f"killed{at}"
        shutil.copytree(first.data, place)
        dying = Shelf(place)
        death = Death(dying, at)
        with contextlib.suppress(Killed):
            work(dying)
        over = not death.dead
        dying.database.dispose()
        yield Shelf(place)
        if over:
            assert death.commits > 4, "there were no pieces"
            return
    raise AssertionError("it never ends")


def seen(shelf: Shelf) -> list[str]:
    """The jobs that readers see, which all of them say alike."""
    ids = sorted(job.id for job in shelf.store.summaries(states=[], query="", limit=100, before=None)[0])
    assert ids == sorted(job.id for job in shelf.store.jobs(list(all_rows(shelf))))
    assert ids == sorted(shelf.store.ids(list(JobState))) == sorted(job.id for job in export.titles(shelf.database, []))
    assert ids == sorted(job.job_id for job in references.held(shelf.database, lambda _: 1, lambda _: ()))
    assert (
        len(ids)
        == sum(shelf.store.counts().values())
        == shelf.store.summaries(states=[], query="", limit=1, before=None)[1]
    )
    with sqlite3.connect(shelf.data / "app.sqlite3") as app:
        assert sqlite_copy.job_count(app) == len(ids)
    return ids


def all_rows(shelf: Shelf) -> set[str]:
    """The ids of the jobs that any row belongs to."""
    with reading(shelf.database) as c:
        return {
            job_id
            for column in (t.jobs.c.id, *(table.c.job_id for table in CHILDREN))
            for job_id in c.execute(select(column)).scalars()
        }


# ---------------------------------------------------------------- killed at every boundary


def test_a_killed_deletion_is_gone_at_once_and_wholly_after_the_start(tmp_path: Path) -> None:
    first = Shelf(tmp_path / "first")
    job_id, other = first.job(lines=LINES), first.job(lines=LINES[:3])
    before, kept_files = everything(first, job_id), first.files()
    gone = 0
    for shelf in killed_everywhere(tmp_path, first, lambda dying: dying.store.delete(job_id, dying.blobs)):
        if job_id in seen(shelf):
            assert (everything(shelf, job_id), shelf.files(), hidden.sweep(shelf.database, shelf.blobs)) == (
                before,
                kept_files,
                0,
            )
            continue
        gone += 1
        with pytest.raises(DubError, match="job_not_found"):
            shelf.store.segments(job_id)
        hidden.sweep(shelf.database, shelf.blobs)
        assert all_rows(shelf) == set(seen(shelf)) == {other}
        with reading(shelf.database) as c:
            assert shelf.files() == set(files_of(c.execute(select(t.blob_references.c.key)).scalars())), (
                "no file is left, and none is missing"
            )
        assert hidden.sweep(shelf.database, shelf.blobs) == 0
    assert gone > 6


def test_a_killed_duplicate_is_seen_whole_or_not_at_all(tmp_path: Path) -> None:
    first = Shelf(tmp_path / "first")
    job_id = first.job(lines=LINES)
    options, before, files = first.store.get(job_id).options, everything(first, job_id), first.files()

    def copy(shelf: Shelf) -> None:
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

    whole = 0
    for shelf in killed_everywhere(tmp_path, first, copy):
        if NEW in seen(shelf):
            whole += 1
            assert shelf.store.segments(NEW)[1] == shelf.store.segments(job_id)[1]
            assert shelf.store.get(NEW).state is JobState.REVIEW
        hidden.sweep(shelf.database, shelf.blobs)
        assert all_rows(shelf) == set(seen(shelf))
        assert (everything(shelf, job_id), shelf.files()) == (before, files)
    assert whole > 0


def test_a_killed_import_is_seen_whole_or_not_at_all_and_can_be_done_again_at_once(tmp_path: Path) -> None:
    source, first = Shelf(tmp_path / "source"), Shelf(tmp_path / "first")
    job_id = source.job(lines=LINES)
    archive, before = exported(source, job_id), everything(source, job_id)
    staged = {job_id: 0}
    for number, shelf in enumerate(killed_everywhere(tmp_path, first, lambda dying: take(dying, archive))):
        shutil.rmtree(shelf.data / "imports", ignore_errors=True)
        if job_id in seen(shelf):
            assert everything(shelf, job_id) == before
        elif number % 2:
            assert [taken.outcome for taken in take(shelf, archive)] == [Outcome.TAKEN]
            assert everything(shelf, job_id) == before
            staged[job_id] += 1
        else:
            # a writer in another process may still live: it is given up when nothing more comes
            with shelf.database.begin() as c:
                c.execute(update(t.jobs).values(updated_at=time.time() - 1.5 * hidden.IDLE_S))
            hidden.sweep(shelf.database, shelf.blobs)
            assert all_rows(shelf) == set()
        assert set(source.files()) >= shelf.files()
    assert staged[job_id] > 3


def test_an_import_that_was_killed_while_it_completed_a_job_completes_it_the_next_time(tmp_path: Path) -> None:
    first = Shelf(tmp_path / "first")
    job_id = first.job(lines=LINES, days=40)
    archive, files = exported(first, job_id), first.files()
    cleaner = first.cleaner(rule(Kind.SOURCES, 30), rule(Kind.CLIPS, 30), rule(Kind.OUTPUTS, 30))
    assert cleaner.clean() == 3
    whole = []
    for shelf in killed_everywhere(tmp_path, first, lambda dying: take(dying, archive)):
        shutil.rmtree(shelf.data / "imports", ignore_errors=True)
        assert len(shelf.store.segments(job_id)[1]) == len(LINES)
        whole.append([taken.outcome for taken in take(shelf, archive)] == [Outcome.SKIPPED])
        assert shelf.files() == files
        job, stages = everything(shelf, job_id), [shelf.store.stage(job_id, stage.name) for stage in STAGES]
        assert len(job["artifacts"]) == 5 and all(stage is None or stage.fingerprint for stage in stages)
    assert whole == sorted(whole) and 1 < sum(whole) < len(whole) / 2


@pytest.mark.parametrize("kind", [Kind.CLIPS, Kind.JOBS])
def test_killed_retention_goes_on_where_it_was(tmp_path: Path, kind: Kind) -> None:
    first = Shelf(tmp_path / "first")
    job_id, other = first.job(lines=LINES, days=40), first.job(lines=("one",))
    for shelf in killed_everywhere(tmp_path, first, lambda dying: dying.cleaner(rule(kind, 30)).clean()):
        hidden.sweep(shelf.database, shelf.blobs)
        shelf.cleaner(rule(kind, 30)).clean()
        assert all_rows(shelf) == set(seen(shelf)) == ({other} if kind is Kind.JOBS else {other, job_id})
        assert len(shelf.files("clips")) == 2, "the other's"
        if kind is Kind.CLIPS:
            spoken = shelf.store.stage(job_id, "synthesize")
            assert spoken is not None and not spoken.fingerprint, "they are spoken again by the next render"


# ---------------------------------------------------------------- beside others


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
