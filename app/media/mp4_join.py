"""Joins tracks of several MP4 files into one: the samples are copied as they are, and memory does not grow with them.

The index is known before a sample is copied and stands in front. Copying can be taken up where it stopped: `Joined`
says how far it has come, and the caller writes that down.
"""

from __future__ import annotations

import array
import hashlib
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from app.media.mp4_copy import copy_samples
from app.media.mp4_head import Index, Layout, Source
from app.media.mp4_movie import Block, Edit, Movie
from app.media.mp4_parts import pieces, size_of, write

_CHUNK_S: Final = 1.0  # of each track in turn: a player reads all of them at the same place
_MARK_EVERY: Final = 256 << 20


class Join:
    """One file of many tracks. `frame` is an MP4 that has the headers of all tracks, in the order of `sources`."""

    def __init__(self, frame: Movie, sources: list[Source]) -> None:
        """Reads all tables once. Raises UnsuitableError, OSError."""
        self._sources = sources
        layouts = [Layout(array.array("Q"), array.array("I")) for _ in sources]
        at = 0
        for number, block in self._chunks():
            layouts[number].add(at, block.sizes, int(block.starts[-1]))
            at += int(block.sizes.sum())
        self.media_bytes = at
        index = Index(frame, sources, layouts)
        self.length_s = index.length_s  # of what is shown and heard
        self._head = index.front(self.media_bytes)

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


def _reaches(path: Path, size: int) -> bool:
    return path.exists() and path.stat().st_size >= size
