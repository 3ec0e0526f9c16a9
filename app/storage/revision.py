"""Which schema the database file has, and the copy of it that is made before it is changed. Needs the standard
library alone: it runs at every start."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from pathlib import Path
from typing import Final

from app.system.durable_files import Durable, replacing

HEAD: Final = "0016"  # the newest migration; a test compares it with the folder
COPIES: Final = 5  # copies; older ones are deleted


class NewerDatabase(Exception):
    """The database was brought further by a newer AutoDubber; the message says what to do."""

    def __init__(self, found: str) -> None:
        super().__init__(
            f"the database has schema {found}, this version knows {HEAD}: run the newer version again, "
            f"or put back the copy that it made (backups/before-{found}-*.sqlite3 in the data folder) or a backup"
        )


def revision(database: Path) -> str:
    """The schema that the file has; "" when there is none yet. Raises NewerDatabase, and sqlite3.Error for a file that
    is no database."""
    if not database.is_file() or database.stat().st_size == 0:
        return ""
    with contextlib.closing(
        sqlite3.connect(f"{database.absolute().as_uri()}?mode=rw", uri=True, timeout=30)
    ) as connection:
        if connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").fetchone() is None:
            return ""
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    found = str(row[0]) if row else ""
    if found > HEAD:
        raise NewerDatabase(found)
    return found


def copy_before(database: Path, folder: Path) -> Path:
    """A copy of the database, as `folder`/before-HEAD-TIME.sqlite3, complete and on disk when this returns; the oldest
    beyond COPIES go.

    By SQLite's backup API: one consistent state, with what still lies in the write-ahead log. Memory does not grow with
    the size.
    """
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / f"before-{HEAD}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.sqlite3"
    with (
        replacing(copy, durable=Durable.NAME, temporary=copy.with_suffix(".part")) as part,
        contextlib.closing(sqlite3.connect(database, timeout=30)) as source,
        contextlib.closing(sqlite3.connect(part)) as target,
    ):
        source.backup(target, pages=4096)
        target.execute("PRAGMA journal_mode=DELETE")  # one file, with no log beside it
    for old in sorted(folder.glob("before-*.sqlite3"), key=lambda path: path.name.rpartition("-")[2])[:-COPIES]:
        old.unlink()
    return copy
