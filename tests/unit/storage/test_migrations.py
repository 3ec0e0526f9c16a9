"""A data folder of an older version opens with everything that was in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, text

from app.domain.dub_options import Background, from_row
from app.domain.job import JobState
from app.storage import database
from app.storage.jobs import JobStore

# As version 0.1.0 wrote them: without what came later.
OLD_OPTIONS = {
    "language": "en",
    "task": "transcribe",
    "recognizer": "openai-whisper",
    "model": "base",
    "voice": "espeak:auto",
    "voice_model": "",
    "speed": 1.1,
    "background": "keep",
    "keep_original_track": True,
    "burn_subtitles": False,
    "audio_track": 0,
    "review": True,
}
MEDIA = {"format": "mov,mp4", "duration_s": 20.0, "start_s": 0.0, "size_bytes": 5, "video": None, "audio": []}


def at_version(folder: Path, version: str) -> Engine:
    """A new database as that version had it."""
    engine = database.open_database(f"sqlite:///{folder / 'app.sqlite3'}")
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).with_name("migrations")))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)
    return engine


def write(engine: Engine, table: str, **values: Any) -> None:
    names = ", ".join(values)
    with engine.begin() as connection:
        connection.execute(
            text(f"INSERT INTO {table} ({names}) VALUES ({', '.join(f':{name}' for name in values)})"), values
        )


def old_job(engine: Engine, job_id: str, *, state: str, rendered: dict[str, Any] | None) -> None:
    write(
        engine,
        "jobs",
        id=job_id,
        title="Old",
        state=state,
        phase="render",
        stage_progress=0.0,
        progress=1.0,
        options=json.dumps(OLD_OPTIONS),
        language="en",
        media=json.dumps(MEDIA),
        source_key=f"uploads/{job_id}",
        size_bytes=5,
        revision=3,
        rendered_revision=3 if rendered else None,
        rendered_options=json.dumps(rendered),
        error=json.dumps({"code": "no_speech", "message": "m", "hint": "h", "stage": "transcribe"}),
        created_at=1.0,
        updated_at=2.0,
    )
    write(
        engine,
        "segments",
        job_id=job_id,
        id="s1",
        start_s=1.0,
        end_s=2.0,
        text="Hi.",
        source_text="Hi.",
        speaker="",
        skip=False,
        words=json.dumps([{"text": "Hi.", "start_s": 1.0, "end_s": 1.5}]),
    )


@pytest.fixture
def old(tmp_path: Path) -> Engine:
    """A database of version 0001 with a rendered job, one that was never rendered, and one rendered with other
    options."""
    engine = at_version(tmp_path, "0001")
    old_job(engine, "rendered", state="completed", rendered=OLD_OPTIONS)
    old_job(engine, "fresh", state="review", rendered=None)
    old_job(engine, "changed", state="completed", rendered=OLD_OPTIONS | {"speed": 1.0})
    return engine


def test_old_jobs_keep_their_options_and_get_the_new_ones(old: Engine) -> None:
    assert database.migrate(old) is True
    store = JobStore(old)
    for job_id in ("rendered", "fresh", "changed"):
        job = store.get(job_id)
        assert (job.options.voices.speed, job.options.mix.background, job.options.output.keep_original_track) == (
            1.1,
            Background.KEEP,
            True,
        )
        assert job.options.recognition.audio_track == 0, (
            "they were made when that meant the first track; only new jobs choose"
        )
        assert job.options == from_row(OLD_OPTIONS), "what came later has its default"
        assert job.has_stem is False and job.joined is None
        assert (job.choices_revision, store.row(job_id).choices_changed) == (1, {})
        assert [line.left_out for line in store.segments(job_id)[1]] == [()]
        assert job.error is not None and job.error.segments == ()
    assert database.migrate(old) is False


def test_an_old_render_is_as_stale_as_it_was(old: Engine) -> None:
    database.migrate(old)
    store = JobStore(old)
    assert [store.get(job_id).stale for job_id in ("rendered", "fresh", "changed")] == [False, False, True]
    assert store.row("fresh").rendered_options is None
    assert store.get("rendered").state is JobState.COMPLETED


def test_old_lines_are_not_locked(old: Engine) -> None:
    database.migrate(old)
    revision, (line,) = JobStore(old).segments("rendered")
    assert (revision, line.text, line.words[0].end_s, line.start_locked, line.locked_rate) == (
        3,
        "Hi.",
        1.5,
        False,
        None,
    )


def test_every_step_ends_in_the_same_tables_as_the_whole_way(old: Engine, tmp_path: Path) -> None:
    database.migrate(old)
    (tmp_path / "new").mkdir()
    new = at_version(tmp_path / "new", "head")

    def columns(engine: Engine, table: str) -> list[tuple[Any, ...]]:
        with database.reading(engine) as connection:
            return [tuple(row) for row in connection.execute(text(f"PRAGMA table_info({table})"))]

    for table in ("jobs", "segments", "uploads", "stages", "artifacts", "blob_references", "settings"):
        assert columns(old, table) == columns(new, table) != []
