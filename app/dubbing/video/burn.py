"""Encodes the picture: to draw subtitles into it (libass, with our own fonts), or because it cannot be copied. No other
module encodes video."""

from __future__ import annotations

import asyncio
import logging
import re
import shutil
from fractions import Fraction
from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

import msgspec

from app.domain.errors import DubError
from app.domain.media import MediaInfo, Obstacle, VideoStream
from app.domain.problems.media import MEDIA_LIMIT, MEDIA_TOOL_FAILED
from app.dubbing.context import fingerprint
from app.dubbing.subtitles.ass_writer import Style, upright_size, write_ass
from app.dubbing.subtitles.cues import Cue
from app.dubbing.video.burn_pieces import BurnPieces, end_s, key_frames
from app.dubbing.worker.client import run_task
from app.dubbing.worker.tasks import JoinedPicture, JoinRequest
from app.media import ffmpeg, video_encoders
from app.media.video_encoders import Encoder
from app.system.children import NO_LIMITS, Limits

log = logging.getLogger(__name__)

FONTS: Final = Path(__file__).parents[2] / "media" / "fonts"

_FONTS_CONF: Final = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{fonts}</dir>
  <cachedir>{cache}</cachedir>
  <alias binding="strong"><family>sans-serif</family><prefer><family>Noto Sans</family></prefer></alias>
