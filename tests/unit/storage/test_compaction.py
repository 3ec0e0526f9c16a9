"""References and outputs of stages are kept short: what is read is what was written, and a migration that is cut off
loses nothing."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import Engine, event, insert, select, text

from app.backup import sqlite_copy
from app.domain.errors import DubError
from app.domain.job import JobState
from app.domain.problems.uploads import DISK_FULL
from app.storage import compaction, database
from app.storage import tables as t
from app.storage.blobs import FolderBlobs
from app.storage.clip_files import files_of
from app.storage.compact import in_folder, long_key, packed, short_key
from app.storage.jobs import JobStore
from bench.filling import rows
from tests.unit.storage.test_migrations import at_version

HASH = "0123456789abcdef" * 4
TABLES = ("jobs", "segments", "stages", "artifacts", "blob_references")
LATER = ("choices_revision", "choices_changed", "language_certainty", "voice_chosen", "original", "translation")
LATER += ("speakers", "voice", "speed", "level_db", "parent_id")
# Dies by SIGKILL at the piece of that number, or before the swap is written down.
_KILLED = """
import os, signal, sys
from app.storage import compaction, database
compaction._PIECE_ROWS = 5
fill, count = compaction._fill, 0
def filling(connection):
    for piece in fill(connection):
        globals()["count"] += 1
        if count == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        yield piece
compaction._fill = filling
if int(sys.argv[2]) == 0:
    from alembic import op
    op.create_index = lambda *given: os.kill(os.getpid(), signal.SIGKILL)
