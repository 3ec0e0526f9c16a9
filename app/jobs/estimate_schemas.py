"""What is told of costs before anything is spent."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

import msgspec


class Costs(StrEnum):
    """What is paid for."""

    RECOGNITION = "recognition"
    TRANSLATION = "translation"
    SPEECH = "speech"
    SEPARATION = "separation"
    MACHINE = "machine"


class CostItem(msgspec.Struct, frozen=True):
    """One service's part. `amount` is in the unit, of which one or many are meant; `usd` is None where the price table
    has no price. `published` is when the service told its price, "" for the operator's own. `quota_left` is how much of
    the unit the account still has, where the service tells it. `guessed`: the lines are not there yet, and it is taken
    that somebody speaks all the time."""

    what: Costs
    engine: str
    model: str
    unit: str
    amount: float
    usd: float | None
    published: str = ""
    quota_left: float | None = None
    guessed: bool = False


class Estimate(msgspec.Struct, frozen=True):
    """What the job would cost from here on. Lines that are cached cost nothing.

    `items` are its parts, each in its own unit; `money_usd` is their sum, None where the price of one is not known.
    `credits` are those of speech, in the engines' own units, which are called `unit` ("": all is free). `seconds` is
    the time of the machine. `spent_usd` and `spent_credits` are what the job has spent; `open_usd` and
    `open_credits` are those of requests that are on their way, or whose answer was lost: the service may have billed
    them. `ceiling_usd` and `ceiling_credits` are what it may spend (None: no limit); `passes_ceiling`: it would stop
    before its end.
    """

    lines: int
    cached_lines: int
    characters: int
    credits: float
    money_usd: float | None
    seconds: float
    unit: str
    items: Sequence[CostItem] = ()
    guessed: bool = False
    spent_usd: float = 0.0
    spent_credits: float = 0.0
    open_usd: float = 0.0
    open_credits: float = 0.0
    ceiling_usd: float | None = None
    ceiling_credits: float | None = None
    passes_ceiling: bool = False
