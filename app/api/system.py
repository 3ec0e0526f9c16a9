"""Health for orchestrators and for people, metrics, and the description of the interface."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from litestar import get
from litestar.response import Response

if TYPE_CHECKING:
    from app.api.health import Health


class Check(msgspec.Struct, frozen=True):
    """One condition of readiness; `detail` says what is wrong, "" when nothing is."""

    name: str
    ok: bool
    detail: str


class HealthReport(msgspec.Struct, frozen=True):
    """`ready` is the conjunction of the checks. Sizes are bytes, times seconds."""

    ready: bool
    version: str
    uptime_s: float
    checks: tuple[Check, ...]
    jobs: dict[str, int]
    sockets: int
    disk_free_bytes: int


@get("/health/live", sync_to_thread=False, tags=["system"])
def live() -> dict[str, str]:
    """The process answers."""
    return {"status": "alive"}


@get("/health/ready", sync_to_thread=True, tags=["system"])
def ready(health: Health) -> Response[HealthReport]:
    """Work can be taken: 200, else 503 with the failed checks."""
    report = health.report()
    return Response(report, status_code=200 if report.ready else 503)


@get("/health", sync_to_thread=True, tags=["system"])
def health_for_people(health: Health) -> HealthReport:
    """The same for people: always 200."""
    return health.report()


handlers: Final = [live, ready, health_for_people]
