"""The data folder's databases: copied while they are written to, asked what they need, and looked through for damage.
Blocks."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from app.backup.manifest import APP_DATABASE, ENGINE_DATABASE
from app.domain.errors import DubError
from app.domain.problems.backups import DATA_DAMAGED
from app.domain.problems.uploads import DISK_FULL
from app.storage.clip_files import files_of, row_of
from app.storage.compact import long_key, short_key
from app.system.disk_full import is_disk_full

_WAIT_S: Final = 60.0
_MOST_TROUBLES: Final = 10
_REFERRED: Final = (
    "SELECT long_key(key) AS named FROM blob_references UNION SELECT key FROM uploads WHERE complete ORDER BY named"
)


def copy_all(data: Path, to: Path) -> list[str]:
    """Copy both, the engine's first, and return their names. Each copy is one moment's; a writer is not held up (WAL).

    The order makes a restored server right. The engine's copy then never knows more than the application's: a step that
    it does not know of runs again, finds its result and goes on; a job that it does not know of is queued again
    (`app.jobs.workflows`). The other way round, a step would count
    as done whose result is not there.
    """
    names = [name for name in (ENGINE_DATABASE, APP_DATABASE) if (data / name).exists()]
    for name in names:
        (to / name).unlink(missing_ok=True)
        _copy(data / name, to / name)
        (to / name).chmod(0o600)
    return names


def _copy(source: Path, target: Path) -> None:
    """One file, sound and with nothing beside it. Raises data_damaged, disk_full."""
    try:
        with (
            contextlib.closing(
                sqlite3.connect(f"{source.absolute().as_uri()}?mode=rw", uri=True, timeout=_WAIT_S)
            ) as live,
            contextlib.closing(sqlite3.connect(target)) as copy,
        ):
            live.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")
            if troubles := [str(row[0]) for row in copy.execute("PRAGMA quick_check") if row[0] != "ok"]:
                raise DubError(DATA_DAMAGED, f"{source.name}: {troubles[0]}.")
    except sqlite3.Error as error:
        if is_disk_full(error, target.parent):
            raise DubError(DISK_FULL, "The copy of the database has no room in the data folder.") from None
        raise DubError(DATA_DAMAGED, f"{source.name}: {error}.") from None


@contextlib.contextmanager
def opened(copy: Path) -> Iterator[sqlite3.Connection]:
    """A copy, for questions only."""
    with contextlib.closing(sqlite3.connect(f"{copy.absolute().as_uri()}?mode=ro&immutable=1", uri=True)) as connection:
        yield connection


def referred(app: sqlite3.Connection) -> Iterator[str]:
    """The keys of all blobs that it needs, in order."""
    app.create_function("long_key", 1, long_key, deterministic=True)
    last = ""
    for (row,) in app.execute(_REFERRED):
        for key in files_of([str(row)]):
            if key > last:  # a copy of an older version has rows of both
                yield key
                last = key


def jobs_of(app: sqlite3.Connection, key: str) -> tuple[str, ...]:
    """The jobs that need a blob."""
    # a copy of an older version has it as it is
    query = "SELECT DISTINCT job_id FROM blob_references WHERE key IN (?, ?, ?) ORDER BY job_id"
    return tuple(str(row[0]) for row in app.execute(query, (key, short_key(key), short_key(row_of(key)))))


def job_count(app: sqlite3.Connection) -> int:
    return int(app.execute("SELECT count(*) FROM jobs WHERE state NOT IN ('gone', 'coming')").fetchone()[0])


def revision(app: sqlite3.Connection) -> str:
    """The schema's: the newest migration that it has had."""
    return str(app.execute("SELECT version_num FROM alembic_version").fetchone()[0])


def troubles(copy: Path) -> list[str]:
    """What is wrong with a database: damaged pages and indexes, rows that refer to nothing. Empty when it is whole."""
    try:
        with opened(copy) as connection:
            found = [
                str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({_MOST_TROUBLES})") if row[0] != "ok"
            ]
            for row in connection.execute("PRAGMA foreign_key_check").fetchmany(_MOST_TROUBLES):
                found.append(f"a row of {row[0]} refers to a missing row of {row[2]}")
            return found
    except sqlite3.DatabaseError as error:
        return [str(error)]
