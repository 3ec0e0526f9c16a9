"""Copies the samples of MP4 files into one MP4, in pieces of which a kill loses the last one.

FFmpeg holds the index of every file that it reads or writes in memory, and a copy that it has begun it cannot take up
again. So it only writes the headers here: it is given outlines, which have the headers of the files and one sample of
each track. The samples are copied by a child (`app.dubbing.video.mux_tables`), in memory that does not grow.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from app.domain.dub_options import Container
from app.domain.media import Obstacle
from app.dubbing.video import containers
from app.dubbing.video.mux_request import MuxRequest
from app.dubbing.worker.client import run_task
from app.dubbing.worker.tasks import JoinedTrack, JoinTracksRequest, OutlineRequest, TablesRead
from app.system.durable_files import Durable, move

log = logging.getLogger(__name__)

_FILE: Final = "joined.mp4"
_POSITION: Final = "position"


def is_possible(request: MuxRequest) -> bool:
    """Whether all that is copied are MP4 files, and is copied unchanged."""
    video, takes = request.info.video, containers.AUDIO[Container.MP4]
    if request.out.suffix != ".mp4" or video is None:
        return False
    if request.burned is None and (video.obstacle not in (None, Obstacle.START) or video.codec == "mpeg4"):
        return False
    return (
        request.info.format.startswith("mov")
        and all(dub.path.suffix == ".m4a" and dub.codec in takes for dub in request.dubs)
        and (request.original is None or request.original.codec in takes)
    )


async def outlined(request: MuxRequest) -> MuxRequest | None:
    """The request of outlines to an MP4 of headers; None where a file has something that is not understood."""
    files = {path: request.work / f"outline{number}.mp4" for number, path in enumerate(_files(request))}
    asked = OutlineRequest(tuple((str(path), str(outline)) for path, outline in files.items()))
    read = await run_task("outline", asked, TablesRead, report=lambda _: None, limits=request.limits)
    if read.unsuitable is not None:
        log.info("mux_by_ffmpeg", extra={"reason": read.unsuitable})
        return None
    return msgspec.structs.replace(
        request,
        source=files[request.source],
        dubs=tuple(msgspec.structs.replace(dub, path=files[dub.path]) for dub in request.dubs),
        burned=files[request.burned] if request.burned is not None else None,
        out=request.work / "headers.mp4",
    )


async def join(
    request: MuxRequest, headers: Path, report: Callable[[float], None], finish: Callable[[Path], None]
) -> bool:
    """Write the output with these headers; `finish` is the last change to it before it has its name. False where FFmpeg
    must do it. Raises disk_full, media_limit."""
    folder = request.pieces or request.work
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    out = folder / _FILE
    asked = JoinTracksRequest(str(headers), request.duration_s, _tracks(request), str(out), str(folder / _POSITION))
    joined = await run_task("join_tracks", asked, TablesRead, report=report, limits=request.limits)
    if joined.unsuitable is not None:
        log.info("mux_by_ffmpeg", extra={"reason": joined.unsuitable})
        await asyncio.to_thread(out.unlink, missing_ok=True)
        return False
    await asyncio.to_thread(finish, out)
    await asyncio.to_thread(move, out, request.out, durable=Durable.CONTENT)
    return True


def _files(request: MuxRequest) -> list[Path]:
    burned = [request.burned] if request.burned is not None else []
    return [request.source, *(dub.path for dub in request.dubs), *burned]


def _tracks(request: MuxRequest) -> tuple[JoinedTrack, ...]:
    """In the order in which FFmpeg was told to write them."""
    video, original = request.info.video, request.original
    source, start_s = str(request.source), request.info.start_s
    tracks = []
    if request.burned is not None:
        tracks.append(JoinedTrack(str(request.burned), 0, "video"))
    elif video is not None:
        tracks.append(JoinedTrack(source, video.index, "video", start_s))
    tracks += [JoinedTrack(str(dub.path), 0, "audio") for dub in request.dubs]
    if original is not None:
        tracks.append(JoinedTrack(source, original.index, "audio", start_s))
    return tuple(tracks)
