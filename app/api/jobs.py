"""Routes of jobs: create, list, read, change, approve, render, cancel, retry, delete."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any, Final, cast

import msgspec
from litestar import Request, Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.response import Response

from app.api.depends import Given, acting
from app.api.forms import create_from_form
from app.api.job_tags import CHANGED, ETAG, UNCHANGED, IfMatch, IfNoneMatch, seen_revision, tagged
from app.api.keys import read_keys
from app.api.problems import refuses
from app.api.validation import validated
from app.domain.job import Job, JobState
from app.domain.report import Report
from app.domain.secret_names import Keys
from app.jobs.estimate_schemas import Estimate
from app.jobs.schemas import CreateJob, JobPage, JobPatch, OptionsPatch, deprecated
from app.jobs.translation_schemas import Which

if TYPE_CHECKING:
    from app.jobs.service import JobService

_DEPRECATED: Final = "@1795824000"  # 2026-11-28 (RFC 9745)


async def _accept_form(request: Request[Any, Any, Any]) -> Response[Job] | None:
    """Before the JSON handler: a multipart body is a whole job in one request, for curl."""
    if request.content_type[0] != "multipart/form-data":
        return None
    state = request.app.state
    keys = read_keys(request.headers, state.registry)
    job, asked = await create_from_form(
        request, acting(state.service, request.scope), state.uploads, state.leases, state.limits, keys
    )
    return _answer(job, asked, status_code=201)


def _answer(job: Job, asked: OptionsPatch, *, status_code: int = 200) -> Response[Job]:
    """The job; with a Deprecation header where options came by the names that they had before there were groups."""
    return tagged(job, status_code=status_code, headers={"Deprecation": _DEPRECATED} if deprecated(asked) else {})


@post("/", before_request=_accept_form, sync_to_thread=True, responses=refuses(401, 404, 409, 413, 422, 429, 507))
def create_job(service: Given[JobService], data: JSONBody[CreateJob], keys: Given[Keys]) -> Response[Job]:
    """Create a job from a finished upload. With `multipart/form-data` (`file`, `subtitles`, `stem`, options as fields)
    the uploads come along."""
    return _answer(service.create(data, keys=keys), data.options, status_code=201)


@get("/", sync_to_thread=True, responses=refuses())
def list_jobs(
    request: Request[Any, Any, Any],
    service: Given[JobService],
    state_filter: Annotated[
        list[JobState] | None, QueryParameter(name="state", description="Only jobs in one of these states.")
    ] = None,
    text: Annotated[
        str, QueryParameter(name="q", max_length=255, description="Only jobs with this in their title.")
    ] = "",
    limit: Annotated[int, QueryParameter(ge=1, le=200)] = 50,
    cursor: Annotated[str | None, QueryParameter(max_length=255, description="`next` of the page before.")] = None,
    full: Annotated[bool, QueryParameter(description="Deprecated: whole jobs, as version 0.1 listed them.")] = False,
) -> Response[JobPage]:
    """A page of jobs, newest first, each as a summary; `GET /api/jobs/{job_id}` has the whole. The ETag answers an
    unchanged page with 304."""
    page = service.page(states=frozenset(state_filter or ()), query=text, limit=limit, cursor=cursor)
    if full:
        return validated(request, service.whole(page), {"Deprecation": _DEPRECATED})
    return validated(request, page)


@get("/{job_id:str}", sync_to_thread=True, response_headers=ETAG, responses=refuses(404) | UNCHANGED)
def get_job(service: Given[JobService], job_id: FromPath[str], if_none_match: IfNoneMatch = None) -> Response[Job]:
    """One job. The ETag answers an unchanged job with 304, and is what a change names in If-Match."""
    return tagged(service.get(job_id), if_none_match=if_none_match)


@patch("/{job_id:str}", sync_to_thread=True, response_headers=ETAG, responses=refuses(404, 409, 422, 503) | CHANGED)
def update_job(
    service: Given[JobService], job_id: FromPath[str], data: JSONBody[JobPatch], if_match: IfMatch = None
) -> Response[Job]:
    """Change the title, options or stem. With If-Match, a field that others have changed since is not overwritten:
    412, and nothing is changed. Changes of other fields are merged."""
    return _answer(service.update(job_id, data, seen=seen_revision(if_match)), data.options)


@delete("/{job_id:str}", responses=refuses(404))
async def delete_job(service: Given[JobService], keys: Given[Keys], job_id: FromPath[str]) -> None:
    """Delete a job with everything it owns, voices that were cloned for it too; running work is cancelled first."""
    await service.forget_clones(job_id, keys=keys)
    await asyncio.to_thread(service.delete, job_id)


@post(
    "/{job_id:str}/approve",
    status_code=200,
    sync_to_thread=True,
    responses=refuses(401, 402, 404, 409, 422, 507) | CHANGED,
)
def approve_job(service: Given[JobService], job_id: FromPath[str], keys: Given[Keys], if_match: IfMatch = None) -> Job:
    """Approve the lines and start the render. With If-Match, only while options and stem are as they were seen."""
    return service.approve(job_id, keys=keys, seen=seen_revision(if_match))


@post(
    "/{job_id:str}/render",
    status_code=200,
    sync_to_thread=True,
    responses=refuses(401, 402, 404, 409, 422, 507) | CHANGED,
)
def render_job(service: Given[JobService], job_id: FromPath[str], keys: Given[Keys], if_match: IfMatch = None) -> Job:
    """Render again; only what changed is spoken again. If-Match as for approve."""
    return service.render(job_id, keys=keys, seen=seen_revision(if_match))


@post("/{job_id:str}/cancel", status_code=200, sync_to_thread=True, responses=refuses(404, 409))
def cancel_job(service: Given[JobService], job_id: FromPath[str]) -> Job:
    """Stop the running work within two seconds; finished lines are kept."""
    return service.cancel(job_id)


@post("/{job_id:str}/retry", status_code=200, sync_to_thread=True, responses=refuses(401, 402, 404, 409, 507) | CHANGED)
def retry_job(service: Given[JobService], job_id: FromPath[str], keys: Given[Keys], if_match: IfMatch = None) -> Job:
    """Continue from the stage that failed or was cancelled. If-Match as for approve."""
    return service.retry(job_id, keys=keys, seen=seen_revision(if_match))


@post("/{job_id:str}/duplicate", sync_to_thread=True, responses=refuses(404, 409, 422, 507))
def duplicate_job(service: Given[JobService], job_id: FromPath[str], data: JSONBody[JobPatch]) -> Response[Job]:
    """A new job from the same upload, with other options."""
    return _answer(service.duplicate(job_id, data), data.options, status_code=201)


@get("/{job_id:str}/estimate", responses=refuses(401, 402, 404, 409, 422))
async def estimate_job(
    service: Given[JobService],
    job_id: FromPath[str],
    keys: Given[Keys],
    translate: Annotated[
        Which | None, QueryParameter(description="Instead: what translating these lines again would cost.")
    ] = None,
) -> Estimate:
    """What the job would cost from where it is to its end: tokens, characters, credits, minutes, and money by the price
    table. Nothing is spent."""
    return await service.estimate(job_id, translate=translate, keys=keys)


@get("/{job_id:str}/report", sync_to_thread=True, responses=refuses(404))
def get_report(service: Given[JobService], job_id: FromPath[str]) -> Response[Report]:
    """The report of the last finished render: every line, and totals."""
    # decoded here, in the handler's thread: it grows with the lines
    body = cast(Report, msgspec.json.encode(service.report(job_id)))
    return Response(body, media_type="application/json", headers={"Cache-Control": "no-cache"})


router = Router(
    "/api/jobs",
    tags=["jobs"],
    route_handlers=[
        create_job,
        list_jobs,
        get_job,
        update_job,
        delete_job,
        approve_job,
        render_job,
        cancel_job,
        retry_job,
        duplicate_job,
        estimate_job,
        get_report,
    ],
)
