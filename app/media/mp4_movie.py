"""Reads where the samples of an MP4's tracks lie, a block of them at a time: memory does not grow with the film.

FFmpeg's demuxer holds about 50 bytes for every sample of a file that it has open. Here the tables of a track
(ISO/IEC 14496-12, 8.6 and 8.7) stay in the file, and a few thousand of their entries are read at once. Nothing that
a file says is believed: counts are compared with the size of their box, places with the size of the file. What this
module does not understand is `UnsuitableError`, and the caller lets FFmpeg read the file.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Final, Self

import msgspec
import numpy as np

from app.media.mp4 import boxes
from app.media.mp4_tables import (
    AT_ONCE,
    MOST_BOXES,
    Numbers,
    Places,
    Runs,
    Sizes,
    Span,
    UnsuitableError,
    children,
    one,
    read,
    sample_count,
    some,
)

_MOST_HEADER_BYTES: Final = 1 << 20
_ENCRYPTED: Final = frozenset({b"encv", b"enca", b"encs", b"enct", b"resv", b"drmi", b"drms"})
_TABLE: Final = [b"mdia", b"minf", b"stbl"]


class Block(msgspec.Struct, frozen=True):
    """Samples that follow one another: the start of each in the track's ticks (as it is decoded) with the end of the
    last one, its place in the file and its bytes."""

    starts: Numbers
    offsets: Numbers
    sizes: Numbers

    def part(self, first: int, until: int) -> Block:
        """The samples from `first` to `until`, counted from 0."""
        return Block(self.starts[first : until + 1], self.offsets[first:until], self.sizes[first:until])


class Edit(msgspec.Struct, frozen=True):
    """When a track's samples are shown: after `delay_s` of nothing, from `media_start` (ticks of the track) on, for
    `length_s` (None: to their end)."""

    delay_s: float = 0.0
    media_start: int = 0
    length_s: float | None = None


class Track(msgspec.Struct, frozen=True):
    """A track of a file. `tables` are the boxes of its sample table by name; `timescale` are ticks a second.
    `edit` is None where the track has no edit list."""

    id: int
    handler: bytes
    timescale: int
    duration: int
    samples: int
    span: Span
    tables: dict[bytes, Span]
    edit: Edit | None
    first_shown: int  # ticks from when the first sample is decoded to when it is shown


class Movie:
    """An MP4 that is open for reading. Use it in a `with` block."""

    def __init__(self, path: Path) -> None:
        """Raises UnsuitableError, OSError."""
        self.file = path.open("rb")
        try:
            self.size = self.file.seek(0, 2)
            self.moov = self._only_moov()
            self.brand = self._brand()
            self.header = one(self.file, [b"mvhd"], self.moov)
            self.timescale = self._number_at(self.header, narrow=12, wide=20, is_wide=False)
            if not self.timescale:
                raise UnsuitableError("the movie has no timescale")
            self.tracks = tuple(self._track(span) for span in some(self.file, [b"trak"], self.moov))
        except BaseException:
            self.file.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.file.close()

    def blocks(self, track: Track) -> Iterator[Block]:
        """The samples of a track in the order in which they are decoded, at most AT_ONCE at once.

        Raises UnsuitableError: where the tables contradict one another, and for a sample beyond the file's end.
        """
        sizes = Sizes(self.file, track.tables, track.samples)
        durations = Runs(self.file, track.tables[b"stts"], 8)
        places = Places(self.file, track.tables)
        at, left = 0, track.samples
        while left:
            count = min(left, AT_ONCE)
            lengths = durations.take(count)
            starts = at + np.concatenate([[0], np.cumsum(lengths)])
            bytes_of = sizes.take(count)
            offsets = places.take(bytes_of)
            if int((offsets + bytes_of).max()) > self.size:
                raise UnsuitableError("a sample lies beyond the end of the file")
            yield Block(starts, offsets, bytes_of)
            at = int(starts[-1])
            left -= count

    def _only_moov(self) -> Span:
        found: list[Span] = []
        at = 0
        for _ in range(MOST_BOXES):
            head = read(self.file, at, 16, short=True)
            if len(head) < 8:
                break
            size, name = struct.unpack(">I4s", head[:8])
            content = at + 8
            if size == 1 and len(head) == 16:
                size, content = struct.unpack(">Q", head[8:])[0], at + 16
            size = size or self.size - at
            if size < content - at or (at + size > self.size and name != b"mdat"):
                raise UnsuitableError("a box goes on beyond the end of the file")
            if name in (b"moof", b"cmov"):
                raise UnsuitableError("the file is fragmented")
            if name == b"moov":
                found.append((content, at + size))
            at += size
        if len(found) != 1:
            raise UnsuitableError(f"{len(found)} indexes")
        for _ in boxes(self.file, [b"mvex"], *found[0]):
            raise UnsuitableError("the file is fragmented")
        return found[0]

    def _brand(self) -> bytes:
        for at, end in boxes(self.file, [b"ftyp"], 0, min(self.size, 4096)):
            return read(self.file, at, 4) if end - at >= 4 else b"qt  "
        return b"qt  "  # QuickTime's files before there were brands

    def _track(self, span: Span) -> Track:
        header = one(self.file, [b"mdia", b"mdhd"], span)
        table = one(self.file, _TABLE, span)
        tables = {}
        for at, end, name in children(self.file, table):
            if name in tables and name not in (b"sgpd", b"sbgp"):
                raise UnsuitableError(f"two boxes {name!r}")
            tables[name] = (at, end)
        for name in (b"stsd", b"stts", b"stsc"):
            if name not in tables:
                raise UnsuitableError(f"no box {name!r}")
        handler = read(self.file, one(self.file, [b"mdia", b"hdlr"], span)[0] + 8, 4)
        return Track(
            id=self._number_at(one(self.file, [b"tkhd"], span), narrow=12, wide=20, is_wide=False),
            handler=handler,
            timescale=self._number_at(header, narrow=12, wide=20, is_wide=False) or 1,
            duration=self._number_at(header, narrow=16, wide=24),
            samples=sample_count(self.file, tables),
            span=span,
            tables=tables,
            edit=self._edit(span),
            first_shown=self._first_shown(tables),
        )

    def _edit(self, span: Span) -> Edit | None:
        """The edit list, where it is at most a delay and then one edit at natural speed."""
        lists = some(self.file, [b"edts", b"elst"], span)
        if not lists:
            return None
        at, end = lists[0]
        is_wide = read(self.file, at, 1) == b"\x01"
        (count,) = struct.unpack(">I", read(self.file, at + 4, 4))
        entry = ">QqI" if is_wide else ">IiI"
        size = struct.calcsize(entry)
        if count == 0:
            return None
        if count > 2 or at + 8 + count * size > end:
            raise UnsuitableError("an edit list with cuts")
        entries = [struct.unpack(entry, read(self.file, at + 8 + number * size, size)) for number in range(count)]
        delay_s = 0.0
        if entries[0][1] == -1:
            delay_s = entries.pop(0)[0] / self.timescale
        if len(entries) != 1 or entries[0][1] < 0 or entries[0][2] != 1 << 16:
            raise UnsuitableError("an edit list with cuts")
        length = entries[0][0]  # of 0 where nobody knew it, as in a file that is written while it is recorded
        return Edit(delay_s, entries[0][1], length / self.timescale if length else None)

    def _first_shown(self, tables: dict[bytes, Span]) -> int:
        if b"ctts" not in tables or tables[b"ctts"][1] - tables[b"ctts"][0] < 16:
            return 0
        (offset,) = struct.unpack(">i", read(self.file, tables[b"ctts"][0] + 12, 4))
        return int(offset)

    def _number_at(self, span: Span, *, narrow: int, wide: int, is_wide: bool = True) -> int:
        """A number of a full box, whose version says where it lies; `is_wide`: and that it has eight bytes then."""
        at, end = span
        later = read(self.file, at, 1) == b"\x01"
        place, size = (wide, 8 if is_wide else 4) if later else (narrow, 4)
        if at + place + size > end:
            raise UnsuitableError("a header is too short")
        return int.from_bytes(read(self.file, at + place, size), "big")


def is_plain(movie: Movie, track: Track) -> bool:
    """Whether all samples are of one kind, not encrypted, and lie in this file."""
    at, end = track.tables[b"stsd"]
    if end - at < 16 or end - at > _MOST_HEADER_BYTES:
        return False
    (count, size, name) = struct.unpack(">II4s", read(movie.file, at + 4, 12))
    if count != 1 or name in _ENCRYPTED or size > end - at - 8:
        return False
    for place, until in some(movie.file, [b"mdia", b"minf", b"dinf", b"dref"], track.span):
        if until - place < 20:
            return False
        number, _, kind, flags = struct.unpack(">II4sI", read(movie.file, place + 4, 16))
        # flag 1: the samples are in the same file (8.7.2)
        return number == 1 and kind in (b"url ", b"alis") and bool(flags & 1)
    return False
