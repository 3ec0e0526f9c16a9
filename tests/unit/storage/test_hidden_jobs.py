"""Deleting, duplicating, importing and clearing a long job: in pieces, survived at every boundary, and seen whole or
not at all."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, event, select, update

from app.archive import export
from app.archive.importing import Outcome
from app.backup import sqlite_copy
from app.domain.errors import DubError
from app.domain.job import JobState, Phase
from app.domain.retention import Kind
from app.domain.stages import STAGES, names
from app.storage import batches, hidden, references
from app.storage import tables as t
from app.storage.clip_files import files_of
from app.storage.database import reading
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
