"""The list of jobs tells of each what the job itself tells, in as many statements for many jobs as for one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import Engine, event, text

from app.domain.dub_options import changed
from app.domain.job import JobState
from app.domain.media import Artifact, ArtifactKind
from app.domain.segment import Segment
from app.domain.summary import JobSummary
from app.storage.database import migrate, open_database
from app.storage.jobs import JobStore
from tests.unit.api.serving import OPTIONS

MEDIA = {"format": "mp4", "duration_s": 60.0, "start_s": 0.0, "size_bytes": 1, "video": None, "audio": []}
ERROR = {"code": "no_speech", "message": "m", "hint": "h", "stage": "transcribe", "segments": ["s1"]}


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'app.sqlite3'}")
    migrate(engine)
    yield engine
    engine.dispose()


def add(
    store: JobStore, job_id: str, *, lines: int = 0, files: dict[ArtifactKind, str] | None = None, **fields: Any
) -> None:
    """A job with so many lines and these files (kind and key)."""
    store.insert(
        job_id, title=job_id, options=OPTIONS, source_key=f"uploads/{job_id}", subtitles_key=None, size_bytes=5
    )
    spoken = [Segment(f"s{i}", float(i), i + 0.9, "Hi.", "Hi.", "", False, ()) for i in range(lines)]
    artifacts = [
        Artifact(kind, key, 1, f"{number:064x}", "image/jpeg", "jpg")
        for number, (kind, key) in enumerate((files or {}).items(), 1)
    ]
    stage: Any = "transcribe"
    store.append_segments(job_id, spoken, stage=stage, fingerprint="f", output={})
    store.finish_stage(job_id, stage, "f", {}, 1.0, artifacts=artifacts)
    if fields:
        store.update(job_id, **fields)


def shared(job: Any) -> dict[str, Any]:
    """What a whole job and its summary both have, by the whole job's words."""
    whole = msgspec.to_builtins(job)
    whole["recognizer"] = whole["options"]["recognition"]["recognizer"]
    whole["media"] = whole["media"] and {"duration_s": whole["media"]["duration_s"]}
    whole["thumbnail"] = next((file["sha256"] for file in whole["artifacts"] if file["kind"] == "thumbnail"), None)
    return {name: whole[name] for name in JobSummary.__struct_fields__}


def test_a_summary_says_what_the_job_says(database: Engine) -> None:
    store = JobStore(database)
    thumbnail, video = {ArtifactKind.THUMBNAIL: "ingest/a/thumbnail.jpg"}, {ArtifactKind.VIDEO: "artifacts/a.mp4"}
    faster = changed(OPTIONS, speed=1.1)
    idle = changed(OPTIONS, hardware_encoder=True)  # decides nothing: no subtitles are burned
    add(store, "new")
    add(store, "read", lines=3, files=thumbnail, media=MEDIA, language="en", state=JobState.REVIEW, error=None)
    add(
        store,
        "failed",
        state=JobState.FAILED,
        error=ERROR,
        stage="transcribe",
        progress=0.5,
        stage_progress=0.25,
        eta_s=3.0,
    )
    add(store, "rendered", lines=2, files=video, rendered_revision=2, rendered_options=OPTIONS, media=MEDIA)
    add(store, "same", lines=2, files=video, rendered_revision=2, rendered_options=idle)
    add(store, "changed", lines=2, files=video, rendered_revision=2, rendered_options=faster)
    add(store, "edited", lines=2, files=video, rendered_revision=1, rendered_options=OPTIONS)
    add(store, "stem", lines=2, files=video, rendered_revision=2, rendered_options=OPTIONS, stem_key="uploads/s")
    add(store, "forgotten", rendered_revision=2, rendered_options=None)
    add(store, "bare", lines=1, files=thumbnail, rendered_revision=2, rendered_options=OPTIONS)
    with database.begin() as c:
        c.execute(text("DELETE FROM blob_references WHERE job_id = 'bare'"))
        c.execute(
            text("UPDATE jobs SET options = :o WHERE id = 'same'"),
            {"o": json.dumps(msgspec.to_builtins(OPTIONS), separators=(",", ":"))},
        )
    found, total = store.summaries(states=(), query="", limit=50, before=None)
    assert total == len(found) == 10
    for summary in found:
        assert msgspec.to_builtins(summary) == shared(store.get(summary.id)), summary.id
    by_id = {summary.id: summary for summary in found}
    assert {name for name, summary in by_id.items() if summary.stale} == {"changed", "edited", "stem", "forgotten"}
    assert (by_id["bare"].source_gone, by_id["bare"].outputs_gone, by_id["rendered"].outputs_gone) == (
        True,
        True,
        False,
    )


def test_pages_follow_each_other_where_jobs_are_of_the_same_moment(database: Engine) -> None:
    store = JobStore(database)
    for number in range(7):
        add(store, f"job{number}")
    with database.begin() as c:
        c.execute(text("UPDATE jobs SET created_at = 5 WHERE id != 'job6'"))
    seen: list[str] = []
    before = None
    while True:
        found, total = store.summaries(states=(), query="", limit=3, before=before)
        assert total == 7
        if not found:
            break
        seen += [summary.id for summary in found]
        before = found[-1].created_at, found[-1].id
    assert seen == ["job6", "job5", "job4", "job3", "job2", "job1", "job0"]
    assert [job.id for job in store.jobs(["job3", "gone", "job1"])] == ["job3", "job1"]


def test_a_title_is_looked_for_as_it_is_written(database: Engine) -> None:
    store = JobStore(database)
    for title in ("100% a/b", "100 a b", "under_score", "underXscore"):
        add(store, title)

    def titled(query: str, *states: JobState) -> list[str]:
        return [summary.title for summary in store.summaries(states=states, query=query, limit=9, before=None)[0]]

    assert [titled("0%"), titled("A/B"), titled("R_S")] == [["100% a/b"], ["100% a/b"], ["under_score"]]
    assert (
        titled("100", JobState.QUEUED, JobState.FAILED) == ["100 a b", "100% a/b"]
        and titled("100", JobState.FAILED) == []
    )


def test_many_jobs_take_as_many_statements_as_one(database: Engine) -> None:
    store, asked = JobStore(database), []
    add(store, "one", lines=2)
    event.listen(database, "before_cursor_execute", lambda *given: asked.append(given[2]))
    store.summaries(states=(), query="", limit=50, before=None)
    one = len(asked)
    for number in range(30):
        add(store, f"job{number}", lines=2)
    asked.clear()
    assert len(store.summaries(states=(), query="", limit=50, before=None)[0]) == 31
    assert len(asked) == one <= 3
