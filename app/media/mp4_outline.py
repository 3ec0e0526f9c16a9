"""Writes an MP4 that has the headers of another one and few of its samples, for FFmpeg to read in its place.

FFmpeg needs the headers to say what a track is, and one sample to write the header of a copy. Of tracks that are small
(subtitles, chapters, a cover) all samples are there.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np

from app.media.mp4_movie import Block, Movie, Track, is_plain
from app.media.mp4_parts import Copied, Part, box, full_box, rebuilt, size_of, write
from app.media.mp4_tables import UnsuitableError, read

_FEW: Final = 5_000  # samples
_LITTLE: Final = 1 << 24  # bytes
_MOST_MOOV_BYTES: Final = 1 << 26  # without the tables: covers lie there


def write_outline(movie: Movie, out: Path) -> None:
    """Write `out`. Raises UnsuitableError, OSError."""
    samples = [_few_samples(movie, track) for track in movie.tracks]
    brand = box(b"ftyp", b"isom", struct.pack(">I", 0x200), b"isom")
    if movie.brand == b"qt  ":
        brand = box(b"ftyp", b"qt  ", struct.pack(">I", 0x200), b"qt  ")

    def moov(first_at: int) -> list[Part]:
        tracks = iter(zip(movie.tracks, samples, _places(samples, first_at), strict=True))
        return box(b"moov", *rebuilt(movie.file, movie.moov, {b"trak": lambda _, __: _outlined(movie, *next(tracks))}))

    size = size_of(moov(0))
    if size > _MOST_MOOV_BYTES:
        raise UnsuitableError("the headers are too long")
    media: list[Part] = [
        Copied(movie.file, int(at), int(length))
        for block in samples
        for at, length in zip(block.offsets, block.sizes, strict=True)
    ]
    with out.open("wb") as file:
        write(file, [*brand, *moov(size_of(brand) + size + 8), *box(b"mdat", *media)])


def _few_samples(movie: Movie, track: Track) -> Block:
    blocks = movie.blocks(track)
    first = next(blocks, None)
    if first is None:
        return Block(np.zeros(1, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64))
    is_small = (
        track.handler not in (b"vide", b"soun")
        and track.samples <= _FEW
        and int(first.sizes.sum()) <= _LITTLE
        and is_plain(movie, track)
    )
    if not is_small and int(first.sizes[0]) > _LITTLE:
        raise UnsuitableError("a sample is very large")
    return first if is_small else first.part(0, 1)


def _places(samples: list[Block], first_at: int) -> list[int]:
    ends = np.cumsum([int(block.sizes.sum()) for block in samples])
    return [first_at, *(first_at + int(end) for end in ends[:-1])][: len(samples)]


def _outlined(movie: Movie, track: Track, samples: Block, at: int) -> list[Part]:
    # what is shown of a track is of no use for a single sample: it may begin after it
    return _track(movie, track, samples, at, has_edits=len(samples.sizes) == track.samples)


def write_window(movie: Movie, track: Track, samples: Block, out: BinaryIO, *, has_edits: bool) -> int:
    """Write an MP4 of these samples of one track alone; returns where the first of them lies. Without the edit list
    the first sample has the time 0. Raises UnsuitableError, OSError."""
    brand = box(b"ftyp", b"isom", struct.pack(">I", 0x200), b"isom")
    header: Part = Copied(movie.file, movie.header[0], movie.header[1] - movie.header[0])

    def moov(at: int) -> list[Part]:
        return box(b"moov", *box(b"mvhd", header), *_track(movie, track, samples, at, has_edits=has_edits))

    at = size_of(brand) + size_of(moov(0)) + 8
    breaks = np.flatnonzero(samples.offsets[1:] != (samples.offsets + samples.sizes)[:-1]) + 1
    firsts = [0, *breaks.tolist()]
    media: list[Part] = [
        Copied(movie.file, int(samples.offsets[first]), int(samples.sizes[first:until].sum()))
        for first, until in zip(firsts, [*firsts[1:], len(samples.sizes)], strict=True)
    ]
    write(out, [*brand, *moov(at), *box(b"mdat", *media)])
    return at


def _track(movie: Movie, track: Track, samples: Block, at: int, *, has_edits: bool) -> list[Part]:
    count = len(samples.sizes)
    stsd_at, stsd_end = track.tables[b"stsd"]
    lengths = np.diff(samples.starts)
    table = box(
        b"stbl",
        *box(b"stsd", Copied(movie.file, stsd_at, stsd_end - stsd_at)),
        *full_box(b"stts", struct.pack(">I", count), np.stack([np.ones(count), lengths], 1).astype(">u4").tobytes()),
        *full_box(b"stsc", struct.pack(">IIII", 1, 1, count, 1) if count else struct.pack(">I", 0)),
        *full_box(b"stsz", struct.pack(">II", 0, count), samples.sizes.astype(">u4").tobytes()),
        *full_box(b"stco", struct.pack(">II", 1, at) if count else struct.pack(">I", 0)),
    )
    return box(
        b"trak",
        *rebuilt(
            movie.file,
            track.span,
            {
                b"edts": lambda start, end: box(b"edts", Copied(movie.file, start, end - start)) if has_edits else [],
                b"mdia": lambda start, end: box(
                    b"mdia",
                    *rebuilt(
                        movie.file,
                        (start, end),
                        {
                            b"minf": lambda start, end: box(
                                b"minf", *rebuilt(movie.file, (start, end), {b"stbl": lambda _, __: table})
                            )
                        },
                    ),
                ),
            },
        ),
    )


def first_sample(movie: Movie, track: Track) -> bytes:
    """The bytes of a track's first sample; none where it has no sample. Raises UnsuitableError, OSError."""
    block = next(movie.blocks(track), None)
    if block is None or int(block.sizes[0]) > _LITTLE:
        return b""
    return read(movie.file, int(block.offsets[0]), int(block.sizes[0]))
