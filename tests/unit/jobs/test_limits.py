"""What one request and one job may hold, and that nobody waits long for the database because of another."""

from __future__ import annotations

import contextlib
import sqlite3
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from app.api.problems import as_dub_error
from app.api.schema import document
from app.domain.errors import DubError
from app.domain.job import Job, JobState, Phase
from app.domain.media import MAX_TEXT_CHARACTERS
from app.domain.problems.jobs import JOB_NOT_FOUND
from app.domain.problems.lines import EDIT_CONFLICT, TEXT_TOO_LONG, TOO_MANY_LINES
from app.domain.problems.requests import DATABASE_BUSY
from app.domain.segment import MAX_CHANGES, MAX_LINES, Segment
from app.domain.speaker import Script
from app.domain.stages import names
from app.jobs import editing
from app.jobs.patient_store import patient
from app.jobs.schemas import CreateJob, JobPatch, SegmentChanges, SegmentEdit, SegmentNew, SplitSegment
from app.storage import batches
from app.storage.database import migrate, open_database
from app.storage.jobs import JobStore
from tests.unit.jobs.house import OPTIONS, House, refused


def lines(count: int) -> list[Segment]:
    return [
        Segment(uuid.uuid4().hex, index / 2, index / 2 + 0.4, f"Line {index}.", f"Line {index}.", "", False, ())
        for index in range(count)
    ]


def long_job(house: House, count: int) -> Job:
    job = house.reviewed()
    house.store.clear_segments(job.id)
    house.store.append_segments(
        job.id, lines(count), stage="transcribe", fingerprint="f", output={"language": "en", "done_s": 1.0}
    )
    return house.store.get(job.id)


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


class Held:
    """How many rows each write transaction changed."""

    def __init__(self, house: House) -> None:
        self.rows: list[int] = []
        self._now = 0
        engine = house.store._engine
        event.listen(engine, "begin", self._begin)
        event.listen(engine, "after_cursor_execute", self._executed)
        event.listen(engine, "commit", self._commit)

    def _begin(self, _connection: object) -> None:
        self._now = 0

    def _executed(self, _connection: object, cursor: sqlite3.Cursor, statement: str, *_: object) -> None:
        if statement.startswith(("INSERT", "DELETE", "UPDATE")):
            self._now += max(0, cursor.rowcount)

    def _commit(self, _connection: object) -> None:
        self.rows.append(self._now)


# ---------------------------------------------------------------- what may be asked


def test_more_changes_than_a_request_may_have_are_refused_and_change_nothing(house: House) -> None:
    job = long_job(house, 1500)
    ids = [line.id for line in house.service.segments(job.id).segments]
    half = MAX_CHANGES // 2 + 1
    changes = SegmentChanges(
        add=(SegmentNew("a", 0.1, 0.2),) * half, edit=tuple(SegmentEdit(each, skip=True) for each in ids[:half])
    )
    refused(TOO_MANY_LINES, lambda: house.service.edit(job.id, job.revision, changes))
    assert [line.skip for line in house.service.segments(job.id).segments] == [False] * 1500


def test_a_job_has_a_most_of_lines_and_one_that_has_more_may_lose_some(house: House) -> None:
    job = long_job(house, MAX_LINES)
    refused(
        TOO_MANY_LINES,
        lambda: house.service.edit(job.id, job.revision, SegmentChanges(add=(SegmentNew("a", 0.1, 0.2),))),
    )
    first = house.service.segments(job.id).segments[0]
    refused(TOO_MANY_LINES, lambda: house.service.split(job.id, first.id, job.revision, SplitSegment(2)))
    told: Any = {"stage": "transcribe", "fingerprint": "f", "output": {}}
    refused(TOO_MANY_LINES, lambda: house.store.append_segments(job.id, lines(1), **told))
    assert (house.store.get(job.id).revision, house.store.get(job.id).segment_count) == (job.revision, MAX_LINES)
    more = lines(MAX_LINES + 5)
    assert len(editing.apply(SegmentChanges(remove=(more[0].id,)), more, 1e6)) == MAX_LINES + 4


