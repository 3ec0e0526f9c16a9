"""Long writes in pieces, each a transaction of its own, with the database left to others between two."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Final, TypeVar

from sqlalchemy import Connection, Engine

T = TypeVar("T")
PIECE: Final = 2_000  # rows: 20 to 60 ms of one processor
_LONGEST_PAUSE_S: Final = 0.2


def split(rows: Sequence[T], size: int = PIECE) -> list[Sequence[T]]:
    """The rows in pieces; one that is empty where there are none."""
    return [rows[start : start + size] for start in range(0, len(rows), size)] or [rows]


def write(engine: Engine, pieces: Sequence[Sequence[T]], work: Callable[[Connection, Sequence[T]], object]) -> None:
    """Do the work of every piece, in order. Others who wait for the database have as long as a piece took. Blocks."""
    for piece in pieces:
        with engine.begin() as c:
            began = time.monotonic()
            work(c, piece)
        time.sleep(min(time.monotonic() - began, _LONGEST_PAUSE_S))
