"""Routes of a job's lines. Their revision is the ETag: an edit names it in If-Match, so that no update is lost."""

from __future__ import annotations

import asyncio
import re
from typing import TYPE_CHECKING, Annotated, Final, TypeVar, cast

import msgspec
from litestar import Router, get, patch, post
from litestar.params import FromPath, HeaderParameter, JSONBody
from litestar.response import Response

from app.api.depends import Given
from app.api.problems import refuses
from app.domain.errors import DubError
from app.domain.problems.lines import EDIT_CONFLICT, PRECONDITION_REQUIRED
from app.domain.secret_names import Keys
from app.jobs.schemas import SegmentChanges, Segments, Speakers, SplitSegment
from app.jobs.translation_schemas import ShorterWordings, TranslatedAgain, TranslateSegments

if TYPE_CHECKING:
    from app.jobs.service import JobService

Lines = TypeVar("Lines", bound=Segments | Speakers)
IfMatch = Annotated[
    str | None, HeaderParameter(name="If-Match", description="The ETag of the lines that the change is for.")
]
_TAG: Final = re.compile(r'(?:W/)?"(\d{1,18})"')


def etag(revision: int) -> str:
    return f'"{revision}"'


def revision_of(if_match: str | None) -> int:
    """The revision in If-Match. Raises precondition_required without the header, edit_conflict for a tag that is no
    revision."""
    if if_match is None:
        raise DubError(PRECONDITION_REQUIRED)
    match = _TAG.fullmatch(if_match.strip())
    if match is None:
        raise DubError(EDIT_CONFLICT)
    return int(match[1])


def tagged(found: Lines) -> Response[Lines]:
    """Encodes here, in the handler's thread: ten thousand lines would block the event loop."""
    body = cast(Lines, msgspec.json.encode(found))
    return Response(
        body, media_type="application/json", headers={"ETag": etag(found.revision), "Cache-Control": "no-cache"}
    )


@get("/", sync_to_thread=True, responses=refuses(404))
def get_segments(service: Given[JobService], job_id: FromPath[str]) -> Response[Segments]:
    """All lines, with their revision as ETag."""
    return tagged(service.segments(job_id))


@patch("/", sync_to_thread=True, responses=refuses(404, 409, 412, 422, 428, 503))
def edit_segments(
    service: Given[JobService], job_id: FromPath[str], data: JSONBody[SegmentChanges], if_match: IfMatch = None
) -> Response[Segments]:
    """Edit, add and remove lines, all in one transaction."""
    return tagged(service.edit(job_id, revision_of(if_match), data))


@post("/{segment_id:str}/split", status_code=200, sync_to_thread=True, responses=refuses(404, 409, 412, 422, 428, 503))
def split_segment(
    service: Given[JobService],
    job_id: FromPath[str],
    segment_id: FromPath[str],
    data: JSONBody[SplitSegment],
    if_match: IfMatch = None,
) -> Response[Segments]:
    """Cut a line in two."""
    return tagged(service.split(job_id, segment_id, revision_of(if_match), data))


@post("/{segment_id:str}/merge", status_code=200, sync_to_thread=True, responses=refuses(404, 409, 412, 422, 428, 503))
def merge_segment(
    service: Given[JobService], job_id: FromPath[str], segment_id: FromPath[str], if_match: IfMatch = None
) -> Response[Segments]:
    """Join a line with the following one."""
    return tagged(service.merge(job_id, segment_id, revision_of(if_match)))


@post(
    "/{segment_id:str}/preview",
    status_code=200,
    media_type="audio/wav",
    responses=refuses(401, 402, 404, 409, 422, 502, 503, 507),
)
async def preview_segment(
    service: Given[JobService], job_id: FromPath[str], segment_id: FromPath[str], keys: Given[Keys]
) -> Response[bytes]:
    """One line as a WAV file, as it will be spoken. The clip is kept, so that the render does not buy it again."""
    return Response(
        await service.preview(job_id, segment_id, keys=keys),
        media_type="audio/wav",
        headers={"Cache-Control": "no-store"},
    )


@post("/translate", status_code=200, responses=refuses(401, 402, 404, 409, 412, 422, 428, 502, 503))
async def translate_segments(
    service: Given[JobService],
    job_id: FromPath[str],
    data: JSONBody[TranslateSegments],
    keys: Given[Keys],
    if_match: IfMatch = None,
) -> Response[TranslatedAgain]:
    """Translate lines again with the job's translator."""
    found = await service.translate(job_id, revision_of(if_match), data, keys=keys)
    return await asyncio.to_thread(tagged, found)


@post("/{segment_id:str}/shorten", status_code=200, responses=refuses(401, 402, 404, 409, 422, 502, 503))
async def shorten_segment(
    service: Given[JobService], job_id: FromPath[str], segment_id: FromPath[str], keys: Given[Keys]
) -> ShorterWordings:
    """Ask the job's translator for two shorter wordings of a translated line. Nothing is changed."""
    return await service.shorten(job_id, segment_id, keys=keys)


router = Router(
    "/api/jobs/{job_id:str}/segments",
    tags=["segments"],
    route_handlers=[
        get_segments,
        edit_segments,
        split_segment,
        merge_segment,
        preview_segment,
        shorten_segment,
        translate_segments,
    ],
)
