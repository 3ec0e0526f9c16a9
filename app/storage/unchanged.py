"""What was read of the database is kept until anybody changes anything in it, in this process or another.

SQLite counts the commits that a connection has not made itself (`PRAGMA data_version`), and to ask costs microseconds.
Of PostgreSQL and of databases in memory nothing is kept.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import Engine, event

T = TypeVar("T")
_MOST: Final = 16  # answers: a page of 200 jobs has about 200 kB


class Unchanged:
    """Answers about one database. Any thread may ask."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None  # it never writes, so every commit counts as another's
        self._version = -1
        self._answers: dict[Hashable, Any] = {}

    def get(self, question: Hashable, read: Callable[[], T]) -> T:
        """What `read` gives, or gave since the last change. The answer is shared: nobody may alter it. Blocks as `read`
        does."""
        with self._lock:
            version = self._now()
            if version != self._version:
                self._version = version
                self._answers.clear()
            if question in self._answers:
                answer: T = self._answers[question]
                return answer
        # what is committed from here on may or may not be in the answer, but it changes the version
        answer = read()
        with self._lock:
            if version == self._version != -1:
                if len(self._answers) >= _MOST:
                    self._answers.pop(next(iter(self._answers)))
                self._answers[question] = answer
        return answer

    def _now(self) -> int:
        """The version; -1 where it cannot be told, and nothing is kept."""
        try:
            if self._connection is None:
                self._connection = self._open()
            return -1 if self._connection is None else _asked(self._connection)
        except sqlite3.Error:  # whoever reads is told what is wrong
            self._close()
            return -1

    def _open(self) -> sqlite3.Connection | None:
        name = self._engine.url.database
        if self._engine.dialect.name != "sqlite" or name in (None, "", ":memory:"):
            return None
        address = f"{Path(str(name)).absolute().as_uri()}?mode=rw"
        if not event.contains(self._engine, "engine_disposed", self._forget):
            event.listen(self._engine, "engine_disposed", self._forget)
        return sqlite3.connect(address, uri=True, timeout=0.0, isolation_level=None, check_same_thread=False)

    def _forget(self, _: Engine) -> None:
        with self._lock:
            self._close()

    def _close(self) -> None:
        """Versions of two connections cannot be compared."""
        if self._connection is not None:
            with contextlib.suppress(sqlite3.Error):
                self._connection.close()
        self._connection, self._version = None, -1
        self._answers.clear()


def _asked(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA data_version").fetchone()[0])
