"""Routes of a job's speakers. They and the lines have one revision, the ETag of both: a change names it in If-Match."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody
from litestar.response import Response

from app.api.depends import Given
from app.api.problems import refuses
from app.api.segments import IfMatch, revision_of, tagged
from app.jobs.schemas import Segments, SpeakerMerge, SpeakerNew, SpeakerPatch, Speakers

if TYPE_CHECKING:
    from app.jobs.service import JobService

_REFUSED = refuses(404, 409, 412, 422, 428, 503)


@get("/", sync_to_thread=True, responses=refuses(404))
def get_speakers(service: Given[JobService], job_id: FromPath[str]) -> Response[Speakers]:
    """Who speaks, with how many lines each has; their revision is the lines', as ETag."""
    return tagged(service.speakers(job_id))


@post("/", status_code=200, sync_to_thread=True, responses=_REFUSED)
def add_speaker(
    service: Given[JobService], job_id: FromPath[str], data: JSONBody[SpeakerNew], if_match: IfMatch = None
) -> Response[Segments]:
    """Add a speaker, who gets the lines that are named: so one speaker is split in two."""
    return tagged(service.add_speaker(job_id, revision_of(if_match), data))


@patch("/{speaker_id:str}", sync_to_thread=True, responses=_REFUSED)
def change_speaker(
    service: Given[JobService],
    job_id: FromPath[str],
    speaker_id: FromPath[str],
    data: JSONBody[SpeakerPatch],
    if_match: IfMatch = None,
) -> Response[Segments]:
    """Change a speaker's name, colour, voice, speed or level."""
    return tagged(service.change_speaker(job_id, speaker_id, revision_of(if_match), data))


@post("/{speaker_id:str}/merge", status_code=200, sync_to_thread=True, responses=_REFUSED)
def merge_speaker(
    service: Given[JobService],
    job_id: FromPath[str],
    speaker_id: FromPath[str],
    data: JSONBody[SpeakerMerge],
    if_match: IfMatch = None,
) -> Response[Segments]:
    """Give all lines of a speaker to another, and take the speaker away."""
    return tagged(service.merge_speakers(job_id, speaker_id, revision_of(if_match), data))


@delete("/{speaker_id:str}", status_code=200, sync_to_thread=True, responses=_REFUSED)
def remove_speaker(
    service: Given[JobService], job_id: FromPath[str], speaker_id: FromPath[str], if_match: IfMatch = None
) -> Response[Segments]:
    """Take a speaker away; the lines stay, with no speaker."""
    return tagged(service.remove_speaker(job_id, speaker_id, revision_of(if_match)))


router = Router(
    "/api/jobs/{job_id:str}/speakers",
    tags=["speakers"],
    route_handlers=[get_speakers, add_speaker, change_speaker, merge_speaker, remove_speaker],
)
