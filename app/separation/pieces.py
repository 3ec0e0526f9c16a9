"""A recording of any length is separated piece by piece, each heard with its surroundings, joined without a seam.

A piece's answer depends on its own window alone. A run that was killed goes on at any piece, and its output is the
same, bit for bit. Memory does not depend on the recording's length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

import numpy as np

from app.separation.ports import Separator, Stereo

# On each side of a piece: the network has no surroundings at a window's ends, and hears less well there.
MARGIN_N: Final = 64 * 1024
# Two neighbours agree but for what their other surroundings change; over 0.19 s that is inaudible.
FADE_N: Final = 8 * 1024


def piece_n(separator: Separator) -> int:
    """The samples that one piece adds to the output."""
    return separator.window_n - 2 * MARGIN_N


def count(separator: Separator, length_n: int) -> int:
    """The pieces of a recording of `length_n` samples."""
    return -(-length_n // piece_n(separator))


def background(
    separator: Separator, read: Callable[[int, int], Stereo], length_n: int, first: int = 0
) -> Iterator[Stereo]:
    """The background of one piece after the other from piece number `first` on, `length_n` samples in all from 0.

    `read(first_n, until_n)` gives the recording's samples; it is asked for places inside of it only, in order. To go
    on at `first` costs one piece more: the end of the one before it is faded into it.
    """
    step_n, pieces = piece_n(separator), count(separator, length_n)
    rise = np.linspace(0.0, 1.0, FADE_N, endpoint=False, dtype=np.float32)[:, None]
    tail: Stereo | None = None
    for number in range(max(0, first - 1), pieces):
        heard = separator.background(_window(separator, read, length_n, number))
        piece = heard[MARGIN_N : MARGIN_N + step_n].copy()
        if tail is not None:
            piece[:FADE_N] = tail * (1 - rise) + piece[:FADE_N] * rise
        tail = heard[MARGIN_N + step_n : MARGIN_N + step_n + FADE_N].copy()
        if number >= first:
            yield piece[: length_n - number * step_n]


def _window(separator: Separator, read: Callable[[int, int], Stereo], length_n: int, number: int) -> Stereo:
    """The piece and its margins; silence where the recording has not begun, or has ended."""
    start_n = number * piece_n(separator) - MARGIN_N
    first_n, until_n = max(0, start_n), min(length_n, start_n + separator.window_n)
    window = np.zeros((separator.window_n, 2), np.float32)
    window[first_n - start_n : until_n - start_n] = read(first_n, until_n)
    return window
