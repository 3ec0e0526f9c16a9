"""The schema, and writers that wait for each other."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import insert, select, update

from app.storage import database, tables


def test_the_migrations_make_exactly_the_tables(tmp_path: Path) -> None:
    engine = database.open_database(f"sqlite:///{tmp_path / 'a.sqlite3'}")
    assert database.migrate(engine) is True
    assert database.migrate(engine) is False
    with engine.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []


def test_the_newest_migration_is_the_one_that_start_up_looks_for() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).with_name("migrations")))
    assert ScriptDirectory.from_config(config).get_current_head() == database.HEAD


def test_writers_that_read_first_wait_for_each_other_and_lose_nothing(tmp_path: Path) -> None:
    engine = database.open_database(f"sqlite:///{tmp_path / 'a.sqlite3'}")
    database.migrate(engine)
    with engine.begin() as connection:
        connection.execute(insert(tables.settings).values(name="n", value=b"0", updated_at=0.0))
    failures: list[Exception] = []

    def count() -> None:
        try:
            for _ in range(25):
                with engine.begin() as connection:
                    seen = int(connection.execute(select(tables.settings.c.value)).scalar_one())
                    connection.execute(update(tables.settings).values(value=str(seen + 1).encode()))
        except Exception as error:
            failures.append(error)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    with database.reading(engine) as connection:
        assert connection.execute(select(tables.settings.c.value)).scalar_one() == b"100"


def test_a_reader_sees_one_moment_while_another_writes(tmp_path: Path) -> None:
    engine = database.open_database(f"sqlite:///{tmp_path / 'a.sqlite3'}")
    database.migrate(engine)
    with database.reading(engine) as reader:
        assert reader.execute(select(tables.settings)).all() == []
        with engine.begin() as writer:
            writer.execute(insert(tables.settings).values(name="n", value=b"", updated_at=0.0))
        assert reader.execute(select(tables.settings)).all() == []


@pytest.mark.parametrize("pragma, value", [("journal_mode", "wal"), ("foreign_keys", 1), ("synchronous", 2)])
def test_sqlite_is_durable(tmp_path: Path, pragma: str, value: object) -> None:
    engine = database.open_database(f"sqlite:///{tmp_path / 'a.sqlite3'}")
    with database.reading(engine) as connection:
        assert connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() == value
