"""The error that the program raises: DubError, which carries a `Problem` of the catalogue.

DubError
 |- the only class; its `Problem` is an entry of `app.domain.problems`. Nothing else is raised on purpose.

`detail` adds a fact ("line 12: ..."). It must never hold a secret or a path outside the data folder.
"""

from __future__ import annotations

from typing import Any

import msgspec


class Problem(msgspec.Struct, frozen=True):
    """One entry: `code` is stable and public, `status` is HTTP's, `hint` says what to do."""

    code: str
    status: int
    message: str
    hint: str


class DubError(Exception):
    """A catalogue error. `retryable`: the same call may succeed later (network, rate limits)."""

    def __init__(
        self,
        problem: Problem,
        detail: str = "",
        *,
        retryable: bool = False,
        headers: dict[str, str] | None = None,
        **extra: Any,
    ) -> None:
        super().__init__(f"{problem.code}: {problem.message}" + (f" ({detail})" if detail else ""))
        self.problem = problem
        self.detail = detail
        self.retryable = retryable
        self.headers = headers or {}
        self.extra = extra

    @property
    def message(self) -> str:
        """The catalogue's message with the detail."""
        return f"{self.problem.message} {self.detail}".strip()
