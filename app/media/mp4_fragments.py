"""Reads a fragmented MP4 of FFmpeg's that was written in several runs, one behind the other (ISO/IEC 14496-12, 8.8).

Each run begins with a `moov` and has the same tracks; its times are those of the film. A run that was killed ends
anywhere: `whole_end` says where its last whole fragment ends. Imports numpy: for a child process.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, Final

import msgspec
import numpy as np

from app.media.mp4_tables import Numbers, Span, UnsuitableError, children, read

_MOST_MOOF_BYTES: Final = 1 << 26
_NOT_SYNC: Final = 0x10000  # of a sample's flags (8.8.3.1)
# flags of `tfhd` and `trun`: which fields are there
_BASE_OFFSET, _DESCRIPTION, _DURATION, _SIZE, _FLAGS, _FROM_MOOF = 0x1, 0x2, 0x8, 0x10, 0x20, 0x20000
_DATA_OFFSET, _FIRST_FLAGS, _EACH_DURATION, _EACH_SIZE, _EACH_FLAGS, _EACH_SHIFT = 0x1, 0x4, 0x100, 0x200, 0x400, 0x800


class Fragment(msgspec.Struct, frozen=True):
    """Samples of a track that lie behind one another: when each is decoded, for how long, how much later it is shown
    (ticks of the track), its place in the file, its bytes, and whether it is a key frame."""

    run: int  # from 0
    track_id: int
    starts: Numbers
    durations: Numbers
    shifts: Numbers
    offsets: Numbers
    sizes: Numbers
    keys: np.ndarray

    def part(self, first: int) -> Fragment:
        """The samples from this one on."""
        cut = (self.starts, self.durations, self.shifts, self.offsets, self.sizes, self.keys)
        return Fragment(self.run, self.track_id, *(column[first:] for column in cut))

    def __len__(self) -> int:
        return len(self.sizes)


def top(file: BinaryIO, at: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of the boxes that are whole."""
    while at + 8 <= end:
        size, name = struct.unpack(">I4s", read(file, at, 8))
        if size == 1 and at + 16 <= end:
            (size,) = struct.unpack(">Q", read(file, at + 8, 8))
        if size < 8 or at + size > end:
            return
        yield name, at, at + size
        at += size


def whole_end(file: BinaryIO, begin: int, end: int) -> int:
    """Where the last fragment that is whole ends: an index with its media; `begin` where there is none."""
    reached, has_index = begin, False
    for name, _, until in top(file, begin, end):
        has_index = has_index or name == b"moof"
        if name == b"mdat" and has_index:
            reached, has_index = until, False
    return reached


def fragments(file: BinaryIO, begin: int, end: int) -> Iterator[Fragment]:
    """All samples, in the order of the file. Raises UnsuitableError, OSError."""
    defaults: dict[int, tuple[int, int, int]] = {}
    run = -1
    for name, at, until in top(file, begin, end):
        if name == b"moov":
            run, defaults = run + 1, _defaults(file, (at + 8, until))
        elif name == b"moof":
            if until - at > _MOST_MOOF_BYTES:
                raise UnsuitableError("the index of a fragment is too long")
            for start, stop, child in children(file, (at + 8, until)):
                if child == b"traf":
                    yield from _track(file, (start, stop), at, defaults, run)


def _defaults(file: BinaryIO, moov: Span) -> dict[int, tuple[int, int, int]]:
    found = {}
    for start, stop, name in children(file, moov):
        if name != b"mvex":
            continue
        for at, _, child in children(file, (start, stop)):
            if child == b"trex":
                track, _, duration, size, flags = struct.unpack(">5I", read(file, at + 4, 20))
                found[track] = (duration, size, flags)
    return found


def _track(
    file: BinaryIO, span: Span, moof_at: int, defaults: dict[int, tuple[int, int, int]], run: int
) -> Iterator[Fragment]:
    track, base, start = 0, moof_at, 0
    duration = size = flags = 0
    for at, until, name in children(file, span):
        data = read(file, at, until - at)
        if name == b"tfhd":
            said, track = int.from_bytes(data[1:4], "big"), int.from_bytes(data[4:8], "big")
            if track not in defaults or not said & _FROM_MOOF or said & _BASE_OFFSET:
                raise UnsuitableError("a fragment of another kind")
            duration, size, flags = defaults[track]
            fields = [int.from_bytes(data[place : place + 4], "big") for place in range(8, len(data), 4)]
            if said & _DESCRIPTION:
                fields.pop(0)
            duration = fields.pop(0) if said & _DURATION else duration
            size = fields.pop(0) if said & _SIZE else size
            flags = fields.pop(0) if said & _FLAGS else flags
        elif name == b"tfdt":
            start = int.from_bytes(data[4:], "big", signed=True)
        elif name == b"trun":
            fragment = _run(data, run, track, start, base, (duration, size, flags))
            yield fragment
            start = int(fragment.starts[-1] + fragment.durations[-1]) if len(fragment) else start


def _run(data: bytes, run: int, track: int, start: int, base: int, given: tuple[int, int, int]) -> Fragment:
    said = int.from_bytes(data[1:4], "big")
    (count,) = struct.unpack_from(">I", data, 4)
    at = 8
    if not said & _DATA_OFFSET:
        raise UnsuitableError("a fragment does not say where it lies")
    (offset,) = struct.unpack_from(">i", data, at)
    at += 4
    first_flags = None
    if said & _FIRST_FLAGS:
        (first_flags,) = struct.unpack_from(">I", data, at)
        at += 4
    each = [flag for flag in (_EACH_DURATION, _EACH_SIZE, _EACH_FLAGS, _EACH_SHIFT) if said & flag]
    if len(data) - at < 4 * len(each) * count:
        raise UnsuitableError("a table has fewer entries than it says")
    table = np.frombuffer(data, ">u4", len(each) * count, at).astype(np.int64).reshape(count, len(each))

    def column(flag: int, otherwise: int) -> Numbers:
        return table[:, each.index(flag)] if flag in each else np.full(count, otherwise, np.int64)

    durations, sizes = column(_EACH_DURATION, given[0]), column(_EACH_SIZE, given[1])
    flags, shifts = column(_EACH_FLAGS, given[2]), column(_EACH_SHIFT, 0)
    if first_flags is not None and count:
        flags = flags.copy()
        flags[0] = first_flags
    starts = start + np.cumsum(durations) - durations
    offsets = base + offset + np.cumsum(sizes) - sizes
    shifts = np.where(shifts >= 1 << 31, shifts - (1 << 32), shifts)
    return Fragment(run, track, starts, durations, shifts, offsets, sizes, flags & _NOT_SYNC == 0)