</fontconfig>
"""


# Diffuse white is 203 nits (ITU-R BT.2408) and comes out at 82 % of the signal, 1,000 nits at 100 %; below a third of
# white nothing changes but the colour space. FFmpeg has no BT.2390 without a GPU.
_TO_SDR: Final = (
    "zscale=t=linear:npl=203,format=gbrpf32le,zscale=p=bt709,tonemap=mobius:param=0.3:peak=4.93:desat=0,"
    "zscale=t=bt709:m=bt709:p=bt709:r=tv:dither=error_diffusion"
)
# Each frame by its own flags, also where only some are interlaced; a field order that the frame states is believed. One
# picture per frame, as before.
_DEINTERLACE: Final = "bwdif=mode=send_frame:parity=auto:deint=interlaced"
_LEAST_SIDE: Final = 4  # bwdif takes nothing smaller
_DESCRIBED_S: Final = 120.0  # a slow disk and a busy machine; reading a header takes milliseconds
_INDEXED: Final = ("mov", "matroska")
_RUN_UP_S: Final = 2.0
_TICK_S: Final = 2e-6  # less than two pictures ever lie apart, more than a number is rounded by
_HDR: Final = re.compile(r"\b(?:smpte2084|arib-std-b67)\b")  # PQ and HLG


class BurnRequest(msgspec.Struct, frozen=True):
    """`out` becomes an MP4 with the picture alone, on the source's timeline. `work` is a folder for the subtitle file
    and the font cache.

    `resume_folder` is a folder that outlives a kill: what was encoded is found there again, under a name that
    `source_id` (the source's bytes) is part of.
    """

    source: Path
    out: Path
    info: MediaInfo
    duration_s: float
    cues: tuple[Cue, ...]
    work: Path
    threads: int
    style: Style = Style()
    hardware: bool = False
    limits: Limits = NO_LIMITS
    resume_folder: Path | None = None
    source_id: str = ""


async def burn(request: BurnRequest, report: ffmpeg.Report) -> str:
    """Encode the picture with the cues drawn in: H.264, every frame at its own time, upright, progressive, SDR. Returns
    the encoder's name.

    A machine's encoder that fails (a driver, a size that it does not take) is followed by libx264. Raises as
    `ffmpeg.run`.
    """
    video = request.info.video
    if video is None:
        raise ValueError("there is no picture to draw into")
    (request.work / "lines.ass").write_text(
        write_ass(request.cues, *upright_size(request.info), request.style), encoding="utf-8"
    )
    to_sdr = _TO_SDR if await is_hdr(request.source, video, request.limits) else ""
    encoder = await video_encoders.choose(hardware=request.hardware)
    if encoder is video_encoders.SOFTWARE:
        await _in_pieces(request, video, encoder, to_sdr, report)
        return encoder.name
    furthest = 0.0

    def onwards(fraction: float) -> None:
        nonlocal furthest
        furthest = max(furthest, fraction)
        report(furthest)

    if not await asyncio.to_thread(_has_failed, request, video, encoder, to_sdr):
        try:
            await _in_pieces(request, video, encoder, to_sdr, onwards)
            return encoder.name
        except DubError as error:
            if error.problem not in (MEDIA_TOOL_FAILED, MEDIA_LIMIT):
                raise
            log.warning("%s failed, libx264 goes on: %s", encoder.name, error.detail)
    await _in_pieces(request, video, video_encoders.SOFTWARE, to_sdr, onwards, instead_of=encoder.name)
    return video_encoders.SOFTWARE.name


def _has_failed(request: BurnRequest, video: VideoStream, encoder: Encoder, to_sdr: str) -> bool:
    """Whether a run that was killed had already gone on without this encoder."""
    return _folder(request, video, video_encoders.SOFTWARE, to_sdr, encoder.name).exists()


def _folder(request: BurnRequest, video: VideoStream, encoder: Encoder, to_sdr: str, instead_of: str = "") -> Path:
    """Where the pieces are kept. Blocks."""
    lines = (request.work / "lines.ass").read_text("utf-8")
    decided_by = [
        request.source_id,
        video.index,
        _drawing(request, video, encoder, to_sdr),
        lines,
        *([instead_of] if instead_of else []),
    ]
    return (request.resume_folder or request.work) / f"burn-{fingerprint(*decided_by)}"


async def _in_pieces(
    request: BurnRequest,
    video: VideoStream,
    encoder: Encoder,
    to_sdr: str,
    report: ffmpeg.Report,
    *,
    instead_of: str = "",
) -> None:
    """From where an earlier run was killed: pictures that are kept are decoded, where they cannot be skipped, but not
    encoded again.

    `instead_of` is the machine's encoder that has failed here: libx264 goes on after a kill, too, and does not wait for
    it to fail once more.
    """
    pieces = await asyncio.to_thread(lambda: BurnPieces(_folder(request, video, encoder, to_sdr, instead_of)))
    while True:
        if not pieces.whole:
            await _encode(request, video, encoder, to_sdr, report, pieces)
        if await asyncio.to_thread(pieces.joined.exists):
            break
        joining = JoinRequest(pieces.paths(), str(pieces.joined))
        joined = await run_task("join", joining, JoinedPicture, report=lambda _: None, limits=request.limits)
        if joined.damaged is None:
            break
        log.warning("piece %d of a picture is damaged: it is encoded again from there", joined.damaged)
        await asyncio.to_thread(pieces.forget_from, joined.damaged)
    await asyncio.to_thread(pieces.give, request.out)
    report(1.0)


async def _encode(
    request: BurnRequest, video: VideoStream, encoder: Encoder, to_sdr: str, report: ffmpeg.Report, pieces: BurnPieces
) -> None:
    """What is missing behind the last piece. `report` hears first where that is, once the first picture behind it is
    encoded."""
    work = request.work / "pieces"
    await asyncio.to_thread(_emptied, work)
    after_s = await end_s(await asyncio.to_thread(pieces.last), request.work) if pieces.count else None
    found = float(after_s or 0) / request.duration_s

    def onwards(fraction: float) -> None:
        if fraction or not found:  # ffmpeg counts from the first picture that it encodes
            report(min(found + fraction, 1.0))

    command = ffmpeg.Command(
        inputs=(ffmpeg.Input(request.source, options=(*encoder.before, *_skipping(request, after_s))),),
        options=(
            *(("-copyts", "-start_at_zero") if after_s is not None else ()),
            "-map",
            f"0:{video.index}",
            "-map_metadata",
            "-1",
            "-map_chapters",
            "-1",
            *_drawing(request, video, encoder, to_sdr, after_s),
            *encoder.at_key_frames,
            "-force_key_frames",
            key_frames(),
            "-segment_format",
            "nut",
            "-segment_time",
            "0.001",
            "-segment_format_options",
            "avoid_negative_ts=disabled",
            "-avoid_negative_ts",
            "disabled",
        ),
        output=work / "%06d.nut",
        muxer="segment",
        duration_s=request.duration_s,
        tail=ffmpeg.WHOLE_TIMELINE,
        pieces=True,
    )
    async with pieces.arriving(work):
        await ffmpeg.run(
            command,
            onwards,
            limits=encoder.within(request.limits),
            env=font_environment(request.work),
            cwd=request.work,
        )


def _emptied(work: Path) -> None:
    """An encoder that failed may have left pictures there."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir()


def _drawing(
    request: BurnRequest, video: VideoStream, encoder: Encoder, to_sdr: str, after_s: Fraction | None = None
) -> tuple[str, ...]:
    """Filters and encoder; `after_s`: only of pictures that are shown later."""
    # ffmpeg begins anew then, and the deinterlacer would keep a picture back
    changes = video.obstacle is Obstacle.SIZES
    deinterlace = _DEINTERLACE if min(video.width, video.height) >= _LEAST_SIDE and not changes else ""
    later = f"select=gt(t\\,{float(after_s) + _TICK_S:.6f})" if after_s is not None else ""
    # The file's name is ours and the folder is the working directory: nothing to escape in the filter's argument.
    filters = (
        deinterlace,
        later,
        _one_size(request.info),
        "pad=ceil(iw/2)*2:ceil(ih/2)*2",
        to_sdr,
        "ass=lines.ass",
        encoder.filters,
    )
    return (
        "-vf",
        ",".join(part for part in filters if part),
        "-c:v",
        encoder.name,
        *encoder.options,
        "-threads",
        str(request.threads),
        "-fps_mode",
        "vfr",
        "-enc_time_base:v",
        "demux",
    )


def _skipping(request: BurnRequest, after_s: Fraction | None) -> tuple[str, ...]:
    """Where the container's index can be believed, decoding begins shortly before the first picture that is wanted."""
    from_s = float(after_s or 0) - _RUN_UP_S
    return ("-ss", f"{from_s:.3f}") if from_s > 0 and request.info.format.startswith(_INDEXED) else ()


def _one_size(info: MediaInfo) -> str:
    """Where a film changes its size, all of it at that of its largest pictures: whole, in the middle, in black."""
    if info.video is None or info.video.obstacle is not Obstacle.SIZES:
        return ""
    width, height = upright_size(info)
    return f"scale={width}:{height}:force_original_aspect_ratio=decrease,pad={width}:{height}:-1:-1,setsar=1"


async def is_hdr(source: Path, video: VideoStream, limits: Limits = NO_LIMITS) -> bool:
    """True when the picture's transfer function is PQ or HLG, as ffmpeg describes the stream: drawn into H.264 as it
    is, it would look grey."""
    words = (await ffmpeg.ask([], inputs=(ffmpeg.Input(source),), limits=limits, timeout_s=_DESCRIBED_S)).stderr
    stream = re.search(rf"^ *Stream #0:{video.index}\b[^\n]*: Video:[^\n]*", words, re.M)
    return stream is not None and _HDR.search(stream.group()) is not None


def font_environment(work: Path) -> dict[str, str]:
    """What makes libass see the shipped fonts and no others; the configuration is written into `work`."""
    conf, cache = work / "fonts.conf", work.resolve() / "fonts.cache"
    cache.mkdir(exist_ok=True)  # fontconfig would make it with a mode of its own, which others may enter
    conf.write_text(_FONTS_CONF.format(fonts=escape(str(FONTS)), cache=escape(str(cache))), encoding="utf-8")
    return {"FONTCONFIG_FILE": str(conf.resolve())}
