"""A job store for stages: it waits minutes for a busy database, where a request gives up after 30 s."""

from __future__ import annotations

import time
from typing import Any, Final, TypeVar, cast

import structlog

from app.domain.errors import DubError
from app.domain.problems.requests import DATABASE_BUSY

T = TypeVar("T")
PATIENCE_S: Final = 600.0
log = structlog.get_logger(__name__)


class _Patient:
    def __init__(self, store: object, patience_s: float) -> None:
        self._store, self._patience_s = store, patience_s

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._store, name)
        if not callable(found):
            return found

        def call(*arguments: Any, **named: Any) -> Any:
            until = time.monotonic() + self._patience_s
            while True:
                try:
                    return found(*arguments, **named)
                except DubError as error:  # nothing was written: the transaction did not begin
                    if error.problem is not DATABASE_BUSY or time.monotonic() > until:
                        raise
                    log.warning("the database is busy; the work waits", call=name)

        return call


def patient(store: T, patience_s: float = PATIENCE_S) -> T:
    """The same store, whose calls are made again while the database is busy. Each of them waits by itself."""
    return cast(T, _Patient(store, patience_s))
