"""The durable engine's own database file: on a full disk what the engine writes waits for room, and no workflow is
lost.

The engine tries an operation again, as often as it takes, when it has lost its connection; any other error ends the
workflow, and the error that says so cannot be written either. So a full disk is told to it as a lost connection, after
there is room again.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Engine, ExceptionContext, create_engine, event

from app.domain.errors import DubError
from app.domain.problems.uploads import DISK_FULL
from app.storage.disk_reserve import Reserve
from app.system.disk_full import has_room, is_disk_full

_LOOK_S: Final = 0.5
_at_once: Final[ContextVar[bool]] = ContextVar("at_once", default=False)


class EngineFile:
    """The file, its connections and what waits for room. Opened at construction, not touched before the first
    connection."""

    def __init__(self, path: Path) -> None:
        self._folder, self.reserve = path.parent, Reserve(path.parent)
        self._closed = threading.Event()
        self.database: Engine = create_engine(f"sqlite:///{path}", pool_size=20, max_overflow=0, pool_timeout=30)
        event.listen(self.database, "connect", _prepare)
        event.listen(self.database, "handle_error", self._wait)

    def look_every(self, seconds: float) -> None:
        """Set it before the launch: the queues keep their interval from one life to the next, and wait it out before
        they look for the first time."""
        with self.database.begin() as c:
            if c.exec_driver_sql("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'queues'").first():
                c.exec_driver_sql("UPDATE queues SET polling_interval_sec = ?", (seconds,))

    def stop_waiting(self) -> None:
        """From now on a full disk is an error: who waits goes on with that."""
        self._closed.set()

    def close(self) -> None:
        self.stop_waiting()
        self.database.dispose()

    def _wait(self, context: ExceptionContext) -> None:
        """SQLAlchemy's hook for every error. Blocks the engine's threads until there is room; our own calls (`at_once`)
        get disk_full instead."""
        if not is_disk_full(context.original_exception, self._folder):
            return
        if _at_once.get():
            raise DubError(DISK_FULL)
        if self._closed.is_set():
            return
        if context.connection is not None:
            with contextlib.suppress(sqlite3.Error, AttributeError):  # who waits must not hold the file's lock
                getattr(context.connection.connection, "dbapi_connection").rollback()  # noqa: B009 - the pool's type knows only what PEP 249 has
        if not self.reserve.give_up():
            while not has_room(self._folder) and not self._closed.wait(_LOOK_S):
                pass
        context.is_disconnect = True
        context.invalidate_pool_on_disconnect = False  # the other connections are well


@contextlib.contextmanager
def at_once() -> Iterator[None]:
    """Within it, this thread's calls of the engine do not wait for room: they raise disk_full."""
    token = _at_once.set(True)
    try:
        yield
    finally:
        _at_once.reset(token)


def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
    """As the engine does it for a file that it opens itself, and WAL: its steps are 4 to 9 times faster."""
    connection.isolation_level = "IMMEDIATE"
    connection.execute("PRAGMA busy_timeout=30000")
    connection.execute("PRAGMA foreign_keys=ON")
    connection.execute("PRAGMA journal_mode=WAL")
