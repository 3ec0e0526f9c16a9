"""When the samples of an MP4's track are decoded and shown, a block of them at a time. Imports numpy: for a child
process."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator
from typing import Final

import msgspec
import numpy as np

from app.media.mp4_movie import Movie, Track
from app.media.mp4_tables import Numbers, Runs, UnsuitableError, read


class Samples(msgspec.Struct, frozen=True):
    """Samples of a track: when each is decoded (seconds), when it is shown (ms), where it lies, and whether it is a key
    frame."""

    decoded_s: np.ndarray
    shown_ms: Numbers
    offsets: Numbers
    sizes: Numbers
    keys: np.ndarray

    def part(self, first: int, until: int) -> Samples:
        return Samples(*(column[first:until] for column in msgspec.structs.astuple(self)))

    def __len__(self) -> int:
        return len(self.sizes)


class Cursor:
    """Reads on in a track. `first_s` is when its first sample is shown, `start_s` what its file's clock shows at the
    beginning. Raises UnsuitableError."""

    def __init__(self, movie: Movie, track: Track, first_s: float, start_s: float) -> None:
        self._tick_s, self._first_s = 1 / track.timescale, first_s
        self._from_s = first_s - track.first_shown * self._tick_s  # where the time 0 of its ticks lies
        self._blocks = _samples(movie, track)
        edit = track.edit
        self._until_s = math.inf
        if edit is not None and edit.length_s is not None:
            self._until_s = edit.delay_s - start_s + edit.length_s
        self.end_s = self.lasts_s = 0.0  # of the samples that were read
        self._now: Samples | None = None
        self._at = 0
        self._next()

    def _next(self) -> None:
        raw = next(self._blocks, None)
        self._at = 0
        if raw is None:
            self._now = None
            return
        starts, shifts, offsets, sizes, keys = raw
        self.lasts_s = float(starts[-1]) * self._tick_s
        self.end_s = min(self._first_s + self.lasts_s, self._until_s)
        decoded_s = starts[:-1] * self._tick_s + self._from_s
        shown_ms = np.rint((decoded_s + shifts * self._tick_s) * 1000).astype(np.int64)
        self._now = Samples(decoded_s, shown_ms, offsets, sizes, keys)

    def next_s(self) -> float:
        """When the next sample is decoded; infinity at the end."""
        return math.inf if self._now is None else float(self._now.decoded_s[self._at])

    def next_key_s(self, until_s: float) -> float:
        """When the first key frame behind the next sample is decoded, of those that are read already; `until_s` where
        there is none."""
        if self._now is None:
            return until_s
        keys = np.flatnonzero(self._now.keys[self._at + 1 :])
        return float(self._now.decoded_s[self._at + 1 + int(keys[0])]) if len(keys) else until_s

    def take(self, until_s: float) -> Samples:
        """The samples that are decoded before this time, at most those of a block."""
        if self._now is None:
            return _NOTHING
        now, at = self._now, self._at
        until = max(int(np.searchsorted(now.decoded_s, until_s - 1e-9)), at)
        if until >= len(now):
            self._next()
        else:
            self._at = until
        return now.part(at, until)


_NONE: Final = np.zeros(0, np.int64)
_NOTHING: Final = Samples(np.zeros(0), _NONE, _NONE, _NONE, np.zeros(0, bool))


def _samples(movie: Movie, track: Track) -> Iterator[tuple[Numbers, Numbers, Numbers, Numbers, np.ndarray]]:
    """Start (with the end of the last), shift to when it is shown, place, size and whether it is a key frame, of a
    block of samples at once."""
    shifts = Runs(movie.file, track.tables[b"ctts"], 8) if b"ctts" in track.tables else None
    sync = _sync_samples(movie, track)
    at = 0
    for block in movie.blocks(track):
        count = len(block.sizes)
        later = np.zeros(count, np.int64) if shifts is None else shifts.take(count)
        later = np.where(later >= 1 << 31, later - (1 << 32), later)
        keys = np.ones(count, bool)
        if sync is not None:
            low, high = np.searchsorted(sync, [at + 1, at + count + 1])
            keys[:] = False
            keys[sync[low:high] - at - 1] = True
        at += count
        yield block.starts, later, block.offsets, block.sizes, keys


def _sync_samples(movie: Movie, track: Track) -> Numbers | None:
    """The numbers of the key frames, from 1; None where all are."""
    if b"stss" not in track.tables:
        return None
    at, end = track.tables[b"stss"]
    (count,) = struct.unpack(">I", read(movie.file, at + 4, 4))
    if at + 8 + 4 * count > end:
        raise UnsuitableError("a table has fewer entries than it says")
    found = np.frombuffer(read(movie.file, at + 8, 4 * count), ">u4").astype(np.int64)
    if (np.diff(found) <= 0).any():
        raise UnsuitableError("the key frames are not in order")
    return found
