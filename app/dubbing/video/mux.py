"""Muxes the finished video: the source's picture copied, one or several dubs as sound tracks, and subtitles."""

from __future__ import annotations

import asyncio
import functools
import re
from pathlib import Path
from typing import Final

import msgspec

from app.domain.dub_options import Container
from app.domain.errors import DubError
from app.domain.media import FORMAT_WHITELIST, Obstacle
from app.domain.problems.media import MEDIA_TOOL_FAILED
from app.domain.problems.uploads import DISK_FULL
from app.dubbing.subtitles.cues import flatten
from app.dubbing.subtitles.srt_vtt import write_srt, write_vtt
from app.dubbing.video import containers, mux_append, mux_pieces, mux_sounds
from app.dubbing.video.containers import output_extension as output_extension
from app.dubbing.video.mux_options import container_of, is_fragile, label, picture, sound
from app.dubbing.video.mux_request import CueTrack as CueTrack
from app.dubbing.video.mux_request import DubbedTrack as DubbedTrack
from app.dubbing.video.mux_request import MuxRequest as MuxRequest
from app.media import ffmpeg, mp4, mp4_index
from app.media.ffmpeg import Input
from app.system.disk_full import is_disk_full

# Facts about the old file that would be untrue of the new one.
_OLD_FACTS: Final = ("major_brand", "minor_version", "compatible_brands", "encoder")
# MP4's samples follow one another, so cues that overlap are shown as one, and their text goes through FFmpeg's SRT
# decoder: what it would take for markup is parted by a word joiner, which has no width. Matroska and WebM keep the text
# as it stands.
_MARKUP: Final = re.compile(r"<(?=/?(?:b|i|u|s|font)\b)|\{(?=\\)|\\(?=[Nnh])", re.I)
_ENDING_BACKSLASHES: Final = re.compile(rb"(?<!\\)(?:\\\\)+(?=\n)")
# of Matroska's index, for a key frame or a subtitle; a picture has a key frame a second at most, on average
_CUE_BYTES: Final = 40
_LEAST_CUES_BYTES: Final = 4096
_ENCODING: Final = 0.8  # the share of the work, where the original sound is encoded
_DEMUXERS: Final = {".m4a": "mov", ".opus": "ogg"}


async def mux(request: MuxRequest, report: ffmpeg.Report) -> None:
    """Write the output: the picture stream-copied, the dubs, then (when wished) the original sound, soft subtitles, the
    source's metadata, chapters and (MP4 to MP4) cover picture. Nothing is cut: the output lasts as long as the source.
    Raises as `ffmpeg.run`.

    An original sound that the container does not take is encoded first (`app.dubbing.video.mux_sounds`). The film is
    written in pieces, of which a kill loses the last one, and in memory that does not grow with the film: of an MP4 the
    samples are copied here (`app.dubbing.video.mux_pieces`), of another file FFmpeg copies them in runs
    (`app.dubbing.video.mux_append`). FFmpeg does all of it in one run where something of the file is not understood.
    """
    if mux_sounds.encodes(request):
        request = await mux_sounds.with_fitting_original(request, lambda done: report(done * _ENCODING))
        report = _from(_ENCODING, report)
    by_tables = mux_pieces.is_possible(request)
    appends = not by_tables and mux_append.is_possible(request)
    joins = by_tables or (appends and mux_append.joins_burned(request))
    has_headers = joins or (appends and request.out.suffix == ".mp4")
    outlined = await _outlined(request, appends=appends) if has_headers else None
    chapters = request.work / "chapters.txt"
    read = _read_chapters(outlined if by_tables and outlined is not None else request, chapters)
    await ffmpeg.run(read, lambda _: None, limits=request.limits)
    await asyncio.to_thread(_mend, chapters)
    lines = await asyncio.to_thread(_write_lines, request)
    finish = functools.partial(_finish, request, has_lines=bool(lines))
    if outlined is not None:
        await ffmpeg.run(_command(outlined, chapters, lines), lambda _: None, limits=request.limits)
        write = mux_pieces.join if joins else mux_append.append_mp4
        if await write(request, outlined.out, report, finish):
            return
    if appends and not has_headers:
        command = _command(await mux_append.with_flat_sound(request), chapters, lines, is_streamed=True)
        if await mux_append.append_matroska(request, command, report, finish):
            return
    try:
        await ffmpeg.run(_command(request, chapters, lines), report, limits=request.limits, finish=finish)
    # a file of just 4 GiB: FFmpeg moves the media itself, and makes the index of wider numbers
    except _NarrowIndexError:
        command = _command(request, chapters, lines, ("-movflags", "+faststart"))
        await ffmpeg.run(command, report, limits=request.limits, finish=finish)


def _from(done: float, report: ffmpeg.Report) -> ffmpeg.Report:
    return lambda fraction: report(done + fraction * (1 - done))


async def _outlined(request: MuxRequest, *, appends: bool) -> MuxRequest | None:
    """The request of headers alone; None where FFmpeg must do all of it."""
    if not appends:
        return await mux_pieces.outlined(request)
    try:
        return await mux_pieces.outlined(await mux_append.with_head(request))
    except DubError as error:
        if error.problem is not MEDIA_TOOL_FAILED:
            raise
        mux_pieces.log_ffmpeg(error.detail)
        return None


