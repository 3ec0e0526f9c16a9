"""Routes of health, metrics and the API description."""

from __future__ import annotations

from typing import Any, Final

import msgspec
from litestar import Request, get
from litestar.response import Response

from app.api.depends import Given, OperatorLimits
from app.api.health import Health, HealthReport
from app.api.metrics import CONTENT_TYPE, Metrics, may_read
from app.api.problems import refuses
from app.domain import stages
from app.domain.errors import DubError
from app.domain.job import Phase
from app.domain.problems.requests import METRICS_TOKEN, NOT_FOUND

_FRESH: Final = {"Cache-Control": "no-store"}


class StageInfo(msgspec.Struct, frozen=True):
    """A stage of the dub: its name in a job's `stage`, the phase that it belongs to, and a short title for people."""

    name: str
    phase: Phase
    title: str


class Stages(msgspec.Struct, frozen=True):
    stages: tuple[StageInfo, ...]


@get("/api/stages", sync_to_thread=False, tags=["system"])
def list_stages() -> Stages:
    """The stages that a job goes through, in their order. The person's review is between the phases."""
    return Stages(tuple(StageInfo(stage.name, stage.phase, stage.title) for stage in stages.STAGES))


@get("/health/live", sync_to_thread=False, tags=["system"])
def live() -> dict[str, str]:
    """The process is alive."""
    return {"status": "alive"}


@get("/health/ready", sync_to_thread=True, tags=["system"])
def ready(health: Given[Health]) -> Response[HealthReport]:
    """200 when the server can take work, else 503 with the failed checks."""
    report = health.report()
    return Response(report, status_code=200 if report.ready else 503, headers=_FRESH)


@get("/health", sync_to_thread=True, tags=["system"])
def health_for_people(health: Given[Health]) -> Response[HealthReport]:
    """All checks and figures, for people: always 200."""
    return Response(health.report(), headers=_FRESH)


@get("/metrics", sync_to_thread=True, tags=["system"], media_type="text/plain", responses=refuses(401, 404))
def metrics(request: Request[Any, Any, Any], limits: Given[OperatorLimits], metrics: Given[Metrics]) -> Response[bytes]:
    """Figures for Prometheus: 404 unless AUTODUBBER_METRICS is on; with AUTODUBBER_METRICS_TOKEN, 401 without it as
    bearer token."""
    if limits.metrics_token:
        if not may_read(limits.metrics_token, request.headers.get("authorization")):
            raise DubError(METRICS_TOKEN, headers={"WWW-Authenticate": 'Bearer realm="metrics"'})
    elif not limits.metrics:
        raise DubError(NOT_FOUND)
    return Response(metrics.text(), media_type=CONTENT_TYPE, headers=_FRESH)


handlers: Final = [list_stages, live, ready, health_for_people, metrics]
