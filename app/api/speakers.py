"""Routes of a job's speakers. They and the lines have one revision, the ETag of both: a change names it in If-Match."""

from __future__ import annotations

from typing import TYPE_CHECKING

from litestar import Router, delete, get, patch, post
from litestar.params import FromPath, JSONBody
from litestar.response import Response

from app.api.depends import Given
from app.api.problems import refuses
from app.api.segments import IfMatch, revision_of, tagged
from app.domain.secret_names import Keys
from app.jobs.schemas import CloneVoice, Segments, SpeakerMerge, SpeakerNew, SpeakerPatch, Speakers

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


@post("/{speaker_id:str}/clone", status_code=200, responses=refuses(401, 402, 404, 409, 412, 422, 428, 502, 503))
async def clone_speaker(
    service: Given[JobService],
    keys: Given[Keys],
    job_id: FromPath[str],
    speaker_id: FromPath[str],
    data: JSONBody[CloneVoice],
    if_match: IfMatch = None,
) -> Response[Segments]:
    """Make a voice of a speaker in the person's account, from their lines in the video; the speaker then has it. The
    sound of up to two minutes of them is sent."""
    return tagged(await service.clone_voice(job_id, speaker_id, revision_of(if_match), data, keys=keys))


@delete("/{speaker_id:str}/clone", status_code=200, responses=refuses(401, 404, 409, 412, 422, 428, 502, 503))
async def forget_clone(
    service: Given[JobService],
    keys: Given[Keys],
    job_id: FromPath[str],
    speaker_id: FromPath[str],
    if_match: IfMatch = None,
) -> Response[Segments]:
    """Delete the voice that was made of a speaker, who then has the job's."""
    return tagged(await service.forget_clone(job_id, speaker_id, revision_of(if_match), keys=keys))


router = Router(
    "/api/jobs/{job_id:str}/speakers",
    tags=["speakers"],
    route_handlers=[
        get_speakers,
        add_speaker,
        change_speaker,
        merge_speaker,
        remove_speaker,
        clone_speaker,
        forget_clone,
    ],
)
