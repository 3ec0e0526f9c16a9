"""Migrations 0006 and 0008 in pieces: references to blobs and outputs of stages are written anew, short, beside the old
tables, which then give way at once.

Until the last, short transaction nothing that was there is changed: killed before it, or out of room, the database is
as it was, an older version can go on with it, and the next attempt begins anew. Whether somebody else wrote meanwhile
is asked in that transaction; then all is done in it.
"""

from __future__ import annotations

import contextlib
import logging
import shutil
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import Connection, Engine

from app.storage.clip_files import row_of
from app.storage.compact import long_key, packed, short_key

_PIECE_ROWS: Final = 5_000  # 50 to 100 ms of one processor
LAST: Final = "0008"  # from here on there is nothing to do
DONE: Final = "compacted"  # in a connection's info: an earlier migration of the same upgrade has swapped
_READY: Final = "compacted_at"  # in a connection's info: the database's version when the new tables were whole
_PATIENCE_MS: Final = 1_000
_SPARE_SHARE: Final = 0.2  # of the file: from there on it is worth its writing anew
_SPARE_BYTES: Final = 64 << 20
_NEW: Final = (
    "CREATE TABLE new_references (job_id VARCHAR(32) NOT NULL, key TEXT NOT NULL, PRIMARY KEY (job_id, key), "
    "FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE) WITHOUT ROWID",
    "CREATE TABLE new_stages (job_id VARCHAR(32) NOT NULL, stage VARCHAR(16) NOT NULL, fingerprint VARCHAR(64) NOT "
    "NULL, output JSON NOT NULL, "
    "seconds FLOAT NOT NULL, finished_at FLOAT NOT NULL, PRIMARY KEY (job_id, stage), "
    "FOREIGN KEY(job_id) REFERENCES jobs (id) ON DELETE CASCADE)",
)
_log = logging.getLogger(__name__)


def prepare(connection: Connection) -> None:
    """Build the new tables, a piece a transaction; `swap` is to follow on the same connection. Raises disk_full."""
    if connection.dialect.name != "sqlite":
        return
    with connection.begin():
        version = _version(connection)
        _begin(connection)
    work = _fill(connection)
    more = True
    while more:
        with connection.begin():
            more = next(work, None) is not None
    connection.info[_READY] = version


def swap(connection: Connection) -> None:
    """In the migration's transaction: the new tables take the place of the old ones. Builds them here where they are
    not whole or out of date. Once is enough for an upgrade."""
    if connection.info.get(DONE):
        return
    if connection.info.pop(_READY, None) != _version(connection):
        _begin(connection)
        for _ in _fill(connection):
            pass
    zeroed = connection.exec_driver_sql("PRAGMA secure_delete").scalar_one()
    connection.exec_driver_sql("PRAGMA secure_delete = FAST")  # else every page of the old tables is written once more
    for table in ("references", "stages"):
        old = "blob_references" if table == "references" else table
        connection.exec_driver_sql(f"DROP TABLE {old}")
        connection.exec_driver_sql(f"ALTER TABLE new_{table} RENAME TO {old}")
    connection.exec_driver_sql("CREATE INDEX blob_references_key ON blob_references (key)")
    connection.exec_driver_sql(f"PRAGMA secure_delete = {int(zeroed)}")
    connection.info[DONE] = True


def pack_options(connection: Connection) -> None:
    """In the migration's transaction: what was chosen of each job is compressed, and what it was rendered with."""
    for column in ("options", "rendered_options"):
        query = f"SELECT id, {column} FROM jobs WHERE typeof({column}) = 'text'"  # noqa: S608
        rows = [(packed(row[1]), row[0]) for row in connection.exec_driver_sql(query)]
        if rows:
            connection.exec_driver_sql(f"UPDATE jobs SET {column} = ? WHERE id = ?", rows)  # noqa: S608


def shrink(engine: Engine) -> bool:
    """Give the room that is free within the file back to the disk, where that is much; returns whether it was done.
    Without room it stays."""
    if engine.dialect.name != "sqlite" or engine.url.database in (None, "", ":memory:"):
        return False
    folder = Path(str(engine.url.database)).parent
    with contextlib.closing(engine.raw_connection()) as connection:
        cursor = connection.cursor()
        page, pages, spare = (
            int(cursor.execute(f"PRAGMA {name}").fetchone()[0])
            for name in ("page_size", "page_count", "freelist_count")
        )
        used = (pages - spare) * page
        if spare * page < _SPARE_BYTES or spare < pages * _SPARE_SHARE or shutil.disk_usage(folder).free < 3 * used:
            return False
        patience_ms = cursor.execute("PRAGMA busy_timeout").fetchone()[0]
        try:
            cursor.execute(f"PRAGMA busy_timeout = {_PATIENCE_MS}")
            cursor.execute("VACUUM")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.OperationalError as error:  # full, or somebody works with it: it is as it was, only larger
            _log.warning("the database keeps the room that is free in it", extra={"reason": str(error)})
            return False
        finally:
            cursor.execute(f"PRAGMA busy_timeout = {patience_ms}")
    return True


def _version(connection: Connection) -> int:
    """Changes when another connection writes."""
    return int(connection.exec_driver_sql("PRAGMA data_version").scalar_one())


def _begin(connection: Connection) -> None:
    for table in ("new_references", "new_stages"):
        connection.exec_driver_sql(f"DROP TABLE IF EXISTS {table}")
    for statement in _NEW:
        connection.exec_driver_sql(statement)


def _fill(connection: Connection) -> Iterator[int]:
    """Write the rows of both tables, job by job; yields after each piece, with the number of its rows."""
    after = ""
    while True:
        job_ids: list[str] = []
        rows: list[tuple[str, str | bytes]] = []
        for job_id in (
            connection.exec_driver_sql("SELECT id FROM jobs WHERE id > ? ORDER BY id LIMIT ?", (after, _PIECE_ROWS))
            .scalars()
            .all()
        ):
            found = connection.exec_driver_sql("SELECT key FROM blob_references WHERE job_id = ?", (job_id,)).scalars()
            keys = {row_of(key if isinstance(key, str) else long_key(key)) for key in found}
            rows += [(job_id, short_key(key)) for key in sorted(keys)]
            job_ids.append(job_id)
            if len(rows) >= _PIECE_ROWS:
                break
        if not job_ids:
            return
        if rows:
            connection.exec_driver_sql("INSERT INTO new_references VALUES (?, ?)", rows)
        _fill_stages(connection, after, job_ids[-1])
        after = job_ids[-1]
        yield len(rows)


def _fill_stages(connection: Connection, after: str, last: str) -> None:
    columns = "job_id, stage, fingerprint, output, seconds, finished_at"
    query = f"SELECT {columns} FROM stages WHERE job_id > ? AND job_id <= ? ORDER BY job_id, stage"  # noqa: S608
    rows = [
        (*row[:3], packed(row[3]) if isinstance(row[3], str) else row[3], *row[4:])
        for row in connection.exec_driver_sql(query, (after, last))
    ]
    if rows:
        connection.exec_driver_sql("INSERT INTO new_stages VALUES (?, ?, ?, ?, ?, ?)", rows)
