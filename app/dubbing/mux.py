"""The finished video: the source's picture as it is, the dub as its sound, subtitles beside it."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Final

import msgspec

from app.domain.media import MediaInfo
from app.dubbing.subtitles import Cue, parse, write_srt
from app.media import ffmpeg
from app.media.ffmpeg import Input
from app.media.languages import track_language
from app.processes import NO_LIMITS, Limits

# What players expect inside MP4. VP8 cannot be put there at all; ProRes, DNxHD and raw pictures are safer in Matroska.
_MP4_VIDEO: Final = frozenset({"h264", "hevc", "av1", "vp9", "mpeg4", "mpeg2video", "mpeg1video"})
_MP4_AUDIO: Final = frozenset({"aac", "mp3", "mp2", "ac3", "eac3", "alac", "opus", "flac"})
_MKV_AUDIO: Final = _MP4_AUDIO | {"vorbis", "dts", "truehd", "mlp", "wavpack", "tta", "pcm_s16le", "pcm_s24le", "pcm_s32le", "pcm_f32le"}

# One damaged packet may claim to be shown hours after it is decoded, which MP4 cannot say.
_SANE_TIMES: Final = r"setts=pts=if(lt(abs(PTS-DTS)*TB\,10)\,PTS\,DTS)"


class MuxRequest(msgspec.Struct, frozen=True):
    """`track` is the dub (AAC in MP4) on the video's timeline. `out`'s extension is `output_extension(info)`, or "mp4" with a burned picture.

    `language` and `source_language` are ISO 639-1 or None. `burned` is what `app.dubbing.burn` made: it replaces the source's picture.
    """

    source: Path
    track: Path
    out: Path
    info: MediaInfo
    duration_s: float
    language: str | None
    source_language: str | None
    subtitles_srt: Path | None
    keep_original_track: bool
    audio_track: int
    burned: Path | None
    limits: Limits = NO_LIMITS


def output_extension(info: MediaInfo) -> str:
    """ "mp4" when the picture may be copied into MP4, "mkv" when not, "m4a" for sound alone."""
    if info.video is None:
        return "m4a"
    return "mp4" if info.video.codec in _MP4_VIDEO else "mkv"


async def mux(request: MuxRequest, report: ffmpeg.Report) -> None:
    """Write the output: the picture stream-copied, the dub first and default, then (when wished) the original sound, soft subtitles, the source's
    metadata and chapters. Nothing is cut: the output lasts as long as the source. Raises as `ffmpeg.run`.
    """
    clipped = request.out.with_name(request.out.name + ".srt")
    try:
        request = msgspec.structs.replace(request, subtitles_srt=await asyncio.to_thread(_clip_subtitles, request, clipped))
        command = ffmpeg.Command(
            inputs=_inputs(request), options=(*_streams(request), *_labels(request)), output=request.out, muxer=_muxer(request),
            duration_s=request.duration_s, tail=ffmpeg.WHOLE_TIMELINE,
        )  # fmt: skip
        await ffmpeg.run(command, report, limits=request.limits)
    finally:
        clipped.unlink(missing_ok=True)


def _clip_subtitles(request: MuxRequest, clipped: Path) -> Path | None:
    """The subtitles within the picture's time: a cue that goes on beyond it would make the file longer. None when none is left."""
    if request.subtitles_srt is None or request.info.video is None:
        return None
    end_s = request.duration_s
    cues = [Cue(cue.start_s, min(cue.end_s, end_s), cue.text) for cue in parse(request.subtitles_srt.read_bytes()) if cue.start_s < end_s - 0.001]
    if not cues:
        return None
    clipped.write_text(write_srt(cues), encoding="utf-8")
    return clipped


def _muxer(request: MuxRequest) -> str:
    return {".mkv": "matroska", ".m4a": "ipod"}.get(request.out.suffix, "mp4")


def _inputs(request: MuxRequest) -> tuple[Input, ...]:
    # AVI and some MPEG-TS give no presentation times for H.264; ffmpeg works them out.
    inputs = [Input(request.source, options=("-fflags", "+genpts")), Input(request.track, formats="mov")]
    if request.subtitles_srt is not None:
        inputs.append(Input(request.subtitles_srt, formats="srt", options=("-sub_charenc", "UTF-8")))
    if request.burned is not None:
        inputs.append(Input(request.burned, formats="mov"))
    return tuple(inputs)


def _streams(request: MuxRequest) -> list[str]:
    video, is_mkv, is_broadcast = request.info.video, request.out.suffix == ".mkv", request.info.format.startswith("mpegts")
    options = ["-c", "copy"]
    if request.burned is not None:
        options += ["-map", f"{3 if request.subtitles_srt else 2}:v:0"]
    elif video is not None:
        options += ["-map", f"0:{video.index}"]
        if is_broadcast:
            options += ["-bsf:v", _SANE_TIMES]
        elif video.codec == "mpeg4":
            options += ["-bsf:v", "mpeg4_unpack_bframes"]  # DivX in AVI packs two frames into one packet
        if video.codec == "hevc" and not is_mkv:
            options += ["-tag:v", "hvc1"]  # QuickTime and Safari play no other
    options += ["-map", "1:a:0"]
    if _keeps_original(request):
        original = request.info.audio[request.audio_track]
        options += ["-map", f"0:{original.index}"]
        # A recorded broadcast has broken packets; a decoder steps over them, repacking AAC for MP4 would give up.
        if original.codec not in (_MKV_AUDIO if is_mkv else _MP4_AUDIO) or (is_broadcast and original.codec == "aac"):
            options += ["-c:a:1", "aac", "-b:a:1", "192k", "-filter:a:1", "aresample=async=1"]
    if request.subtitles_srt is not None:
        options += ["-map", "2:s:0", "-c:s", "srt" if is_mkv else "mov_text"]
    options += ["-map_metadata", "0", "-map_chapters", "0"]
    if not is_mkv:
        options += ["-movflags", "+faststart", "-write_tmcd", "0"]
    return options


def _labels(request: MuxRequest) -> list[str]:
    language = track_language(request.language)
    options = [*ffmpeg.metadata("s:a:0", "language", language), *_title("s:a:0", "Dub"), "-disposition:a:0", "default"]
    if _keeps_original(request):
        original = request.info.audio[request.audio_track]
        options += [
            *ffmpeg.metadata("s:a:1", "language", track_language(original.language or request.source_language)),
            *_title("s:a:1", original.title or "Original"), "-disposition:a:1", "0",
        ]  # fmt: skip
    if request.subtitles_srt is not None:
        options += [*ffmpeg.metadata("s:s:0", "language", language), "-disposition:s:0", "0"]
    return options


def _title(stream: str, title: str) -> tuple[str, ...]:
    """Matroska has titles; MP4 has names of handlers, and players show those."""
    return *ffmpeg.metadata(stream, "title", title), *ffmpeg.metadata(stream, "handler_name", title)


def _keeps_original(request: MuxRequest) -> bool:
    return request.keep_original_track and request.audio_track < len(request.info.audio)
