"""Muxes a film that is no MP4 in runs of FFmpeg, of which a kill loses a second of work.

FFmpeg appends to the finished file as a stream, which it never seeks in, so that it holds no index. A run that goes on
begins at a key frame before the place where the last one ended. The children (`app.dubbing.video.mux_streams`) then
write the index into the room in front, and leave out what is there twice: the media is written once.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final

import msgspec

from app.domain.dub_options import Container
from app.domain.errors import DubError
from app.domain.problems.media import MEDIA_TOOL_FAILED
from app.dubbing.mixing.cache_file import load, store
from app.dubbing.video import containers, mux_pieces
from app.dubbing.video.mux_options import container_of, is_fragile, picture
from app.dubbing.video.mux_request import MuxRequest
from app.dubbing.worker.client import run_task
from app.dubbing.worker.tasks import JoinedTrack, JoinTracksRequest, StreamBegun, StreamRequest, TablesRead
from app.media import ffmpeg
from app.media.ffmpeg import Input
from app.system.durable_files import Durable, move

_MARK_BYTES: Final = 32 << 20
_LOOK_S: Final = 0.25
# of the index of an MP4, for a sample: its size, its duration and shift, its number among the key frames
_BYTES_A_PICTURE, _BYTES_A_FRAME = 16, 5
_FASTEST: Final = 60.0  # pictures a second, where the file does not say
_FRAMES: Final = 50.0  # of sound a second
_LEAST_ROOM: Final = 1 << 14
_FRAGMENT_US: Final = 1_000_000
_AS_IT_IS: Final = ("-copyts", "-start_at_zero", "-avoid_negative_ts", "disabled")  # the same times in every run
_CLUSTERED: Final = ("-cluster_time_limit", "2000", "-cluster_size_limit", str(4 << 20), "-write_crc32", "0")
_CUE_BYTES: Final = 64
_FRAGMENTED: Final = (
    *("-movflags", "empty_moov+delay_moov+default_base_moof+frag_discont+skip_trailer"),
    *("-use_editlist", "0", "-frag_duration", str(_FRAGMENT_US)),
)


def is_possible(request: MuxRequest) -> bool:
    """Whether all tracks are copied unchanged, or the picture is one that was encoded."""
    if request.info.video is None or request.out.suffix == ".m4a":
        return False
    takes = containers.AUDIO[container_of(request)]
    copied = request.original is None or (request.original.codec in takes and not is_fragile(request))
    return joins_burned(request) or (copied and all(dub.codec in takes for dub in request.dubs))


def joins_burned(request: MuxRequest) -> bool:
    """Whether all but the head is MP4 files of ours, which are joined by their tables."""
    return (
        request.burned is not None
        and request.original is None
        and all(dub.path.suffix == ".m4a" for dub in request.dubs)
    )


async def with_head(request: MuxRequest) -> MuxRequest:
    """The request of a film that has the first pictures of the source and its first sound, as an MP4. Raises as
    `ffmpeg.run`."""
    info, inputs = request.info, [Input(request.source, options=("-fflags", "+genpts"))]
    if request.burned is not None:
        inputs.append(Input(request.burned, formats="mov"))
    tracks = picture(request, Container.MP4, len(inputs) - 1)
    original = request.original
    if original is not None:  # which may begin much later than the picture
        first = await _few(request, [inputs[0]], ["-map", f"0:{original.index}", "-frames:a", "2"], "first_sound.mp4")
        inputs.append(Input(first, formats="mov"))
        tracks += ["-map", f"{len(inputs) - 1}:a:0"]
        original = msgspec.structs.replace(original, index=1)
    head = await _few(request, inputs, [*tracks, "-map_metadata", "0", "-frames:v", "2"], "head.mp4")
    video = msgspec.structs.replace(info.video, index=0, obstacle=None) if info.video is not None else None
    info = msgspec.structs.replace(info, format="mov,mp4,m4a,3gp,3g2,mj2", video=video, start_s=0.0)
    return msgspec.structs.replace(request, source=head, info=info, original=original)


async def _few(request: MuxRequest, inputs: list[Input], options: list[str], name: str) -> Path:
    out = request.work / name
    command = ffmpeg.Command(tuple(inputs), ("-c", "copy", *options), output=out, muxer="mp4", duration_s=0.0)
    await ffmpeg.run(command, lambda _: None, limits=request.limits)
    return out


async def append_mp4(
    request: MuxRequest, headers: Path, report: Callable[[float], None], finish: Callable[[Path], None]
) -> bool:
    """Write an MP4 with these headers; `finish` is the last change to it before it has its name. False where FFmpeg
    must do it in one run. Raises as `ffmpeg.run`."""
    flat = await with_flat_sound(request)
    inputs = [Input(request.source, options=("-fflags", "+genpts")), *(Input(dub.path) for dub in flat.dubs)]
    if request.burned is not None:
        inputs.append(Input(request.burned, formats="mov"))
    options = ["-c", "copy", *_AS_IT_IS, *picture(request, Container.MP4, len(inputs) - 1 if request.burned else 0)]
    for number in range(len(flat.dubs)):
        options += ["-map", f"{number + 1}:a:0"]
    if request.original is not None:
        options += ["-map", f"0:{request.original.index}"]
    command = ffmpeg.Command(
        inputs=tuple(inputs),
        options=(*options, "-map_metadata", "-1", "-map_chapters", "-1", *_FRAGMENTED),
        output=request.out,
        muxer="mp4",
        duration_s=request.duration_s,
        tail=ffmpeg.WHOLE_TIMELINE,
    )
    asked = StreamRequest(
        stream="",
        tracks=_tracks(request),
        room_bytes=_room(request, headers),
        folder=str(request.work),
        duration_s=request.duration_s,
        frame=str(headers),
    )
    return await _append(request, command, asked, report, finish)


async def append_matroska(
    request: MuxRequest, command: ffmpeg.Command, report: Callable[[float], None], finish: Callable[[Path], None]
) -> bool:
    """Write a Matroska or WebM with FFmpeg's command for it, as `append_mp4`."""
    command = msgspec.structs.replace(command, options=(*command.options, *_AS_IT_IS, *_CLUSTERED))
    cues = sum(len(lines.cues) for lines in request.lines)
    room = _LEAST_ROOM + _CUE_BYTES * (round(request.duration_s) + cues)
    asked = StreamRequest(
        stream="", tracks=(), room_bytes=room, folder=str(request.work), duration_s=request.duration_s
    )
    return await _append(request, command, asked, report, finish)


