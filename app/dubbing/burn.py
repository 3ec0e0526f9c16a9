"""Subtitles drawn into the picture, by libass, with fonts of our own. The only stage that encodes video."""

from __future__ import annotations

from pathlib import Path
from typing import Final
from xml.sax.saxutils import escape

import msgspec

from app.domain.media import MediaInfo
from app.dubbing.subtitles import Cue, write_ass
from app.media import ffmpeg
from app.processes import NO_LIMITS, Limits

FONTS: Final = Path(__file__).parents[1] / "media" / "fonts"

# An MP4 whose pictures start late would be shifted to 0 when it is read again; a short silence from 0 on holds its clock.
_CLOCK: Final = ("-f", "lavfi", "-i", "anullsrc=r=48000:cl=mono:d=0.1")

_FONTS_CONF: Final = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>{fonts}</dir>
  <cachedir>{cache}</cachedir>
  <alias binding="strong"><family>sans-serif</family><prefer><family>Noto Sans</family></prefer></alias>
</fontconfig>
"""


class BurnRequest(msgspec.Struct, frozen=True):
    """`out` becomes an MP4 with the picture alone, on the source's timeline. `work` is a folder for the subtitle file and the font cache."""

    source: Path
    out: Path
    info: MediaInfo
    duration_s: float
    cues: tuple[Cue, ...]
    work: Path
    threads: int
    limits: Limits = NO_LIMITS


async def burn(request: BurnRequest, report: ffmpeg.Report) -> None:
    """Encode the picture with the cues drawn in: H.264, every frame at its own time, upright. Raises as `ffmpeg.run`."""
    video = request.info.video
    if video is None:
        raise ValueError("there is no picture to draw into")
    upright = video.rotation_deg % 180 == 0
    width, height = (video.width, video.height) if upright else (video.height, video.width)
    (request.work / "lines.ass").write_text(write_ass(request.cues, width, height), encoding="utf-8")
    command = ffmpeg.Command(
        inputs=(ffmpeg.Input(request.source),),
        options=(
            *_CLOCK, "-map", f"0:{video.index}", "-map", "1:a", "-c:a", "aac", "-map_metadata", "-1", "-map_chapters", "-1",
            # The file's name is ours and the folder is the working directory: nothing to escape in the filter's argument.
            "-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2,ass=lines.ass,format=yuv420p",
            "-c:v", "libx264", "-preset", "veryfast", "-crf", "20", "-threads", str(request.threads),
            "-fps_mode", "vfr", "-enc_time_base:v", "demux",
        ),
        output=request.out, muxer="mp4", duration_s=request.duration_s, tail=ffmpeg.WHOLE_TIMELINE,
    )  # fmt: skip
    await ffmpeg.run(command, report, limits=request.limits, env=font_environment(request.work), cwd=request.work)


def font_environment(work: Path) -> dict[str, str]:
    """What makes libass see the shipped fonts and no others; the configuration is written into `work`."""
    conf = work / "fonts.conf"
    conf.write_text(_FONTS_CONF.format(fonts=escape(str(FONTS)), cache=escape(str(work.resolve() / "fonts.cache"))), encoding="utf-8")
    return {"FONTCONFIG_FILE": str(conf.resolve())}
