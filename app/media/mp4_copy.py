"""Copies the bytes of samples from one open file to another, few system calls for many samples."""

from __future__ import annotations

import os
from typing import BinaryIO, Final

import numpy as np

from app.media.mp4_movie import Block
from app.media.mp4_parts import Copied, pieces
from app.media.mp4_tables import Numbers, read

_SPAN_BYTES: Final = 1 << 24  # read at once
_PIECE: Final = 1 << 22
_WRITES: Final = 1_000  # Linux takes 1,024 buffers at once


def copy_samples(source: BinaryIO, out: BinaryIO, block: Block) -> None:
    """Append the samples' bytes. Those that lie near one another are read at once."""
    firsts, lasts = _runs(block.offsets, block.sizes)
    low, high, total = int(firsts.min()), int(lasts.max()), int(block.sizes.sum())
    if _is_dense(low, high, total):
        view = memoryview(read(source, low, high - low))
        parts = [view[first - low : last - low] for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True)]
        for number in range(0, len(parts), _WRITES):
            write_all(out, parts[number : number + _WRITES])
        return
    for at, end in zip(firsts.tolist(), lasts.tolist(), strict=True):
        for data in pieces(Copied(source, at, end - at)):
            write_all(out, [memoryview(data)])


def samples_of(source: BinaryIO, offsets: Numbers, sizes: Numbers) -> list[memoryview]:
    """The bytes of each sample. Those that lie near one another are read at once."""
    if not len(sizes):
        return []
    low, high = int(offsets.min()), int((offsets + sizes).max())
    places = zip(offsets.tolist(), sizes.tolist(), strict=True)
    if _is_dense(low, high, int(sizes.sum())):
        view = memoryview(read(source, low, high - low))
        return [view[at - low : at - low + size] for at, size in places]
    return [memoryview(read(source, at, size)) for at, size in places]


def _runs(offsets: Numbers, sizes: Numbers) -> tuple[Numbers, Numbers]:
    """Where samples that follow one another in the file begin and end."""
    ends = offsets + sizes
    breaks = np.flatnonzero(offsets[1:] != ends[:-1]) + 1
    return offsets[np.concatenate([[0], breaks])], ends[np.concatenate([breaks - 1, [len(ends) - 1]])]


def _is_dense(low: int, high: int, total: int) -> bool:
    return high - low <= _SPAN_BYTES and high - low <= 4 * total + _PIECE


def write_all(out: BinaryIO, pieces: list[memoryview]) -> None:
    """Write the buffers, at most 1,024."""
    written = os.writev(out.fileno(), pieces)
    while written < sum(len(piece) for piece in pieces):
        while written >= len(pieces[0]):
            written -= len(pieces[0])
            pieces = pieces[1:]
        pieces = [pieces[0][written:], *pieces[1:]]
        written = os.writev(out.fileno(), pieces)
