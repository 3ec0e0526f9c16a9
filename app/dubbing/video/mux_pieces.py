"""Copies the samples of MP4 files into one MP4 or Matroska, in pieces of which a kill loses the last one.

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
from app.system.children import Limits
from app.system.durable_files import Durable, move

log = logging.getLogger(__name__)

_FILE: Final = "joined"
_POSITION: Final = "position"
_CONTAINERS: Final = {".mp4": Container.MP4, ".mkv": Container.MKV}
# Codecs whose samples are the same in both containers (None: all that the container takes).
_UNCHANGED: Final = {Container.MP4: None, Container.MKV: frozenset({"h264", "hevc", "av1", "vp9"})}
# What the tables of an MP4 say, and Matroska has no place for: where in a group of pictures the film begins.
_SAID_BY_TABLES: Final = {Container.MP4: (None, Obstacle.START), Container.MKV: (None,)}


def is_possible(request: MuxRequest) -> bool:
    """Whether all that is copied are MP4 files, and is copied unchanged."""
    video, container = request.info.video, _CONTAINERS.get(request.out.suffix)
    if container is None or video is None:
        return False
    if request.burned is None:
        takes = _UNCHANGED[container]
        if video.obstacle not in (None, *_SAID_BY_TABLES[container]) or (
            takes is not None and video.codec not in takes
        ):
            return False
        if container is Container.MP4 and video.codec == "mpeg4":
            return False
    sounds = containers.AUDIO[Container.MP4]
    return (
        request.info.format.startswith("mov")
        and all(dub.path.suffix == ".m4a" and dub.codec in sounds for dub in request.dubs)
        and (request.original is None or request.original.codec in sounds)
    )


def log_ffmpeg(reason: str) -> None:
    """Say why FFmpeg writes the film in one run."""
    log.info("mux_by_ffmpeg", extra={"reason": reason})


async def outlined(request: MuxRequest) -> MuxRequest | None:
    """The request of outlines to an MP4 of headers; None where a file has something that is not understood."""
    files = {path: request.work / f"outline{number}.mp4" for number, path in enumerate(_files(request))}
    asked = OutlineRequest(tuple((str(path), str(outline)) for path, outline in files.items()))
    read = await run_task("outline", asked, TablesRead, report=lambda _: None, limits=request.limits)
    if read.unsuitable is not None:
        log_ffmpeg(read.unsuitable)
        return None
    return msgspec.structs.replace(
        request,
        source=files[request.source],
        dubs=tuple(msgspec.structs.replace(dub, path=files[dub.path]) for dub in request.dubs),
        burned=files[request.burned] if request.burned is not None else None,
        out=request.work / f"headers{request.out.suffix}",
    )


async def outline(path: Path, out: Path, limits: Limits) -> Path:
    """Write the outline of a file of ours to `out`. Raises disk_full, media_limit."""
    asked = OutlineRequest(((str(path), str(out)),))
    read = await run_task("outline", asked, TablesRead, report=lambda _: None, limits=limits)
    if read.unsuitable is not None:
        raise RuntimeError(f"a sound of ours cannot be read: {read.unsuitable}")
    return out


async def join(
    request: MuxRequest, headers: Path, report: Callable[[float], None], finish: Callable[[Path], None]
) -> bool:
    """Write the output with these headers; `finish` is the last change to it before it has its name. False where FFmpeg
    must do it. Raises disk_full, media_limit."""
    folder = request.pieces or request.work
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    out = folder / f"{_FILE}{request.out.suffix}"
    asked = JoinTracksRequest(str(headers), request.duration_s, _tracks(request), str(out), str(folder / _POSITION))
    joined = await run_task("join_tracks", asked, TablesRead, report=report, limits=request.limits)
    if joined.unsuitable is not None:
        log_ffmpeg(joined.unsuitable)
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
