"""What keeps a service from taking the old voice out of a recording."""

from __future__ import annotations

from typing import Final

from app.domain.errors import Problem

SEPARATION_FAILED: Final = Problem(
    "separation_failed",
    502,
    "The service that takes the old voice out gave nothing that can be used.",
    "Retry: pieces that came are kept. Or take the old voice out on this machine.",
)
