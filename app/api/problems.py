"""Errors become `application/problem+json` (RFC 9457), with a `code` of the catalogue and a `hint`."""

from __future__ import annotations

from typing import Any, Final, cast

import msgspec
import structlog
from litestar import Request
from litestar.exceptions import HTTPException, MethodNotAllowedException, NotFoundException, ValidationException
from litestar.exceptions.http_exceptions import RequestEntityTooLarge
from litestar.openapi.datastructures import ResponseSpec
from litestar.response import Response

from app.api.prefix import Scope, shown
from app.domain.choices import ChangedField
from app.domain.errors import DubError, Problem
from app.domain.problems.jobs import JOB_CHANGED
from app.domain.problems.requests import BODY_TOO_LARGE, INTERNAL, INVALID_REQUEST, METHOD_NOT_ALLOWED, NOT_FOUND
from app.domain.problems.uploads import DISK_FULL
from app.observability import metrics
from app.system.disk_full import is_disk_full

MEDIA_TYPE: Final = "application/problem+json"
_log = structlog.get_logger("api")


class ProblemDetails(msgspec.Struct, frozen=True):
    """The body of every refusal. `code` is stable; `title` is its message, `detail` adds a fact, `hint` says what to
    do."""

    type: str
    title: str
    status: int
    code: str
    detail: str
    hint: str
    instance: str
    request_id: str


class JobChangedDetails(ProblemDetails, frozen=True):
    """The body of `job_changed`. `changed` are the fields that others have changed, each with its value now;
    `choices_revision` is the revision to name in If-Match when they are to be changed all the same."""

    changed: tuple[ChangedField, ...]
    choices_revision: int


def details(problem: Problem, detail: str, *, scope: Scope, request_id: str) -> ProblemDetails:
    """Make the body of a refusal and count it. Its addresses are as the client of `scope` sees them."""
    metrics.ERRORS.add(problem.code)
    kind = f"{scope.get('root_path', '')}/schema#{problem.code}"
    return ProblemDetails(
        kind,
        problem.message,
        problem.status,
        problem.code,
        detail or problem.message,
        problem.hint,
        shown(scope),
        request_id,
    )


def refuses(*statuses: int) -> dict[int, ResponseSpec]:
    """The `responses=` of a handler: the statuses of its problems."""
    spec = ResponseSpec(ProblemDetails, generate_examples=False, description="A problem.", media_type=MEDIA_TYPE)
    return dict.fromkeys(sorted({400, *statuses}), spec)


def as_dub_error(error: Exception) -> DubError | None:
    """The catalogue error for the client; None when `error` is a bug."""
    match error:
        case DubError():
            return error
        case NotFoundException():
            return DubError(NOT_FOUND)
        case MethodNotAllowedException():
            return DubError(METHOD_NOT_ALLOWED, headers=dict(error.headers or {}))
        case RequestEntityTooLarge():
            return DubError(BODY_TOO_LARGE)
        case ValidationException() if isinstance(error.extra, list):
            named = [
                f"{item.get('key') or 'body'}: {item['message']}"
                for item in error.extra
                if isinstance(item, dict) and "message" in item
            ]
            return DubError(INVALID_REQUEST, "; ".join(named) or error.detail)
        case msgspec.MsgspecError():
            return DubError(INVALID_REQUEST, str(error))
        case HTTPException() if error.status_code < 500:
            return DubError(INVALID_REQUEST, error.detail)
        case _ if is_disk_full(error):
            return DubError(DISK_FULL)
    return None


def answer(request: Request[Any, Any, Any], error: Exception) -> Response[ProblemDetails]:
    """Litestar's exception handler: a problem for the client, and for a bug a traceback in the log."""
    request_id = request.scope.get("state", {}).get("request_id", "")
    known = as_dub_error(error)
    if known is None:
        _log.error("request failed", method=request.method, path=request.url.path, exc_info=error)
        known = DubError(INTERNAL)
    body = details(known.problem, known.detail, scope=cast(Scope, request.scope), request_id=request_id)
    if known.problem is JOB_CHANGED and known.extra:
        body = JobChangedDetails(*msgspec.structs.astuple(body), **known.extra)
    return Response(body, status_code=known.problem.status, media_type=MEDIA_TYPE, headers=known.headers)
