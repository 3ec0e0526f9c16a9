"""Joins the streams that were downloaded into one file, with title, chapters and cover. Nothing is encoded."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from app.links.tasks import Chapter, Fetched, Stream
from app.media import ffmpeg
from app.media.ffmpeg import Command, Input
from app.system.children import NO_LIMITS, Limits
from app.system.durable_files import Durable, write

_MP4: Final = frozenset({"mp4", "m4a", "m4v", "mov"})
_COVERS: Final = {".jpg": "jpeg_pipe", ".png": "png_pipe"}
_SPECIAL: Final = re.compile(r"([=;#\\\n])")


def extension_of(streams: Sequence[Stream]) -> str:
    """MP4 where all streams come in MP4, else Matroska, which takes everything."""
    if not all(stream.extension in _MP4 for stream in streams):
        return "mkv"
    return "mp4" if any(stream.has_video for stream in streams) else "m4a"


def is_whole(fetched: Fetched) -> bool:
    """Whether the one file that came is what a job is made of: nothing has to be added to it."""
    cover = Path(fetched.thumbnail).suffix in _COVERS and extension_of(fetched.streams) != "mkv"
    return len(fetched.streams) == 1 and not fetched.chapters and not cover


async def join(
    fetched: Fetched,
    output: Path,
    *,
    title: str,
    duration_s: float | None,
    report: Callable[[float], None] = lambda _: None,
    limits: Limits = NO_LIMITS,
) -> None:
    """Write `output`, whose extension is `extension_of` the streams. Raises media_tool_failed, media_limit,
    disk_full."""
    inputs = [Input(Path(stream.path)) for stream in fetched.streams]
    maps: list[str] = []
    pictures = 0
    for number, stream in enumerate(fetched.streams):
        if stream.has_video and not pictures:
            maps += ["-map", f"{number}:v:0?"]
            pictures += 1
        if stream.has_audio:
            maps += ["-map", f"{number}:a?"]
    covers: list[str] = []
    if (kind := _COVERS.get(Path(fetched.thumbnail).suffix)) is not None and output.suffix != ".mkv":
        inputs.append(Input(Path(fetched.thumbnail), formats=kind))
        maps += ["-map", f"{len(inputs) - 1}:v:0"]
        covers = [f"-disposition:v:{pictures}", "attached_pic"]
    chapters = output.with_name("chapters.txt")
    write(chapters, _chapters(fetched.chapters), durable=Durable.NO)
    inputs.append(Input(chapters, formats="ffmetadata"))
    last = str(len(inputs) - 1)  # of the chapters; of the streams, their languages are kept
    options = [*maps, "-c", "copy", *covers, "-map_metadata", last, "-map_chapters", last]
    options += ffmpeg.metadata("g", "title", title)
    if output.suffix != ".mkv":
        options += ["-movflags", "+faststart"]
    muxer = {".mkv": "matroska", ".m4a": "ipod"}.get(output.suffix, "mp4")
    command = Command(
        inputs=tuple(inputs), options=tuple(options), output=output, muxer=muxer, duration_s=duration_s or 0.0
    )
    await ffmpeg.run(command, report, limits=limits)


def _chapters(chapters: Sequence[Chapter]) -> bytes:
    """As ffmpeg's metadata file has them."""
    lines = [";FFMETADATA1"]
    for chapter in chapters:
        # FFmpeg does not read an escaped backslash at the end of a line, and takes the next line for a part of it
        title = _SPECIAL.sub(r"\\\1", chapter.title.rstrip("\\"))
        lines += ["[CHAPTER]", "TIMEBASE=1/1000"]
        lines += [f"START={round(chapter.start_s * 1000)}", f"END={round(chapter.end_s * 1000)}", f"title={title}"]
    return ("\n".join(lines) + "\n").encode()
