"""Whether a request may still be paid for."""

from __future__ import annotations

from typing import Final

from app.domain.errors import DubError
from app.domain.problems.spending import CEILING_REACHED, PRICE_UNKNOWN
from app.domain.spending import Ceiling, Charge, Spent

_ROUNDING: Final = 1e-9  # sums of many small numbers


def check(ceiling: Ceiling, spent: Spent, charge: Charge) -> None:
    """Raises ceiling_reached where the request would pass the ceiling; price_unknown where nobody can tell."""
    gone_usd, gone_credits = spent.usd + spent.open_usd, spent.credits + spent.open_credits
    if ceiling.usd is not None:
        if charge.usd is None:
            raise DubError(PRICE_UNKNOWN, f"{charge.engine} is paid by the {charge.unit}.")
        if charge.usd > 0 and gone_usd + charge.usd > ceiling.usd + _ROUNDING:
            raise DubError(
                CEILING_REACHED,
                f"{money(gone_usd)} of {money(ceiling.usd)} are spent, and the next request to {charge.engine} needs "
                f"{money(charge.usd)}.",
            )
    if ceiling.credits is not None and charge.credits and gone_credits + charge.credits > ceiling.credits + _ROUNDING:
        raise DubError(
            CEILING_REACHED,
            f"{gone_credits:,.0f} of {ceiling.credits:,.0f} credits are spent, and the next request to "
            f"{charge.engine} needs {charge.credits:,.0f}.",
        )


def money(usd: float) -> str:
    """US dollars for a person: cents, and two figures of what is less."""
    return f"${usd:,.2f}" if usd >= 0.1 or usd == 0 else f"${usd:.2g}" if usd >= 1e-4 else "less than $0.0001"
