"""What keeps a job from spending."""

from __future__ import annotations

from typing import Final

from app.domain.errors import Problem

CEILING_REACHED: Final = Problem(
    "ceiling_reached",
    402,
    "The job would spend more than its ceiling.",
    "Raise the ceiling (options spending.ceiling_usd and spending.ceiling_credits) and retry: what is bought is kept.",
)
PRICE_UNKNOWN: Final = Problem(
    "price_unknown",
    402,
    "The job has a ceiling in money, but the price of this service is not known.",
    "The operator adds the price to the price table (AUTODUBBER_PRICES), or the job's ceiling in money is taken away.",
)
