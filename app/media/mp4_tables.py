"""Reads the tables of an MP4's track piece by piece: sizes, times and places of its samples.

Imports numpy: for a child process. Nothing that a file says is believed: see `app.media.mp4_movie`.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, Final, cast

import numpy as np
import numpy.typing as npt

from app.media.mp4 import boxes

AT_ONCE: Final = 8_192  # entries of a table
MOST_BOXES: Final = 200

Numbers = npt.NDArray[np.int64]
Span = tuple[int, int]  # start and end of a box's content


class UnsuitableError(Exception):
    """The file is damaged, or has something that is not understood here."""


def one(file: BinaryIO, names: list[bytes], span: Span) -> Span:
    found = some(file, names, span)
    if len(found) != 1:
        raise UnsuitableError(f"{len(found)} boxes {names[-1]!r}")
    return found[0]


def some(file: BinaryIO, names: list[bytes], span: Span) -> list[Span]:
    """Where the contents of the boxes at the end of this path lie. Raises UnsuitableError for very many."""
    found: list[Span] = []
    try:
        for box in boxes(file, names, *span):
            if len(found) == MOST_BOXES or box[1] > span[1]:
                raise UnsuitableError(f"too many boxes {names[-1]!r}, or one too long")
            found.append(box)
    except struct.error as error:
        raise UnsuitableError("a box goes on beyond the end of the file") from error
    return found


def children(file: BinaryIO, span: Span) -> Iterator[tuple[int, int, bytes]]:
    at, end = span
    while at + 8 <= end:
        size, name = struct.unpack(">I4s", read(file, at, 8))
        if size < 8 or at + size > end:
            raise UnsuitableError("a box goes on beyond the one around it")
        yield at + 8, at + size, name
        at += size


def read(file: BinaryIO, at: int, count: int, *, short: bool = False) -> bytes:
    file.seek(at)
    data = file.read(count)
    if len(data) < count and not short:
        raise UnsuitableError("the file ends too early")
    return data


def sample_count(file: BinaryIO, tables: dict[bytes, Span]) -> int:
    """How many samples a track has."""
    for name, entry_bits in ((b"stsz", 32), (b"stz2", None)):
        if name in tables:
            at, end = tables[name]
            if end - at < 12:
                raise UnsuitableError("a table is too short")
            fixed, count = struct.unpack(">II", read(file, at + 4, 8))
            bits = entry_bits or fixed & 0xFF
            if bits not in (8, 16, 32):
                raise UnsuitableError("sizes of four bits")
            if not (name == b"stsz" and fixed) and count * bits // 8 > end - at - 12:
                raise UnsuitableError("a table has fewer entries than it says")
            return int(count)
    raise UnsuitableError("no box b'stsz'")


class Entries:
    """The entries of a table: unsigned numbers of `size` bytes, `columns` of them in each."""

    def __init__(self, file: BinaryIO, at: int, count: int, end: int, size: int, columns: int = 1) -> None:
        if count * size * columns > end - at:
            raise UnsuitableError("a table has fewer entries than it says")
        self._file, self._at, self.left = file, at, count
        self._size, self._columns = size, columns

    def next(self, most: int) -> Numbers:
        """The next entries, at most so many: int64 (n, columns)."""
        count = min(self.left, most)
        data = read(self._file, self._at, count * self._size * self._columns)
        self._at += len(data)
        self.left -= count
        return np.frombuffer(data, f">u{self._size}").astype(np.int64).reshape(count, self._columns)


def _counted(file: BinaryIO, span: Span, entry_bytes: int, size: int) -> Entries:
    at, end = span
    if end - at < 8:
        raise UnsuitableError("a table is too short")
    (count,) = struct.unpack(">I", read(file, at + 4, 4))
    return Entries(file, at + 8, count, end, size, entry_bytes // size)


class Sizes:
    """How many bytes samples have."""

    def __init__(self, file: BinaryIO, tables: dict[bytes, Span], samples: int) -> None:
        self._fixed = 0
        name = b"stsz" if b"stsz" in tables else b"stz2"
        at, end = tables[name]
        (fixed,) = struct.unpack(">I", read(file, at + 4, 4))
        if name == b"stsz" and fixed:
            self._fixed, size = fixed, 4
        else:
            size = 4 if name == b"stsz" else (fixed & 0xFF) // 8
        self._entries = Entries(file, at + 12, 0 if self._fixed else samples, end, size)

    def take(self, count: int) -> Numbers:
        return np.full(count, self._fixed, np.int64) if self._fixed else self._entries.next(count)[:, 0]


class Runs:
    """A run-length table: every entry is a count and the value that so many samples have."""

    def __init__(self, file: BinaryIO, span: Span, entry_bytes: int) -> None:
        self._entries = _counted(file, span, entry_bytes, 4)
        self._counts = self._values = np.zeros(0, np.int64)

    def take(self, count: int) -> Numbers:
        taken = []
        while count:
            if not len(self._counts):
                if not self._entries.left:
                    raise UnsuitableError("a table ends before the samples")
                entries = self._entries.next(AT_ONCE)
                self._counts, self._values = entries[:, 0], entries[:, 1]
            reached = np.cumsum(self._counts)
            whole = int(np.searchsorted(reached, count, "right"))
            counts = self._counts[: whole + 1].copy()
            if whole < len(self._counts):
                counts[whole] = count - (int(reached[whole - 1]) if whole else 0)
            taken.append(np.repeat(self._values[: whole + 1], counts))
            count -= int(counts.sum())
            rest = self._counts[whole:].copy()
            if len(rest):
                rest[0] -= counts[whole]
            self._counts, self._values = rest, self._values[whole:]
        return np.concatenate(taken) if taken else np.zeros(0, np.int64)


class Places:
    """Where samples lie: the places of the chunks, and how many samples each chunk has."""

    def __init__(self, file: BinaryIO, tables: dict[bytes, Span]) -> None:
        name, size = (b"co64", 8) if b"co64" in tables else (b"stco", 4)
        if name not in tables:
            raise UnsuitableError("no box b'stco'")
        self._chunks = _counted(file, tables[name], size, size)
        self._number = 0  # of the last chunk that was read
        self._kinds = _counted(file, tables[b"stsc"], 12, 4)
        self._ahead = np.zeros((0, 3), np.int64)  # entries of stsc: first chunk (from 1), samples a chunk, kind
        # of the chunks that were read and not used up: samples, and the place of the first of them
        self._counts = self._places = np.zeros(0, np.int64)

    def take(self, sizes: Numbers) -> Numbers:
        """The places of the next samples, whose sizes these are."""
        while int(self._counts.sum()) < len(sizes):
            self._read_on()
        reached = np.cumsum(self._counts)
        used = int(np.searchsorted(reached, len(sizes))) + 1
        counts, places = self._counts[:used].copy(), self._places[:used]
        counts[-1] -= reached[used - 1] - len(sizes)
        chunk_of = np.repeat(np.arange(used), counts)
        before = np.cumsum(sizes) - sizes
        firsts = np.cumsum(counts) - counts
        offsets = places[chunk_of] + before - before[firsts][chunk_of]
        self._counts, self._places = self._counts[used - 1 :].copy(), self._places[used - 1 :].copy()
        self._counts[0] -= counts[-1]
        self._places[0] = offsets[-1] + sizes[-1]
        if not self._counts[0]:
            self._counts, self._places = self._counts[1:], self._places[1:]
        return cast("Numbers", offsets)

    def _read_on(self) -> None:
        places = self._chunks.next(AT_ONCE)[:, 0]
        if not len(places):
            raise UnsuitableError("the chunks end before the samples")
        numbers = self._number + 1 + np.arange(len(places))
        self._number += len(places)
        while self._kinds.left and (not len(self._ahead) or self._ahead[-1, 0] <= self._number):
            self._ahead = np.concatenate([self._ahead, self._kinds.next(AT_ONCE)])
            if (np.diff(self._ahead[:, 0]) <= 0).any():
                raise UnsuitableError("the chunks are not in order")
        entry_of = np.searchsorted(self._ahead[:, 0], numbers, "right") - 1
        if not len(self._ahead) or entry_of[0] < 0:
            raise UnsuitableError("the first chunk has no number of samples")
        counts = self._ahead[entry_of, 1]
        if not counts.all():
            raise UnsuitableError("a chunk without samples")
        self._ahead = self._ahead[entry_of[-1] :]
        self._counts = np.concatenate([self._counts, counts])
        self._places = np.concatenate([self._places, places])
