"""Splits long writes into batches, each in its own transaction, with a pause for other writers in between."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from sqlalchemy import Connection, Engine

T = TypeVar("T")
PIECE: Final = 2_000  # rows: 20 to 60 ms of one processor
_LONGEST_PAUSE_S: Final = 0.2


def split(rows: Sequence[T], size: int = 0) -> list[Sequence[T]]:
    """The rows in pieces (of PIECE when no size is given); one that is empty where there are none."""
    size = size or PIECE
    return [rows[start : start + size] for start in range(0, len(rows), size)] or [rows]


def write(engine: Engine, pieces: Sequence[Sequence[T]], work: Callable[[Connection, Sequence[T]], object]) -> None:
    """Do the work of every piece, in order. Others who wait for the database have as long as a piece took. Blocks."""
    left = iter(pieces)

    def one() -> bool:
        piece = next(left, None)
        if piece is None:
            return False
        with engine.begin() as c:
            work(c, piece)
        return True

    repeat(one)


def repeat(transaction: Callable[[], bool]) -> None:
    """Do it until it says that there is nothing left. Others who wait for the database have as long as it took.
    Blocks."""
    began = time.monotonic()
    while transaction():
        pause(began)
        began = time.monotonic()


def pause(began: float) -> None:
    """Leave the database to other writers for as long as the work since `began` (time.monotonic) took: SQLite's writers
    do not queue, they poll."""
    time.sleep(min(time.monotonic() - began, _LONGEST_PAUSE_S))
