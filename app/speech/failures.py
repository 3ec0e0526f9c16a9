"""A failed call to a speech service: the catalogue error that it is, and whether another try makes sense."""

from __future__ import annotations

import random
from enum import Enum
from typing import Final

from app.domain.errors import DubError, Problem

MOST_TRIES: Final = 5
_MOST_PAUSE_S: Final = 30.0


class Retry(Enum):
    """Why another try may work: a place frees up soon, the service recovers, or the answer was unusable (and may have
    been billed)."""

    NEVER = "never"
    PLACE = "place"
    BUSY = "busy"
    ANSWER = "answer"


_TRIES: Final = {Retry.NEVER: 1, Retry.PLACE: MOST_TRIES, Retry.BUSY: MOST_TRIES, Retry.ANSWER: 2}


class CallFailure(Exception):
    """One failed call. `after_s` is the service's Retry-After; `unbilled`: it refused the call, or was not reached."""

    unbilled = False

    def __init__(
        self,
        problem: Problem,
        detail: str = "",
        retry: Retry = Retry.NEVER,
        after_s: float = 0.0,
        *,
        scope: bool = False,
        dictionary: bool = False,
    ) -> None:
        """`scope`: the key is right, but was not given this permission. `dictionary`: a pronunciation dictionary that
        was named is not there."""
        super().__init__(problem.code)
        self.scope, self.dictionary = scope, dictionary
        self.problem = problem
        self.detail = detail
        self.retry = retry
        self.after_s = after_s
        self.status: int | None = None  # of the HTTP answer, where one came

    def pause_s(self, tries: int, unit_s: float) -> float | None:
        """Seconds until the next try after `tries` failures; None: give up. The first pause is `unit_s`, jittered."""
        if tries >= _TRIES[self.retry]:
            return None
        step = 0.75 if self.retry is Retry.PLACE else 1.0
        wait_s = unit_s * step * min(2.0 ** (tries - 1), 4.0 if self.retry is Retry.PLACE else 16.0)
        return min(_MOST_PAUSE_S, max(self.after_s, wait_s * random.uniform(0.75, 1.25)))  # noqa: S311 - jitter is no secret

    def error(self) -> DubError:
        return DubError(
            self.problem,
            self.detail,
            retryable=self.retry is not Retry.NEVER,
            scope=self.scope,
            upstream=self.status,
            dictionary=self.dictionary,
        )


def shown(message: str, key: str) -> str:
    """The service's words, fit to be shown: one line, bounded, without the key."""
    if key:
        message = message.replace(key, "[key]")
    return " ".join("".join(c if c.isprintable() else " " for c in message).split())[:200]


def retry_after_s(value: str) -> float:
    """Retry-After in seconds; a date is not worth parsing for at most 30 s."""
    return float(value) if value.isdigit() else 0.0
