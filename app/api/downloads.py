"""Serves a job's files: as downloads named after the job, and inline for the player."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from litestar import Request, route
from litestar.enums import HttpMethod
from litestar.params import FromPath
from litestar.response import Response

from app.api.depends import Given
from app.api.problems import refuses
from app.api.ranges import disposition, send_file
from app.domain.errors import DubError
from app.domain.media import NAMED, ArtifactKind
from app.domain.problems.requests import NOT_FOUND

if TYPE_CHECKING:
    from app.jobs.service import JobService

_FOR_THE_PERSON: Final = frozenset(
    {
        ArtifactKind.VIDEO,
        ArtifactKind.AUDIO,
        ArtifactKind.SRT,
        ArtifactKind.VTT,
        ArtifactKind.ASS,
        ArtifactKind.SOURCE_SRT,
        ArtifactKind.REPORT,
    }
)
_INLINE: Final = frozenset(
    {
        ArtifactKind.VIDEO,
        ArtifactKind.AUDIO,
        ArtifactKind.VTT,
        ArtifactKind.SOURCE,
        ArtifactKind.PEAKS,
        ArtifactKind.THUMBNAIL,
    }
)
_READ: Final = [HttpMethod.GET, HttpMethod.HEAD]
# A person's file is served from our origin: it must never run as a page.
INERT: Final = {
    "Content-Security-Policy": "default-src 'none'; media-src 'self'; sandbox",
    "X-Content-Type-Options": "nosniff",
}


def _kind(name: str, among: frozenset[ArtifactKind]) -> ArtifactKind:
    if name not in among:
        raise DubError(NOT_FOUND)
    return ArtifactKind(name)


@route(
    "/download/{kind:str}/{job_id:str}",
    http_method=_READ,
    tags=["files"],
    sync_to_thread=True,
    responses=refuses(404, 416),
    raises=[],
)
def download(
    request: Request[Any, Any, Any], service: Given[JobService], kind: FromPath[str], job_id: FromPath[str]
) -> Response[bytes]:
    """The video, audio, srt, vtt, ass, source_srt or report (JSON) of a job, as an attachment; ranges, ETag and HEAD as
    HTTP has them."""
    wanted = _kind(kind, _FOR_THE_PERSON)
    with service.artifact(job_id, wanted) as (artifact, path):
        job = service.get(job_id)
        is_own = job.parent_id is not None and wanted is not ArtifactKind.VIDEO
        own = f".{job.options.translation.target_language}" if is_own else ""
        name = f"{job.title}{own}{NAMED.get(wanted, '')}.{artifact.extension.lstrip('.')}"
        headers = {
            "Content-Disposition": disposition("attachment", name),
            "Cache-Control": "private, no-cache",
            **INERT,
        }
        return send_file(request, path, etag=f'"{artifact.sha256}"', media_type=artifact.media_type, headers=headers)


@route(
    "/media/{job_id:str}/{name:str}",
    http_method=_READ,
    tags=["files"],
    sync_to_thread=True,
    responses=refuses(404, 416),
    raises=[],
)
def media(
    request: Request[Any, Any, Any], service: Given[JobService], job_id: FromPath[str], name: FromPath[str]
) -> Response[bytes]:
    """One of a job's files inline, for the player: video, audio, vtt, source, peaks, thumbnail."""
    with service.artifact(job_id, _kind(name, _INLINE)) as (artifact, path):
        headers = {"Content-Disposition": "inline", "Cache-Control": "private, no-cache", **INERT}
        return send_file(request, path, etag=f'"{artifact.sha256}"', media_type=artifact.media_type, headers=headers)


handlers: Final = [download, media]
