"""Encodes the original sound of a mux, where its container does not take it, in pieces of which a kill loses the last
one.

What FFmpeg encodes while it muxes is lost with a kill, and such a mux cannot be done by tables.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from app.domain.dub_options import Container
from app.domain.errors import DubError
from app.domain.problems.media import AUDIO_TRACK_MISSING, MEDIA_DAMAGED, NOT_MEDIA
from app.dubbing.video import containers
from app.dubbing.video.mux_options import container_of, is_fragile
from app.dubbing.video.mux_pieces import log_ffmpeg
from app.dubbing.video.mux_request import DubbedTrack, MuxRequest
from app.dubbing.worker.client import run_task
from app.dubbing.worker.tasks import EncodeSoundRequest, SoundEncoded

_UNREADABLE: Final = (AUDIO_TRACK_MISSING, MEDIA_DAMAGED, NOT_MEDIA)
# what both encoders take, by the number of channels
_LAYOUTS: Final = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1"}
_MOST: Final = "7.1"


def encodes(request: MuxRequest) -> bool:
    """Whether the original sound must be encoded."""
    original = request.original
    return (
        request.info.video is not None
        and original is not None
        and (original.codec not in containers.AUDIO[container_of(request)] or is_fragile(request))
    )


async def with_fitting_original(request: MuxRequest, report: Callable[[float], None]) -> MuxRequest:
    """The request with the original sound as a file of its own, where it must be encoded; as it is where it cannot be
    read by itself. Raises disk_full, media_limit."""
    original = request.original
    if original is None or not encodes(request):
        return request
    folder = (request.pieces or request.work) / "original"
    is_opus = container_of(request) == Container.WEBM
    out = folder.with_suffix(".opus" if is_opus else ".m4a")
    if not await asyncio.to_thread(out.exists):
        layout = _LAYOUTS.get(original.channels or 2, _MOST)
        asked = EncodeSoundRequest(
            str(request.source), original.track, str(out), layout, request.duration_s, str(folder)
        )
        try:
            await run_task("encode_sound", asked, SoundEncoded, report=report, limits=request.limits)
        except DubError as error:
            if error.problem not in _UNREADABLE:
                raise
            log_ffmpeg(f"the original sound: {error.problem.code}")
            return request
        await asyncio.to_thread(shutil.rmtree, folder)
    sound = DubbedTrack(
        Path(out),
        "opus" if is_opus else "aac",
        original.language or request.source_language,
        original.title or "Original",
        "original",
    )
    return msgspec.structs.replace(request, dubs=(*request.dubs, sound), original=None)