async def _append(
    request: MuxRequest,
    command: ffmpeg.Command,
    asked: StreamRequest,
    report: Callable[[float], None],
    finish: Callable[[Path], None],
) -> bool:
    folder = request.pieces or request.work
    await asyncio.to_thread(folder.mkdir, parents=True, exist_ok=True)
    stream, position = folder / f"stream{request.out.suffix}", folder / "synced"
    data = await asyncio.to_thread(load, position)
    asked = msgspec.structs.replace(asked, stream=str(stream), synced_bytes=int(data) if data is not None else 0)
    begun = await run_task("begin_stream", asked, StreamBegun, report=lambda _: None, limits=request.limits)
    if begun.unsuitable is not None:
        return _refused(begun.unsuitable)
    try:
        async with _synced(stream, position):
            await ffmpeg.run(_going_on(command, stream, begun.start_s), report, limits=request.limits)
    except DubError as error:
        if error.problem is not MEDIA_TOOL_FAILED:
            raise
        return _refused(error.detail)
    done = await run_task("finish_stream", asked, TablesRead, report=lambda _: None, limits=request.limits)
    await asyncio.to_thread(position.unlink, missing_ok=True)  # what follows may move the media
    if done.unsuitable is not None:
        await asyncio.to_thread(stream.unlink)
        return _refused(done.unsuitable)
    await asyncio.to_thread(finish, stream)
    await asyncio.to_thread(move, stream, request.out, durable=Durable.CONTENT)
    return True


def _going_on(command: ffmpeg.Command, stream: Path, start_s: float) -> ffmpeg.Command:
    """The command from this time of the film on."""
    seek = ("-ss", f"{start_s:.3f}") if start_s else ()
    inputs = tuple(
        each if each.formats == "ffmetadata" else msgspec.structs.replace(each, options=(*seek, *each.options))
        for each in command.inputs
    )
    return msgspec.structs.replace(command, inputs=inputs, output=stream, appends=True)


def _refused(reason: str) -> bool:
    mux_pieces.log_ffmpeg(reason)
    return False


async def with_flat_sound(request: MuxRequest) -> MuxRequest:
    """The request of dubs in Matroska: FFmpeg reads those without an index in memory."""
    dubs = [
        msgspec.structs.replace(dub, path=await _flat(request, number)) if dub.path.suffix == ".m4a" else dub
        for number, dub in enumerate(request.dubs)
    ]
    return msgspec.structs.replace(request, dubs=tuple(dubs))


async def _flat(request: MuxRequest, number: int) -> Path:
    dub, work = request.dubs[number], request.work
    headers, out = work / f"sound{number}.headers.mka", work / f"sound{number}.mka"
    outline = await mux_pieces.outline(dub.path, work / f"sound{number}.mp4", request.limits)
    await ffmpeg.run(
        ffmpeg.Command(
            inputs=(Input(outline, formats="mov"),),
            options=("-c", "copy", "-map", "0:a:0"),
            output=headers,
            muxer="matroska",
            duration_s=0.0,
        ),
        lambda _: None,
        limits=request.limits,
    )
    asked = JoinTracksRequest(
        str(headers), request.duration_s, (JoinedTrack(str(dub.path), 0, "audio"),), str(out), str(work / "sound")
    )
    read = await run_task("join_tracks", asked, TablesRead, report=lambda _: None, limits=request.limits)
    return out if read.unsuitable is None else dub.path


def _tracks(request: MuxRequest) -> tuple[JoinedTrack, ...]:
    """In the order in which FFmpeg writes them."""
    tracks = [JoinedTrack("", 0, "video"), *(JoinedTrack(str(dub.path), 0, "audio") for dub in request.dubs)]
    return (*tracks, *([JoinedTrack("", 0, "audio")] if request.original is not None else []))


def _room(request: MuxRequest, headers: Path) -> int:
    """Bytes of the index, and a little more."""
    info = request.info.video
    rate = info.fps if info is not None and info.fps else _FASTEST
    a_second = rate * _BYTES_A_PICTURE + _FRAMES * _BYTES_A_FRAME * (len(request.dubs) + 1)
    return _LEAST_ROOM + headers.stat().st_size + round(request.duration_s * a_second)


@contextlib.asynccontextmanager
async def _synced(stream: Path, position: Path) -> AsyncIterator[None]:
    """While FFmpeg appends, bring what it has written to the disk from time to time, and say how much is there."""

    def sync(marked: int) -> int:
        with stream.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            if size - marked < _MARK_BYTES:
                return marked
            os.fdatasync(file.fileno())
        store(position, str(size).encode())
        return size

    async def look() -> None:
        marked = 0
        while True:
            await asyncio.sleep(_LOOK_S)
            marked = await asyncio.to_thread(sync, marked)

    looking = asyncio.create_task(look())
    try:
        yield
    finally:
        looking.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await looking
