"""Joins tracks of several MP4 files into one: the samples are copied as they are, and memory does not grow with them.

The index is known before a sample is copied and stands in front. Copying can be taken up where it stopped: `Joined`
says how far it has come, and the caller writes that down.
"""

from __future__ import annotations

import array
import hashlib
import math
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
import numpy as np

from app.media.mp4_copy import copy_samples
from app.media.mp4_movie import Block, Edit, Movie, Track
from app.media.mp4_parts import Copied, Part, box, full_box, pieces, rebuilt, size_of, write
from app.media.mp4_tables import Span, read

_CHUNK_S: Final = 1.0  # of each track in turn: a player reads all of them at the same place
_MARK_EVERY: Final = 256 << 20
_NARROW_END: Final = 1 << 32  # `stco` has 32 bits for a place in the file, `co64` 64
# tables that go with the samples, whatever lies where
_KEPT_TABLES: Final = (b"stts", b"ctts", b"cslg", b"stss", b"stsz", b"stz2", b"sgpd", b"sbgp")


class Source(msgspec.Struct, frozen=True):
    """A track of an open file and the track of the frame whose header it gets, counted from 0. `start_s` is what its
    file's clock shows at the beginning; `keeps_description`: its own sample description is taken, not the frame's."""

    movie: Movie
    track: Track
    start_s: float = 0.0
    keeps_description: bool = False


class _Layout(msgspec.Struct):
    """The chunks of a track as they will be: the place of each in the media, and runs of equal numbers of samples."""

    places: array.array[int]
    runs: array.array[int]  # first chunk (from 1), samples, kind
    ticks: int = 0
    size: int = 0
    last: int = 0

    def add(self, place: int, block: Block) -> None:
        self.places.append(place)
        if len(block.sizes) != self.last:
            self.last = len(block.sizes)
            self.runs.extend((len(self.places), self.last, 1))
        self.ticks = int(block.starts[-1])
        self.size += int(block.sizes.sum())


