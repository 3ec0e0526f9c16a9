"""The application's database: SQLite under the data folder, or PostgreSQL by URL. Synchronous; call it from threads."""

from __future__ import annotations

import contextlib
import functools
import sqlite3
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Concatenate, Final, ParamSpec, Protocol, TypeVar

from sqlalchemy import Connection, Engine, ExceptionContext, create_engine, event, inspect

from app.domain.errors import DubError
from app.domain.problems.requests import DATABASE_BUSY
from app.domain.problems.uploads import DISK_FULL
from app.storage import compaction
from app.storage.disk_reserve import Reserve
from app.storage.revision import HEAD, NewerDatabase, copy_before
from app.system.disk_full import is_disk_full

__all__ = ["HEAD", "migrate", "open_database", "reading", "urgent", "urgently"]
T = TypeVar("T")
P = ParamSpec("P")
_READING: Final = "autodubber_reading"
BUSY_S: Final = 30.0
_RETRY_AFTER_S: Final = "5"
_BUSY: Final = frozenset({sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED})
_reserves: Final[weakref.WeakKeyDictionary[Engine, Reserve]] = weakref.WeakKeyDictionary()


def open_database(url: str, *, busy_s: float = BUSY_S) -> Engine:
    """An engine whose writers wait for each other instead of failing, and whose readers never block a writer.

    SQLite: WAL, foreign keys, full durability of commits (synchronous=FULL): a finished step survives a power cut.
    A writer that has waited for `busy_s` raises database_busy, and has changed nothing.
    Whatever fails for want of room, be it to connect, in a statement or at the commit, raises disk_full; `urgent` work
    gets the reserve then.
    """
    if not url.startswith("sqlite"):
        engine = create_engine(url, pool_size=10, pool_pre_ping=True)
        _translate_errors(engine, None)
        return engine
    engine = create_engine(
        url, pool_size=8, max_overflow=40, connect_args={"timeout": busy_s, "check_same_thread": False}
    )
    if engine.url.database not in (None, "", ":memory:"):
        folder = Path(str(engine.url.database)).parent
        _reserves[engine] = Reserve(folder)
        _translate_errors(engine, folder)

    @event.listens_for(engine, "connect")
    def _prepare(connection: sqlite3.Connection, _record: Any) -> None:
        connection.isolation_level = None  # we begin transactions ourselves, below
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        # A deferred transaction that reads first and writes later fails at once when another has written in between.
        reading = connection.get_execution_options().get(_READING, False)
        connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")

    return engine


class _Store(Protocol):
    _engine: Engine


S = TypeVar("S", bound=_Store | Engine)


def urgently(work: Callable[Concatenate[S, P], T]) -> Callable[Concatenate[S, P], T]:
    """A store's method, or a function of a database, that is `urgent` work."""

    @functools.wraps(work)
    def call(given: S, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return urgent(given if isinstance(given, Engine) else given._engine, lambda: work(given, *args, **kwargs))

    return call


def urgent(engine: Engine, work: Callable[[], T]) -> T:
    """A write that has to succeed on a full disk: what deletes, cancels or ends. `work` is a transaction, which may be
    begun again."""
    reserve = _reserves.get(engine)
    return work() if reserve is None else reserve.spend(work)


def _translate_errors(engine: Engine, folder: Path | None) -> None:
    @event.listens_for(engine, "handle_error")
    def _translate(context: ExceptionContext) -> None:
        if is_disk_full(context.original_exception, folder):
            raise DubError(DISK_FULL)
        code = getattr(context.original_exception, "sqlite_errorcode", None)
        if isinstance(code, int) and code & 0xFF in _BUSY:
            raise DubError(DATABASE_BUSY, headers={"Retry-After": _RETRY_AFTER_S})


@contextlib.contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """A connection for queries only: one consistent snapshot, never waiting for a writer."""
    with engine.connect() as connection:
        yield connection.execution_options(**{_READING: True})


def migrate(engine: Engine) -> bool:
    """Bring the schema to HEAD; returns whether anything was done. Alembic is imported only when there is something to
    do.

    A database file that is in use is copied first, into backups/ beside it. Raises NewerDatabase.
    """
    with reading(engine) as connection:
        known = inspect(connection).has_table("alembic_version")
        found = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() if known else None
    if found == HEAD:
        return False
    if found is not None and found > HEAD:
        raise NewerDatabase(found)
    if found is not None and engine.dialect.name == "sqlite" and engine.url.database not in (None, "", ":memory:"):
        copy_before(Path(str(engine.url.database)), Path(str(engine.url.database)).with_name("backups"))
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    with engine.connect() as connection:
        connection.info.pop(compaction.DONE, None)
        if found is not None and found < compaction.LAST:
            compaction.prepare(connection)
        with connection.begin():
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    compaction.shrink(engine)
    return True
