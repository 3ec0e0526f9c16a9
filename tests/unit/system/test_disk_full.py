"""What a full disk is, whoever says it, and what it is not."""

from __future__ import annotations

import errno
import sqlite3
from pathlib import Path

import pytest
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from app.api.problems import as_dub_error
from app.domain.errors import DubError
from app.domain.problems.jobs import JOB_STATE
from app.domain.problems.uploads import DISK_FULL
from app.storage.database import migrate, open_database
from app.system.disk_full import has_room, is_disk_full, told
from tests.doubles.full_disk import full_disk


def sqlite_full() -> sqlite3.Error:
    """What SQLite raises when its file may not grow."""
    connection = sqlite3.connect(":memory:")
    connection.execute("PRAGMA max_page_count = 2")
    connection.execute("CREATE TABLE t (x)")
    with pytest.raises(sqlite3.OperationalError) as caught:
        connection.execute("INSERT INTO t VALUES (zeroblob(100000))")
    return caught.value


def test_the_kernel_says_it() -> None:
    assert all(is_disk_full(OSError(number, "")) for number in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG))
    assert not any(is_disk_full(OSError(number, "")) for number in (errno.EIO, errno.EACCES, errno.EROFS, errno.ENOENT))


def test_sqlite_says_it_bare_and_wrapped() -> None:
    assert is_disk_full(sqlite_full())
    assert is_disk_full(OperationalError("INSERT", {}, sqlite_full()))
    assert (
        is_disk_full(DubError(DISK_FULL))
        and not is_disk_full(DubError(JOB_STATE))
        and not is_disk_full(ValueError("disk is full"))
    )


def test_a_file_that_cannot_be_opened_is_a_full_disk_only_where_nothing_can_be_written(tmp_path: Path) -> None:
    with pytest.raises(sqlite3.OperationalError) as caught:
        sqlite3.connect(tmp_path / "no folder" / "a.sqlite3").execute("PRAGMA journal_mode=WAL")
    assert not is_disk_full(caught.value) and not is_disk_full(caught.value, tmp_path) and has_room(tmp_path)
    with full_disk():
        assert is_disk_full(caught.value, tmp_path) and not has_room(tmp_path)
    assert list(tmp_path.iterdir()) == [], "the probe leaves nothing"


def test_a_tool_says_it_in_words() -> None:
    assert (
        told("av_interleaved_write_frame(): No space left on device")
        and told("Disk quota exceeded")
        and not told("Invalid data found")
    )


def test_a_statement_a_commit_and_a_connection_that_find_no_room_raise_disk_full(tmp_path: Path) -> None:
    engine = open_database(f"sqlite:///{tmp_path / 'a.sqlite3'}")
    migrate(engine)
    other = open_database(f"sqlite:///{tmp_path / 'new.sqlite3'}")
    for database in (engine, other):
        with full_disk(), pytest.raises(DubError) as caught, database.begin() as connection:
            connection.execute(text("INSERT INTO settings (name, value, updated_at) VALUES ('n', 'v', 0)"))
        assert caught.value.problem is DISK_FULL
    with engine.begin() as connection:
        assert connection.execute(text("SELECT count(*) FROM settings")).scalar() == 0, (
            "and the connection is as good as before"
        )


def test_every_handler_answers_a_full_disk_with_507() -> None:
    for error in (OSError(errno.ENOSPC, ""), sqlite_full(), OperationalError("INSERT", {}, sqlite_full())):
        known = as_dub_error(error)
        assert known is not None and (known.problem.code, known.problem.status) == ("disk_full", 507)
    assert as_dub_error(OSError(errno.EIO, "")) is None
