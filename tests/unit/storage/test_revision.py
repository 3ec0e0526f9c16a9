"""The database is copied before it is changed, and only then."""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from app.cli import migrate as command
from app.config.settings import Settings
from app.storage import database, revision
from app.system import exit_status
from tests.unit.storage.test_migrations import OLD_OPTIONS, at_version, old_job

JSON, TEXT = argparse.Namespace(json=True), argparse.Namespace(json=False)


def copies(data: Path) -> list[Path]:
    return sorted((data / "backups").glob("*"))


def dump(path: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def test_a_used_database_is_copied_whole_before_it_is_changed(tmp_path: Path) -> None:
    old = at_version(tmp_path, "0001")
    old_job(old, "job", state="completed", rendered=OLD_OPTIONS)  # still in the write-ahead log: the engine is open
    before = dump(tmp_path / "app.sqlite3")
    assert revision.revision(tmp_path / "app.sqlite3") == "0001"
    assert database.migrate(old) is True
    (copy,) = copies(tmp_path)
    assert copy.name.startswith(f"before-{database.HEAD}-") and copy.suffix == ".sqlite3"
    assert dump(copy) == before
    assert revision.revision(copy) == "0001"
    assert revision.revision(tmp_path / "app.sqlite3") == database.HEAD
    assert [path.name for path in copies(tmp_path)] == [copy.name]  # no log, no part beside it
    assert database.migrate(old) is False
    assert copies(tmp_path) == [copy]


def test_a_new_database_is_not_copied(tmp_path: Path) -> None:
    engine = database.open_database(f"sqlite:///{tmp_path / 'app.sqlite3'}")
    assert revision.revision(tmp_path / "app.sqlite3") == ""
    assert database.migrate(engine) is True
    assert copies(tmp_path) == []


def test_the_last_copies_are_kept_and_nothing_else_is_touched(tmp_path: Path) -> None:
    at_version(tmp_path, "0001").dispose()
    folder = tmp_path / "backups"
    folder.mkdir()
    others = [folder / "mine.sqlite3", folder / "before-the-flood.txt"]
    for path in [*others, *(folder / f"before-0002-2026010{day}T000000Z.sqlite3" for day in range(1, 8))]:
        path.write_bytes(b"x")
    made = revision.copy_before(tmp_path / "app.sqlite3", folder)
    kept = [path.name for path in copies(tmp_path) if path not in others]
    assert kept == [*(f"before-0002-2026010{day}T000000Z.sqlite3" for day in range(4, 8)), made.name]
    assert all(path.exists() for path in others)


def test_a_copy_that_fails_leaves_the_database_as_it_was(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at_version(tmp_path, "0001").dispose()
    (tmp_path / "backups").write_text("a file where the folder should be")
    before = hashlib.sha256((tmp_path / "app.sqlite3").read_bytes()).digest()
    assert command.run(TEXT, Settings(data=tmp_path)) == exit_status.ENVIRONMENT
    assert "nothing was changed" in capsys.readouterr().err
    assert revision.revision(tmp_path / "app.sqlite3") == "0001"
    assert hashlib.sha256((tmp_path / "app.sqlite3").read_bytes()).digest() == before


def test_the_command_migrates_once_and_says_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings = Settings(data=tmp_path)
    assert command.run(TEXT, settings) == exit_status.OK
    assert capsys.readouterr().out == "There is no database yet.\n"
    at_version(tmp_path, "0001").dispose()
    assert command.run(JSON, settings) == exit_status.OK
    assert json.loads(capsys.readouterr().out) == {"migrated": True, "from": "0001", "to": database.HEAD}
    assert len(copies(tmp_path)) == 1
    assert command.run(TEXT, settings) == exit_status.OK
    said = capsys.readouterr()
    assert (said.out, said.err) == (f"The database has schema {database.HEAD}.\n", "")


def test_a_database_of_a_newer_version_is_refused_and_not_touched(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = at_version(tmp_path, "head")
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    with pytest.raises(revision.NewerDatabase):
        database.migrate(engine)
    assert command.run(TEXT, Settings(data=tmp_path)) == exit_status.ENVIRONMENT
    assert "the database has schema 9999" in capsys.readouterr().err
    assert copies(tmp_path) == []


def test_a_file_that_is_no_database_is_said_to_be_none(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "app.sqlite3").write_bytes(b"no database at all" * 100)
    assert command.run(TEXT, Settings(data=tmp_path)) == exit_status.INTERNAL
    assert "app.sqlite3 cannot be read: file is not a database" in capsys.readouterr().err


def test_with_nothing_to_do_neither_the_database_engine_nor_alembic_is_loaded(tmp_path: Path) -> None:
    at_version(tmp_path, "head").dispose()
    program = (
        "import sys; from app.cli.main import main; assert main(['migrate', '--data', sys.argv[1]]) == 0; "
        "print(sorted(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1]
    assert "'sqlite3'" in loaded
    assert not [name for name in ("sqlalchemy", "alembic", "structlog", "litestar") if f"'{name}'" in loaded]