class Join:
    """One file of many tracks. `frame` is an MP4 that has the headers of all tracks, in the order of `sources`."""

    def __init__(self, frame: Movie, sources: list[Source]) -> None:
        """Reads all tables once. Raises UnsuitableError, OSError."""
        self._frame, self._sources = frame, sources
        self._layouts = [_Layout(array.array("Q"), array.array("I")) for _ in sources]
        at = 0
        for number, block in self._chunks():
            self._layouts[number].add(at, block)
            at += int(block.sizes.sum())
        self.media_bytes = at
        self.length_s = 0.0  # of what is shown and heard
        self._head = self._index()

    def write(
        self, out: Path, found: Position | None, report: Callable[[float], None], mark: Callable[[Position], None]
    ) -> None:
        """Write `out`, or go on where `found` says that it was; `mark` hears how much of it is on disk. Raises
        UnsuitableError, OSError."""
        sha = hashlib.sha256()
        for part in self._head:
            for data in [part] if isinstance(part, bytes) else pieces(part):
                sha.update(data)
        name, begin = sha.hexdigest(), size_of(self._head)
        done = (
            found.media_bytes
            if found is not None and found.head == name and _reaches(out, begin + found.media_bytes)
            else 0
        )
        with out.open("r+b" if done else "wb", buffering=0) as file:
            if done:
                file.truncate(begin + done)
            else:
                write(file, self._head)
            file.seek(begin + done)
            at = marked = 0
            for number, block in self._chunks():
                size = int(block.sizes.sum())
                if at >= done:
                    copy_samples(self._sources[number].movie.file, file, block)
                    if at + size - marked >= _MARK_EVERY:
                        os.fdatasync(file.fileno())
                        marked = at + size
                        mark(Position(name, marked))
                    report((at + size) / max(self.media_bytes, 1))
                at += size
                marked = max(marked, min(at, done))

    def _chunks(self) -> Iterator[tuple[int, Block]]:
        """The chunks of all tracks in the order of the file, each with its track's number."""
        cursors = [_Cursor(source) for source in self._sources]
        while True:
            times = [cursor.next_s() for cursor in cursors]
            earliest = min(times, default=math.inf)
            if earliest == math.inf:
                return
            until_s = (math.floor(earliest / _CHUNK_S) + 1) * _CHUNK_S
            for number, cursor in enumerate(cursors):
                block = cursor.take(until_s, least=1 if times[number] == earliest else 0)
                if len(block.sizes):
                    yield number, block

    def _index(self) -> list[Part]:
        frame = self._frame
        brand: list[Part] = [Copied(frame.file, at, size) for at, size in _brand(frame)]
        shown = [_shown(source, layout) for source, layout in zip(self._sources, self._layouts, strict=True)]
        self.length_s = longest = max((delay + length for delay, length, _ in shown), default=0.0)

        def moov(first_at: int, *, is_wide: bool) -> list[Part]:
            numbers = iter(range(len(self._sources)))

            def track(start: int, end: int) -> list[Part]:
                number = next(numbers)
                return self._track(number, (start, end), shown[number], first_at, is_wide=is_wide)

            changes = {
                b"mvhd": lambda start, end: box(
                    b"mvhd", _with_duration(frame.file, (start, end), round(longest * frame.timescale), 16, 24)
                ),
                b"trak": track,
            }
            return box(b"moov", *rebuilt(frame.file, frame.moov, changes))

        narrow = size_of(brand) + size_of(moov(0, is_wide=False)) + 16
        is_wide = narrow + self.media_bytes >= _NARROW_END
        begin = size_of(brand) + size_of(moov(0, is_wide=True)) + 16 if is_wide else narrow
        return [
            *brand,
            *moov(begin, is_wide=is_wide),
            struct.pack(">I4sQ", 1, b"mdat", 16 + self.media_bytes),
        ]

    def _track(
        self, number: int, span: Span, shown: tuple[float, float, Edit | None], first_at: int, *, is_wide: bool
    ) -> list[Part]:
        frame, source = self._frame, self._sources[number]
        delay_s, length_s, edit = shown
        duration = round((delay_s + length_s) * frame.timescale)
        edits = _edits(delay_s, length_s, edit.media_start, frame.timescale) if edit is not None else []
        table = self._table(number, span, first_at, is_wide=is_wide)

        def minf(start: int, end: int) -> list[Part]:
            return box(b"minf", *rebuilt(frame.file, (start, end), {b"stbl": lambda _, __: table}))

        def mdia(start: int, end: int) -> list[Part]:
            header = {b"mdhd": lambda at, until: _media_header(frame.file, (at, until), source, self._layouts[number])}
            return box(b"mdia", *rebuilt(frame.file, (start, end), {**header, b"minf": minf}))

        changes = {
            b"tkhd": lambda start, end: [
                *box(b"tkhd", _with_duration(frame.file, (start, end), duration, 20, 28)),
                *edits,
            ],
            b"edts": lambda _, __: [],
            b"mdia": mdia,
        }
        return box(b"trak", *rebuilt(frame.file, span, changes))

    def _table(self, number: int, span: Span, first_at: int, *, is_wide: bool) -> list[Part]:
        source, layout = self._sources[number], self._layouts[number]
        owner = source.movie if source.keeps_description else self._frame
        described = source.track if source.keeps_description else self._frame.tracks[number]
        at, end = described.tables[b"stsd"]
        rate = layout.size * 8 * source.track.timescale // max(layout.ticks, 1)
        description = _with_rate(read(owner.file, at, end - at), min(rate, (1 << 32) - 1))
        parts: list[Part] = box(b"stsd", description)
        for name in _KEPT_TABLES:
            if name in source.track.tables:
                at, end = source.track.tables[name]
                parts += box(name, Copied(source.movie.file, at, end - at))
        runs = np.array(layout.runs, ">u4")
        places = np.array(layout.places, np.int64) + first_at
        parts += full_box(b"stsc", struct.pack(">I", len(runs) // 3), runs.tobytes())
        name, kind = (b"co64", ">u8") if is_wide else (b"stco", ">u4")
        parts += full_box(name, struct.pack(">I", len(places)), places.astype(kind).tobytes())
        return box(b"stbl", *parts)


class Position(msgspec.Struct, frozen=True):
    """How much of the media is on disk behind a head of this hash."""

    head: str
    media_bytes: int


class _Cursor:
    """Reads on in a track."""

    def __init__(self, source: Source) -> None:
        edit = source.track.edit or Edit()
        self._blocks = source.movie.blocks(source.track)
        self._tick_s = 1 / source.track.timescale
        self._shift_s = edit.delay_s - source.start_s - edit.media_start * self._tick_s
        self._block = next(self._blocks, None)
        self._at = 0

    def next_s(self) -> float:
        """When the next sample begins; infinity at the end."""
        if self._block is None:
            return math.inf
        return float(self._block.starts[self._at]) * self._tick_s + self._shift_s

    def take(self, until_s: float, least: int) -> Block:
        """The samples that begin before this time: at least so many, at most those of a block."""
        block, at = self._block, self._at
        if block is None:
            return _NOTHING
        tick = (until_s - self._shift_s) / self._tick_s
        until = max(int(np.searchsorted(block.starts[:-1], tick)), at + least)
        if until >= len(block.sizes):
            self._block, self._at = next(self._blocks, None), 0
        else:
            self._at = until
        return block.part(at, until)


_NOTHING: Final = Block(np.zeros(1, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64))


def _shown(source: Source, layout: _Layout) -> tuple[float, float, Edit | None]:
    """When the track begins to be shown and for how long, in seconds, and the edit that says so (None: all of it, from
    the start)."""
    edit, timescale = source.track.edit, source.track.timescale
    delay_s, media_start = (edit.delay_s, edit.media_start) if edit is not None else (0.0, 0)
    delay_s -= source.start_s
    if delay_s < 0:
        media_start, delay_s = media_start + round(-delay_s * timescale), 0.0
    # the pictures are shown as long as they are decoded, that much later
    length_s = max(layout.ticks + source.track.first_shown - media_start, 0) / timescale
    if edit is not None and edit.length_s is not None:
        length_s = min(edit.length_s, length_s)
    needed = edit is not None or delay_s > 0 or media_start > 0
    return delay_s, length_s, Edit(delay_s, media_start) if needed else None


def _edits(delay_s: float, length_s: float, media_start: int, timescale: int) -> list[Part]:
    entries = [(round(length_s * timescale), media_start)]
    if round(delay_s * timescale):
        entries.insert(0, (round(delay_s * timescale), -1))
    data = b"".join(struct.pack(">QqI", length, start, 1 << 16) for length, start in entries)
    return box(b"edts", *full_box(b"elst", struct.pack(">I", len(entries)), data, version=1))


def _media_header(file: BinaryIO, span: Span, source: Source, layout: _Layout) -> list[Part]:
    at, end = span
    header = read(file, at, end - at)
    if header[0] == 1:
        made, language = header[4:20], header[32:36]
    else:
        created, changed = struct.unpack(">II", header[4:12])
        made, language = struct.pack(">QQ", created, changed), header[20:24]
    return full_box(b"mdhd", made, struct.pack(">IQ", source.track.timescale, layout.ticks), language, version=1)


def _with_duration(file: BinaryIO, span: Span, duration: int, narrow: int, wide: int) -> bytes:
    at, end = span
    header = bytearray(read(file, at, end - at))
    if header[0] == 1:
        header[wide : wide + 8] = struct.pack(">Q", duration)
    else:
        header[narrow : narrow + 4] = struct.pack(">I", min(duration, (1 << 32) - 1))
    return bytes(header)


def _with_rate(description: bytes, rate: int) -> bytes:
    """The sample description with this bit rate where it has a box for one (8.5.2.2): FFmpeg has seen one sample."""
    at = description.find(b"btrt")
    if at < 4 or description[at - 4 : at] != struct.pack(">I", 20) or at + 16 > len(description):
        return description
    return description[: at + 8] + struct.pack(">II", rate, rate) + description[at + 16 :]


def _brand(frame: Movie) -> Iterator[Span]:
    (size,) = struct.unpack(">I", read(frame.file, 0, 4))
    yield 0, size


def _reaches(path: Path, size: int) -> bool:
    return path.exists() and path.stat().st_size >= size