database.migrate(database.open_database(sys.argv[1]))
"""


@given(
    st.one_of(
        st.text(max_size=90),
        st.from_regex(r"(clips|artifacts|ingest|uploads)/[0-9a-f]{64}([./][a-z0-9.]{1,8})?", fullmatch=True),
    )
)
@example(f"clips/{HASH}.wav")
@example(f"clips/{HASH}")
@example(f"artifacts/{HASH[:-1]}g.mp4")
@example("\x01" + "a" * 32)
def test_a_key_is_read_as_it_was_written(key: str) -> None:
    assert long_key(short_key(key)) == key


def test_a_key_with_a_hash_takes_half_the_room() -> None:
    assert [len(short_key(key)) for key in (f"clips/{HASH}.wav", f"ingest/{HASH}/speech.wav", "uploads/1")] == [
        37,
        44,
        9,
    ]
    assert len(packed('["' + HASH * 10 + '"]')) < 100 and packed('"short"') == '"short"'


def old_rows(engine: Engine, jobs: int = 6, lines: int = 4) -> dict[str, list[tuple[Any, ...]]]:
    """A database of version 0005 with jobs in it; returns what is in its tables."""
    import json
    import random

    dice, filled = random.Random(5), {}
    with engine.begin() as c:
        for number in range(jobs):
            filled = rows(number, lines, dice)
            filled["stages"][0]["output"] = [None, "é日", {"a": [1.5, "x" * 300]}]
            filled["stages"][1]["output"] = None
            job_id, references = filled["jobs"][0]["id"], filled["blob_references"]
            sounds = [row["key"] for row in references if row["key"].startswith("clips/")]
            references += [{"job_id": job_id, "key": key.removesuffix(".wav") + ".json"} for key in sounds]
            references.append({"job_id": job_id, "key": f"subtitles/odd-{number}.srt"})
            for table in TABLES:
                for row in filled[table]:
                    values = {
                        name: json.dumps(value) if isinstance(value, dict | list) or name == "output" else value
                        for name, value in row.items()
                    }
                    names = ", ".join(values)
                    c.execute(
                        text(f"INSERT INTO {table} ({names}) VALUES ({', '.join(f':{name}' for name in values)})"),
                        values,
                    )
    return contents(engine)


def contents(engine: Engine) -> dict[str, list[tuple[Any, ...]]]:
    """All rows as the program reads them, without the columns that later migrations add; for a reference the files that
    it stands for."""
    columns = {name: [c for c in t.metadata.tables[name].columns if c.name not in LATER] for name in TABLES}
    with database.reading(engine) as c:
        found = {name: [tuple(row) for row in c.execute(select(*columns[name]))] for name in TABLES}
    needed = {(job_id, file) for job_id, key in found["blob_references"] for file in files_of([key])}
    return {name: sorted(listed, key=repr) for name, listed in (found | {"blob_references": list(needed)}).items()}


def clip_of(job_id: str) -> list[tuple[str, str]]:
    """What the job needs of a clip that only it has."""
    return [(job_id, f"clips/{HASH}.json"), (job_id, f"clips/{HASH}.wav")]


@pytest.fixture
def old(tmp_path: Path) -> Engine:
    return at_version(tmp_path, "0005")


def test_the_migration_loses_nothing_and_takes_less_room(
    old: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = old_rows(old, jobs=60, lines=30)
    monkeypatch.setattr(compaction, "_PIECE_ROWS", 100)
    monkeypatch.setattr(compaction, "_SPARE_BYTES", 0)
    with old.begin() as c:
        size = c.execute(text("PRAGMA page_count")).scalar_one()
    assert database.migrate(old) is True
    assert contents(old) == before
    with old.connect() as c:
        assert c.execute(text("PRAGMA page_count")).scalar_one() < 0.6 * size
        assert c.execute(text("PRAGMA foreign_key_check")).all() == []
        # a job's line was two rows, and is one; its options take less room
        assert c.execute(text("SELECT count(*) FROM blob_references")).scalar_one() == 60 * (30 + 12)
        assert set(c.execute(text("SELECT typeof(options) || typeof(rendered_options) FROM jobs")).scalars()) == {
            "blobblob"
        }
        assert {row[0] for row in c.execute(text("SELECT name FROM sqlite_master WHERE name LIKE 'new_%'"))} == set()
    old.dispose()
    assert sqlite_copy.troubles(tmp_path / "app.sqlite3") == []


def test_references_go_with_their_job(old: Engine, tmp_path: Path) -> None:
    old_rows(old)
    database.migrate(old)
    store = JobStore(old)
    (first, *others) = store.ids([JobState.COMPLETED])
    gone = store.delete(first, FolderBlobs(tmp_path / "blobs"))
    assert sum(key.startswith("clips/") for key in gone) == 8
    with database.reading(old) as c:
        assert (
            set(c.execute(select(t.blob_references.c.job_id)).scalars())
            == set(c.execute(select(t.stages.c.job_id)).scalars())
            == set(others)
        )


@pytest.mark.parametrize("piece", [1, 3, 0])
def test_a_migration_that_is_killed_has_changed_nothing_and_begins_anew(
    old: Engine, tmp_path: Path, piece: int
) -> None:
    before = old_rows(old)
    url = f"sqlite:///{tmp_path / 'app.sqlite3'}"
    old.dispose()
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED, url, str(piece)],
        env={**os.environ, "PYTHONPATH": str(Path.cwd())},
        capture_output=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    with old.begin() as c:
        assert c.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "0005"
        assert all(isinstance(key, str) for key in c.execute(text("SELECT key FROM blob_references")).scalars())
        # An older version goes on with it: a job goes, another one needs one more file.
        gone, stays = c.execute(text("SELECT id FROM jobs ORDER BY id LIMIT 2")).scalars()
        c.execute(text("DELETE FROM jobs WHERE id = :id"), {"id": gone})
        c.execute(text("INSERT INTO blob_references VALUES (:id, :key)"), {"id": stays, "key": f"clips/{HASH}.wav"})
    assert database.migrate(old) is True
    after = contents(old)
    place = {"jobs": 0, "segments": 0, "stages": 0, "artifacts": 0, "blob_references": 0}
    for table in TABLES:
        kept = [row for row in before[table] if row[place[table]] != gone]
        assert after[table] == sorted([*kept, *(clip_of(stays) if table == "blob_references" else [])], key=repr), table


def test_what_is_written_meanwhile_is_not_lost(old: Engine) -> None:
    before = old_rows(old)
    job_id = before["jobs"][0][0]
    prepare = compaction.prepare

    def prepared(connection: Any) -> None:
        prepare(connection)
        with old.begin() as other:
            other.execute(
                text("INSERT INTO blob_references VALUES (:id, :key)"), {"id": job_id, "key": f"clips/{HASH}.wav"}
            )

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compaction, "prepare", prepared)
        database.migrate(old)
    assert contents(old)["blob_references"] == sorted([*before["blob_references"], *clip_of(job_id)], key=repr)


def test_a_full_disk_leaves_the_database_as_it_was(tmp_path: Path) -> None:
    old = at_version(tmp_path, "0005")
    before = old_rows(old, jobs=40, lines=20)
    limit = [0]
    old.dispose()
    event.listen(
        old, "connect", lambda connection, _: connection.execute(f"PRAGMA max_page_count = {limit[0] or 1 << 30}")
    )
    with old.connect() as c:
        pages = c.execute(text("PRAGMA page_count")).scalar_one()
    for limit[0] in (pages + 5, pages + 60):
        old.dispose()
        with pytest.raises(DubError) as full:
            database.migrate(old)
        assert full.value.problem is DISK_FULL
        assert contents(old) == before
    limit[0] = 0
    old.dispose()
    assert database.migrate(old) is True and contents(old) == before


def test_a_database_that_cannot_be_shrunk_stays_as_it_is(old: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    before = old_rows(old, jobs=40, lines=20)
    monkeypatch.setattr(compaction, "_SPARE_BYTES", 0)
    with monkeypatch.context() as patch:
        patch.setattr(compaction, "shrink", lambda engine: False)
        database.migrate(old)
    with old.begin():  # somebody writes
        assert compaction.shrink(old) is False
    assert contents(old) == before
    assert [compaction.shrink(old), compaction.shrink(old)] == [True, False], (
        "the second time nothing is left to give back"
    )
    assert contents(old) == before


def test_a_folder_is_found_however_its_keys_are_kept(old: Engine, tmp_path: Path) -> None:
    job_id = old_rows(old, jobs=1)["jobs"][0][0]
    database.migrate(old)
    with old.begin() as c:
        c.execute(
            insert(t.blob_references),
            [{"job_id": job_id, "key": "artifacts/plain.mp4"}, {"job_id": job_id, "key": "artifactsish/1"}],
        )
        key = t.blob_references.c.key
        found = set(c.execute(select(key).where(in_folder(key, "artifacts"))).scalars())
        rest = set(c.execute(select(key).where(~in_folder(key, "artifacts"))).scalars())
    assert len(found) == 7 and all(name.startswith("artifacts/") for name in found)
    assert "artifactsish/1" in rest and not any(name.startswith("artifacts/") for name in rest)
    store = JobStore(old)
    row = store.row(job_id)
    store.copy(
        job_id,
        "copy",
        FolderBlobs(tmp_path / "blobs"),
        title="t",
        options=row.job.options,
        stem_key=None,
        state=JobState.REVIEW,
        stages=["probe"],
    )
    with database.reading(old) as c:
        assert set(c.execute(select(key).where(t.blob_references.c.job_id == "copy")).scalars()) == rest


def test_a_backup_asks_a_short_database_and_an_old_one_alike(old: Engine, tmp_path: Path) -> None:
    references = old_rows(old)["blob_references"]
    wanted = sorted({key for _, key in references})
    job_id, key = next(row for row in references if re.match("clips/", row[1]))
    for _ in range(2):
        old.dispose()
        with sqlite_copy.opened(tmp_path / "app.sqlite3") as copy:
            assert list(sqlite_copy.referred(copy)) == wanted
            assert sqlite_copy.jobs_of(copy, key) == (job_id,)
        database.migrate(old)