def test_a_merged_line_is_not_longer_than_a_line_may_be(house: House) -> None:
    job = house.reviewed()
    first, second = (line.id for line in house.service.segments(job.id).segments)
    text = "a " * (MAX_TEXT_CHARACTERS // 2)
    job_now = house.service.edit(
        job.id, job.revision, SegmentChanges(edit=(SegmentEdit(first, text=text), SegmentEdit(second, text=text)))
    )
    refused(TEXT_TOO_LONG, lambda: house.service.merge(job.id, first, job_now.revision))


def test_subtitles_with_more_lines_than_a_job_may_have_are_no_job(house: House) -> None:
    cues = "".join(f"{n}\n00:00:01,000 --> 00:00:02,000\nHi {n}\n\n" for n in range(1, MAX_LINES + 2))
    error = refused(
        TOO_MANY_LINES,
        lambda: house.service.create(CreateJob(house.uploaded(), subtitles_upload_id=house.uploaded(cues.encode()))),
    )
    assert str(MAX_LINES + 1) in error.detail and house.service.page().total == 0


# ---------------------------------------------------------------- no transaction is long


def test_long_writes_go_in_pieces(house: House) -> None:
    held = Held(house)
    job = long_job(house, 10_000)
    keys = [f"clips/{number}.wav" for number in range(9_000)]
    house.store.finish_stage(job.id, "synthesize", "s", [], 1.0, keys=keys)
    house.store.clear_segments(job.id)
    assert len(held.rows) > 15 and max(held.rows) <= batches.PIECE + 10


def test_lines_are_read_and_changed_before_the_database_is_held(house: House) -> None:
    job = long_job(house, 100)
    engine, writing = house.store._engine, []

    def begin(connection: object) -> None:
        writing.append(not connection.get_execution_options().get("autodubber_reading"))  # type: ignore[attr-defined]

    def change(_job: Job, before: Script) -> Script:
        assert writing == [False]
        return Script(before.segments[1:], before.speakers)

    event.listen(engine, "begin", begin)
    edited = house.store.edit_script(job.id, job.revision, frozenset(JobState), change)
    after = edited.script.segments
    assert (writing, edited.revision, len(after)) == ([False, True], job.revision + 1, 99)
    assert (edited.changed, len(edited.gone), edited.recast) == ((), 1, False)
    assert after == house.store.segments(job.id)[1]


def test_an_edit_that_was_overtaken_while_it_was_made_is_refused(house: House) -> None:
    job = long_job(house, 3)

    def overtaken(_job: Job, before: Script) -> Script:
        house.service.edit(job.id, job.revision, SegmentChanges(add=(SegmentNew("faster", 0.1, 0.2),)))
        return Script(before.segments[1:], before.speakers)

    refused(EDIT_CONFLICT, lambda: house.store.edit_script(job.id, job.revision, frozenset(JobState), overtaken))
    assert len(house.service.segments(job.id).segments) == 4


def test_a_copy_has_the_same_lines_and_files(house: House) -> None:
    job = long_job(house, 50)
    house.store.refer(job.id, ["clips/a.wav", "artifacts/x.mp4"])
    copy = house.service.duplicate(job.id, JobPatch())
    assert house.service.segments(copy.id).segments == house.service.segments(job.id).segments
    house.store.copy(
        job.id,
        "c" * 32,
        house.blobs,
        title="c",
        options=OPTIONS,
        stem_key=None,
        state=JobState.REVIEW,
        stages=names(Phase.PREPARE),
    )
    assert set(house.store.delete(job.id, house.blobs)) == {"artifacts/x.mp4"}  # the others need the rest


# ---------------------------------------------------------------- who waits


@contextlib.contextmanager
def locked(path: Path) -> Iterator[None]:
    """Another process writes, and does not end."""
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    yield
    other.rollback()
    other.close()


@pytest.fixture
def store(tmp_path: Path) -> JobStore:
    engine = open_database(f"sqlite:///{tmp_path / 'app.sqlite3'}", busy_s=0.1)
    migrate(engine)
    store = JobStore(engine)
    store.insert("a" * 32, title="x", options=OPTIONS, source_key="uploads/a", subtitles_key=None, size_bytes=1)
    return store


def test_a_writer_that_waited_in_vain_says_when_to_come_again(store: JobStore, tmp_path: Path) -> None:
    with locked(tmp_path / "app.sqlite3"):
        assert store.get("a" * 32).title == "x"  # readers do not wait
        error = as_dub_error(refused(DATABASE_BUSY, lambda: store.update("a" * 32, title="y")))
    assert error is not None and error.problem.status == 503 and int(error.headers["Retry-After"]) > 0
    assert store.update("a" * 32, title="z").title == "z"


def test_the_work_of_a_job_waits_as_long_as_it_takes(store: JobStore, tmp_path: Path) -> None:
    busy, real = threading.Semaphore(0), store.update

    def update(*arguments: object, **fields: object) -> object:
        try:
            return real(*arguments, **fields)  # type: ignore[arg-type]
        except DubError:
            busy.release()
            raise

    store.update = update  # type: ignore[assignment]
    results: list[str] = []
    with locked(tmp_path / "app.sqlite3"):
        thread = threading.Thread(target=lambda: results.append(patient(store).update("a" * 32, title="done").title))
        thread.start()
        for _ in range(3):
            assert busy.acquire(timeout=20)
        assert not results
    thread.join(20)
    assert results == ["done"]


def test_patience_ends_and_other_errors_end_it_at_once(store: JobStore, tmp_path: Path) -> None:
    refused(JOB_NOT_FOUND, lambda: patient(store).update("b" * 32, title="y"))
    with locked(tmp_path / "app.sqlite3"):
        refused(DATABASE_BUSY, lambda: patient(store, 0.0).update("a" * 32, title="y"))


def test_the_limits_stand_in_the_description() -> None:
    from app.config.settings import Settings
    from app.server.app import create_app

    schemas = document(create_app(Settings()))["components"]["schemas"]
    changes = schemas["SegmentChanges"]["properties"]
    assert {changes[name]["maxItems"] for name in ("add", "edit", "remove")} == {MAX_CHANGES}
    assert schemas["Segments"]["properties"]["segments"]["maxItems"] == MAX_LINES
    assert schemas["SegmentNew"]["properties"]["text"]["maxLength"] == MAX_TEXT_CHARACTERS
