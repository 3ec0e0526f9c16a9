"""The index of an MP4 made of tracks of other files: headers of one file, tables of others, and where the samples lie.

Tables are copied from the files that have them only when the index is written: memory does not grow with them.
Imports numpy: for a child process.
"""

from __future__ import annotations

import array
import struct
from collections.abc import Sequence
from typing import BinaryIO, Final

import msgspec
import numpy as np

from app.media.mp4_movie import Edit, Movie, Track
from app.media.mp4_parts import Copied, Part, box, full_box, rebuilt, size_of
from app.media.mp4_tables import Numbers, Span, read

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


class Layout(msgspec.Struct):
    """The chunks of a track as they will be: the place of each in the media, and runs of equal numbers of samples."""

    places: array.array[int]
    runs: array.array[int]  # first chunk (from 1), samples, kind
    ticks: int = 0
    size: int = 0
    last: int = 0

    def add(self, place: int, sizes: Numbers, ticks: int) -> None:
        """A chunk of samples of these sizes, after which the track lasts so long."""
        self.places.append(place)
        if len(sizes) != self.last:
            self.last = len(sizes)
            self.runs.extend((len(self.places), self.last, 1))
        self.ticks = ticks
        self.size += int(sizes.sum())


class Index:
    """The index of a file of many tracks. `frame` is an MP4 that has the headers of all tracks, in the order of
    `sources`; `layouts` say where the samples of each lie. Raises UnsuitableError, OSError."""

    def __init__(self, frame: Movie, sources: Sequence[Source], layouts: Sequence[Layout]) -> None:
        self._frame, self._sources, self._layouts = frame, sources, layouts
        self._all_shown = [shown(source, layout) for source, layout in zip(sources, layouts, strict=True)]
        self.length_s = max((delay + length for delay, length, _ in self._all_shown), default=0.0)

    def front(self, media_bytes: int) -> list[Part]:
        """What stands before media whose places are counted from its beginning."""
        brand = self.brand()
        narrow = size_of(brand) + size_of(self.moov(0, is_wide=False)) + 16
        is_wide = narrow + media_bytes >= _NARROW_END
        begin = size_of(brand) + size_of(self.moov(0, is_wide=True)) + 16 if is_wide else narrow
        return [*brand, *self.moov(begin, is_wide=is_wide), struct.pack(">I4sQ", 1, b"mdat", 16 + media_bytes)]

    def brand(self) -> list[Part]:
        """The first box of the file."""
        (size,) = struct.unpack(">I", read(self._frame.file, 0, 4))
        return [Copied(self._frame.file, 0, size)]

    def moov(self, first_at: int, *, is_wide: bool) -> list[Part]:
        """The index as a box; all places lie so much further."""
        frame = self._frame
        numbers = iter(range(len(self._sources)))

        def track(start: int, end: int) -> list[Part]:
            return self._track(next(numbers), (start, end), first_at, is_wide=is_wide)

        changes = {
            b"mvhd": lambda start, end: box(
                b"mvhd", _with_duration(frame.file, (start, end), round(self.length_s * frame.timescale), 16, 24)
            ),
            b"trak": track,
        }
        return box(b"moov", *rebuilt(frame.file, frame.moov, changes))

    def _track(self, number: int, span: Span, first_at: int, *, is_wide: bool) -> list[Part]:
        frame, source = self._frame, self._sources[number]
        delay_s, length_s, edit = self._all_shown[number]
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
        parts += self._roll(number)
        runs = np.array(layout.runs, ">u4")
        places = np.array(layout.places, np.int64) + first_at
        parts += full_box(b"stsc", struct.pack(">I", len(runs) // 3), runs.tobytes())
        name, kind = (b"co64", ">u8") if is_wide else (b"stco", ">u4")
        parts += full_box(name, struct.pack(">I", len(places)), places.astype(kind).tobytes())
        return box(b"stbl", *parts)

    def _roll(self, number: int) -> list[Part]:
        """How many samples of sound a decoder needs before the one that is sought (8.9): as the frame says of its few
        samples, of all; nothing where the source says it itself."""
        source, said = self._sources[number], self._frame.tracks[number].tables
        if b"sgpd" not in said or b"sgpd" in source.track.tables or source.track.handler != b"soun":
            return []
        at, end = said[b"sgpd"]
        group = struct.pack(">4sIII", b"roll", 1, source.track.samples, 1)
        return box(b"sgpd", Copied(self._frame.file, at, end - at)) + full_box(b"sbgp", group)


def shown(source: Source, layout: Layout) -> tuple[float, float, Edit | None]:
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


def _media_header(file: BinaryIO, span: Span, source: Source, layout: Layout) -> list[Part]:
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
