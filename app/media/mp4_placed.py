"""Makes an MP4 where it lies of a stream that FFmpeg has appended in several runs: the media is written once.

The file begins with room for the index, and small tracks of the headers' file (subtitles, chapters). Then come FFmpeg's
fragments; their own indexes stay between the media, where no player looks. Imports numpy: for a child process.
"""

from __future__ import annotations

import array
import os
import struct
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from app.media.mp4_collect import Collected
from app.media.mp4_fragments import whole_end
from app.media.mp4_head import Index, Layout, Source
from app.media.mp4_movie import Movie
from app.media.mp4_parts import Copied, Part, size_of, write
from app.media.mp4_tables import UnsuitableError

_NARROW_END: Final = 1 << 32
_BACK_S: Final = 1.0  # a run begins so far before the place where the last one ended
_FREE_HEAD: Final = 8
_ZEROS: Final = bytes(1 << 16)


def begin(stream: Path, frame: Movie, own: int, room: int, synced: int, folder: Path) -> float:
    """Begin the file, or make it ready to go on; returns where in the film FFmpeg begins, in seconds.
    `own` is the number of the frame's first track whose samples it has itself, `synced` how much of the file is on
    disk. Raises UnsuitableError, OSError."""
    parts, _ = _front(frame, own, room)
    first = size_of(parts)
    is_begun = synced > first and stream.exists() and stream.stat().st_size >= synced
    with stream.open("r+b" if is_begun else "w+b") as file:
        write(file, parts)
        end = whole_end(file, first, synced) if is_begun else first
        file.truncate(end)
        if end == first:
            return 0.0
        with Collected(file, first, end, folder) as collected:
            return max(0.0, min(collected.reached_s) - _BACK_S)


def finish(stream: Path, frame: Movie, own: int, room: int, sources: Sequence[Source | None], folder: Path) -> float:
    """Write the index of the finished stream: into its room, or behind the media where that is too small. Returns how
    long the film is, in seconds. `sources` are the stream's tracks where a file has their tables; None: those of the
    stream. Raises UnsuitableError, OSError."""
    parts, layouts = _front(frame, own, room)
    first = size_of(parts)
    with stream.open("r+b") as file:
        end = whole_end(file, first, file.seek(0, os.SEEK_END))
        file.truncate(end)
        tables = folder / "tables.mp4"
        with Collected(file, first, end, folder) as collected:
            collected.write(tables)
            with Movie(tables) as movie:
                used = [_used(source, movie, number) for number, source in enumerate(sources)]
                own_sources = [Source(frame, track, keeps_description=True) for track in frame.tracks[own:]]
                index = Index(frame, [*used, *own_sources], [*collected.layouts, *layouts])
                is_wide = end >= _NARROW_END
                moov = index.moov(0, is_wide=is_wide)
                brand = size_of(index.brand())
                left = room - size_of(moov)
                file.seek(brand + room)
                file.write(struct.pack(">I4sQ", 1, b"mdat", end - brand - room))
                if left < _FREE_HEAD:  # to be brought to the front
                    file.seek(end)
                    write(file, moov)
                else:
                    file.seek(brand)
                    write(file, [*moov, struct.pack(">I4s", left, b"free")])
                return index.length_s


def _used(source: Source | None, tables: Movie, number: int) -> Source:
    own = tables.tracks[number]
    if source is None:
        return Source(tables, own)
    if source.track.samples != own.samples:
        raise UnsuitableError(f"{own.samples} of {source.track.samples} samples of a track")
    return source


def _front(frame: Movie, own: int, room: int) -> tuple[list[Part], list[Layout]]:
    """What stands before the stream, and where the samples of the frame's own tracks lie in it."""
    brand = Index(frame, [], []).brand()
    parts: list[Part] = [*brand, struct.pack(">I4s", room, b"free")]
    whole, rest = divmod(room - _FREE_HEAD, len(_ZEROS))
    parts += [*[_ZEROS] * whole, bytes(rest)]
    parts.append(struct.pack(">I4sQ", 1, b"mdat", 0))
    layouts = []
    at = size_of(parts)
    for track in frame.tracks[own:]:
        layout = Layout(array.array("Q"), array.array("I"))
        for block in frame.blocks(track):
            layout.add(at, block.sizes, int(block.starts[-1]))
            for place, size in zip(block.offsets.tolist(), block.sizes.tolist(), strict=True):
                parts.append(Copied(frame.file, place, size))
                at += size
        layouts.append(layout)
    return parts, layouts