class _NarrowIndexError(Exception):
    """There is no room in the numbers of the index."""


def _finish(request: MuxRequest, written: Path, *, has_lines: bool) -> None:
    """What FFmpeg's muxer cannot do, or only by writing the whole file once more. The file has its name only
    afterwards."""
    if container_of(request) != Container.MP4:
        return
    try:
        if not mp4_index.index_to_front(written):
            raise _NarrowIndexError
        if request.burned is None and _obstacle(request) is Obstacle.START:
            mp4.trim_to(written, request.duration_s)
        if has_lines:
            mp4.disable_subtitles(written)
    except OSError as error:
        if is_disk_full(error):
            raise DubError(DISK_FULL) from error
        raise


def _obstacle(request: MuxRequest) -> Obstacle | None:
    return request.info.video.obstacle if request.info.video is not None else None


def _read_chapters(request: MuxRequest, chapters: Path) -> ffmpeg.Command:
    """The source's chapters within its true duration, as text: one that goes on beyond it would make an MP4 longer."""
    options = ("-map_metadata", "0", "-map_chapters", "0", "-t", f"{request.duration_s:.3f}")
    return ffmpeg.Command(
        inputs=(Input(request.source),), options=options, output=chapters, muxer="ffmetadata", duration_s=0.0
    )


def _mend(chapters: Path) -> None:
    """FFmpeg reads the end of a title that ends with a backslash as the title's, however well it has escaped it: it
    goes without."""
    chapters.write_bytes(_ENDING_BACKSLASHES.sub(b"", chapters.read_bytes()))


def _write_lines(request: MuxRequest) -> list[tuple[Input, CueTrack]]:
    """The subtitles as files that their container's muxer takes, within the picture's time: a later end would make the
    file longer."""
    container, end_s = container_of(request), request.duration_s
    written = []
    for number, lines in enumerate(request.lines if request.info.video is not None else ()):
        cues = tuple(
            msgspec.structs.replace(cue, end_s=min(cue.end_s, end_s))
            for cue in lines.cues
            if cue.start_s < end_s - 0.001
        )
        if not cues:
            continue
        name, text = ("webvtt", write_vtt(cues)) if container == Container.WEBM else ("srt", write_srt(cues))
        if container == Container.MP4:
            text = write_srt(
                [msgspec.structs.replace(cue, text=_MARKUP.sub("\\g<0>\u2060", cue.text)) for cue in flatten(cues)]
            )
        path = request.work / f"lines{number}.{name}"
        path.write_text(text, encoding="utf-8")
        written.append((Input(path, formats=name, options=("-sub_charenc", "UTF-8") if name == "srt" else ()), lines))
    return written


def _command(
    request: MuxRequest,
    chapters: Path,
    lines: list[tuple[Input, CueTrack]],
    more: tuple[str, ...] = (),
    *,
    is_streamed: bool = False,
) -> ffmpeg.Command:
    # AVI and some MPEG-TS give no presentation times for H.264; ffmpeg works them out.
    inputs = [Input(request.source, options=("-fflags", "+genpts"))]
    options = ["-c", "copy"]

    def add(file: Input) -> int:
        inputs.append(file)
        return len(inputs) - 1

    container = container_of(request)
    options += picture(request, container, add(Input(request.burned, formats="mov")) if request.burned else 0)
    for number, dub in enumerate(request.dubs):
        options += ["-map", f"{add(Input(dub.path, formats=_DEMUXERS.get(dub.path.suffix, FORMAT_WHITELIST)))}:a:0"]
        options += sound(container, number, dub.codec)
        disposition = f"default+{dub.disposition}" if number == request.default else dub.disposition
        options += label(f"a:{number}", dub.language, dub.title, disposition)
    if request.original is not None:
        number, original = len(request.dubs), request.original
        codec = "" if is_fragile(request) else original.codec
        options += ["-map", f"0:{original.index}", *sound(container, number, codec)]
        options += label(
            f"a:{number}", original.language or request.source_language, original.title or "Original", "original"
        )
    for number, (file, written) in enumerate(lines):
        options += ["-map", f"{add(file)}:s:0", f"-c:s:{number}", "mov_text" if container == Container.MP4 else "copy"]
        options += label(f"s:{number}", written.language, written.title, "0")
    options += ["-map_metadata", "0", "-map_chapters", str(add(Input(chapters, formats="ffmetadata")))]
    for fact in _OLD_FACTS:
        options += ["-metadata", f"{fact}="]
    # The index comes first, so that playing and seeking start at once over a network. MP4's is brought there afterwards
    # (`_finish`); for that of Matroska there is room in front, and where it is too small FFmpeg moves everything.
    room = _CUE_BYTES * round(request.duration_s + sum(len(written.cues) for _, written in lines)) + _LEAST_CUES_BYTES
    if container == Container.MP4:
        options += ["-write_tmcd", "0", *more]
    elif not is_streamed:
        options += ["-cues_to_front", "1", "-reserve_index_space", str(room)]
    muxer = "ipod" if request.out.suffix == ".m4a" else containers.MUXERS[container]
    return ffmpeg.Command(
        inputs=tuple(inputs),
        options=tuple(options),
        output=request.out,
        muxer=muxer,
        duration_s=request.duration_s,
        tail=ffmpeg.WHOLE_TIMELINE,
    )
