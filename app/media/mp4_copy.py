"""Copies the bytes of samples from one open file to another, few system calls for many samples."""

from __future__ import annotations

import os
from typing import BinaryIO, Final

import numpy as np

from app.media.mp4_movie import Block
from app.media.mp4_parts import Copied, pieces
from app.media.mp4_tables import read

_SPAN_BYTES: Final = 1 << 24  # read at once
_PIECE: Final = 1 << 22
_WRITES: Final = 1_000  # Linux takes 1,024 buffers at once


def copy_samples(source: BinaryIO, out: BinaryIO, block: Block) -> None:
    """Append the samples' bytes. Those that lie near one another are read at once."""
    ends = block.offsets + block.sizes
    breaks = np.flatnonzero(block.offsets[1:] != ends[:-1]) + 1
    firsts = block.offsets[np.concatenate([[0], breaks])]
    lasts = ends[np.concatenate([breaks - 1, [len(ends) - 1]])]
    low, high, total = int(firsts.min()), int(lasts.max()), int(block.sizes.sum())
    if high - low <= _SPAN_BYTES and high - low <= 4 * total + _PIECE:
        view = memoryview(read(source, low, high - low))
        parts = [view[first - low : last - low] for first, last in zip(firsts.tolist(), lasts.tolist(), strict=True)]
        for number in range(0, len(parts), _WRITES):
            _write_all(out, parts[number : number + _WRITES])
        return
    for at, end in zip(firsts.tolist(), lasts.tolist(), strict=True):
        for data in pieces(Copied(source, at, end - at)):
            _write_all(out, [memoryview(data)])


def _write_all(out: BinaryIO, pieces: list[memoryview]) -> None:
    written = os.writev(out.fileno(), pieces)
    while written < sum(len(piece) for piece in pieces):
        while written >= len(pieces[0]):
            written -= len(pieces[0])
            pieces = pieces[1:]
        pieces = [pieces[0][written:], *pieces[1:]]
        written = os.writev(out.fileno(), pieces)
