"""A translation that a person brings: its pieces, and how they find the lines of a job."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Matched(StrEnum):
    """How a brought translation finds its lines."""

    NUMBER = "number"
    TIME = "time"
    ORDER = "order"


class Entry(msgspec.Struct, frozen=True):
    """One piece of a brought translation. `number` and the times are those that it names itself; "" is the place of a
    line that gets nothing."""

    text: str
    number: int | None = None
    start_s: float | None = None
    end_s: float | None = None
