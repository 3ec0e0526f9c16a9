"""Previews a subtitle file before a job is created: its encoding and its faults."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Final

import msgspec
from litestar import Request, Router, post
from litestar.params import QueryParameter

from app.api.problems import refuses
from app.domain.subtitle_file import SubtitleReading

_MAX_BYTES: Final = 10 << 20
_LANGUAGE: Final = r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$"


class Encoding(msgspec.Struct, frozen=True):
    """An encoding that can be chosen (`subtitle_encoding`), with its name for people."""

    id: str
    name: str


class SubtitlePreview(msgspec.Struct, frozen=True):
    """How the file would be read. `encodings` are all that can be chosen, the likeliest for this file first."""

    subtitles: SubtitleReading
    encodings: tuple[Encoding, ...]


@post("/preview", status_code=200, request_max_body_size=_MAX_BYTES + 1, responses=refuses(413, 422))
async def preview_subtitles(
    request: Request[Any, Any, Any],
    language: Annotated[
        str | None, QueryParameter(pattern=_LANGUAGE, description="The language of its lines, if known.")
    ] = None,
    encoding: Annotated[
        str | None, QueryParameter(max_length=40, description="An encoding instead of the guess.")
    ] = None,
) -> SubtitlePreview:
    """Read an SRT, WebVTT or ASS file, which is the body (`application/octet-stream`). Nothing is kept."""
    from app.jobs.attachments import look_at_subtitles  # not at import: it imports the database

    found, likely = await asyncio.to_thread(look_at_subtitles, await request.body(), language, encoding)
    return SubtitlePreview(found, tuple(Encoding(name, label) for name, label in likely))


router = Router("/api/subtitles", tags=["jobs"], route_handlers=[preview_subtitles])
