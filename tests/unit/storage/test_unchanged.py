"""What was read is read again after any change, by whomever, and not before."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, event, text

from app.storage.database import migrate, open_database, reading
from app.storage.jobs import JobStore
from app.storage.unchanged import Unchanged
from tests.unit.api.serving import OPTIONS


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Engine]:
    engine = open_database(f"sqlite:///{tmp_path / 'app.sqlite3'}")
    migrate(engine)
    yield engine
    engine.dispose()


def add(store: JobStore, job_id: str) -> None:
    store.insert(
        job_id, title=job_id, options=OPTIONS, source_key=f"uploads/{job_id}", subtitles_key=None, size_bytes=5
    )


def titles(store: JobStore, limit: int = 50) -> list[str]:
    return [summary.title for summary in store.summaries(states=(), query="", limit=limit, before=None)[0]]


def test_an_unchanged_list_is_read_once(database: Engine) -> None:
    store, asked = JobStore(database), []
    add(store, "one")
    event.listen(database, "before_cursor_execute", lambda *given: asked.append(given[2]))
    assert titles(store) == titles(store) == ["one"]
    first = len(asked)
    assert titles(store) == ["one"] and len(asked) == first > 0
    assert titles(store, limit=1) == ["one"] and len(asked) == 2 * first


def test_every_commit_is_seen_by_the_next_question(database: Engine, tmp_path: Path) -> None:
    store = JobStore(database)
    for number in range(20):  # by the same pool, right after
        add(store, f"job{number}")
        assert len(titles(store)) == number + 1
    store.update("job0", title="Another")
    assert "Another" in titles(store)
    with contextlib.closing(sqlite3.connect(tmp_path / "app.sqlite3")) as other:  # as another process does
        other.execute("UPDATE jobs SET title = 'Elsewhere' WHERE id = 'job1'")
        assert "Elsewhere" not in titles(store)
        other.commit()
    assert "Elsewhere" in titles(store)
    database.dispose()
    with contextlib.closing(sqlite3.connect(tmp_path / "app.sqlite3")) as other, other:
        other.execute("UPDATE jobs SET title = 'Later' WHERE id = 'job1'")
    assert "Later" in titles(store)


def test_an_answer_from_before_a_change_is_not_kept(database: Engine) -> None:
    store, unchanged = JobStore(database), Unchanged(database)

    def count() -> int:
        with reading(database) as c:
            return int(c.execute(text("SELECT count(*) FROM jobs")).scalar_one())

    def slow() -> int:
        found = count()
        add(store, "meanwhile")
        return found

    assert unchanged.get("jobs", slow) == 0
    assert unchanged.get("jobs", count) == 1
    assert unchanged.get("jobs", lambda: -1) == 1


def test_of_a_database_in_memory_nothing_is_kept() -> None:
    engine = create_engine("sqlite://")
    unchanged = Unchanged(engine)
    assert [unchanged.get("a", lambda: 1), unchanged.get("a", lambda: 2)] == [1, 2]
    engine.dispose()
