"""What a request to a paid service costs, and how much a job may spend."""

from __future__ import annotations

import msgspec

CREDIT = "credit"  # the unit that a ceiling in credits counts


class Charge(msgspec.Struct, frozen=True):
    """The cost of one request, or of several: so many units, and that in US dollars (None: the price is not known)."""

    engine: str
    model: str
    unit: str
    amount: float
    usd: float | None = None

    @property
    def credits(self) -> float:
        return self.amount if self.unit == CREDIT else 0.0


class Ceiling(msgspec.Struct, frozen=True):
    """The most that a job may spend; None is no limit."""

    usd: float | None = None
    credits: float | None = None


class Spent(msgspec.Struct, frozen=True):
    """What a job has spent: US dollars where the price is known, and credits. `open_usd` and `open_credits` are of
    requests without an answer: they are on their way, or the answer was lost or unusable, and may have been billed. The
    ceiling counts them."""

    usd: float = 0.0
    credits: float = 0.0
    open_usd: float = 0.0
    open_credits: float = 0.0
