"""A recording of any length is separated piece by piece, each heard with its surroundings, joined without a seam.

The recording has the mix's rate, 48 kHz. A model hears it at its own; only what it calls speech is brought back and
taken away. So what it leaves alone stays as it was, above its own highest frequency too.

A piece's answer depends on its own window alone. A run that was killed goes on at any piece, and its output is the
same, bit for bit. Memory does not depend on the recording's length.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, cast

import numpy as np
import soxr  # type: ignore[import-untyped]

from app.separation.isolated import remainder
from app.separation.ports import RATE_HZ, Separator, Sized, Stereo
from app.separation.rates import SOUND_HZ as SOUND_HZ

# 147 samples of the model last as long as 160 of the recording: pieces begin where both have one.
_MODEL_N, _SOUND_N = 147, 160
# On each side of a piece: the network has no surroundings at a window's ends, and hears less well there. 1.44 s.
MARGIN_N: Final = 433 * _SOUND_N
# Two neighbours agree but for what their other surroundings change; over 0.18 s that is inaudible.
FADE_N: Final = 54 * _SOUND_N


def piece_n(separator: Sized) -> int:
    """The samples that one piece adds to the output."""
    return (separator.window_n // _MODEL_N) * _SOUND_N - 2 * MARGIN_N


def reach_n(separator: Sized) -> int:
    """The samples of the recording that are read for one piece."""
    return -(-separator.window_n * _SOUND_N // _MODEL_N)


def count(separator: Sized, length_n: int) -> int:
    """The pieces of a recording of `length_n` samples."""
    return -(-length_n // piece_n(separator))


def background(
    separator: Sized,
    read: Callable[[int, int], Stereo],
    length_n: int,
    first: int = 0,
    voice: Callable[[int, int], Stereo] | None = None,
) -> Iterator[Stereo]:
    """The background of one piece after the other from piece number `first` on, `length_n` samples in all from 0.

    `read(first_n, until_n)` gives the recording's samples; it is asked for places inside of it only, in order. To go
    on at `first` costs one piece more: the end of the one before it is faded into it. `voice` gives the speech, where
    it is known; else the separator, a model, tells it.
    """
    step_n, pieces = piece_n(separator), count(separator, length_n)
    rise = np.linspace(0.0, 1.0, FADE_N, endpoint=False, dtype=np.float32)[:, None]
    tail: Stereo | None = None
    for number in range(max(0, first - 1), pieces):
        window = _window(separator, read, length_n, number)
        if voice is not None:
            heard = remainder(window, _window(separator, voice, length_n, number))
        else:
            heard = _without_speech(cast(Separator, separator), window)
        piece = heard[MARGIN_N : MARGIN_N + step_n].copy()
        if tail is not None:
            piece[:FADE_N] = tail * (1 - rise) + piece[:FADE_N] * rise
        tail = heard[MARGIN_N + step_n : MARGIN_N + step_n + FADE_N].copy()
        if number >= first:
            yield piece[: length_n - number * step_n]


def _window(separator: Sized, read: Callable[[int, int], Stereo], length_n: int, number: int) -> Stereo:
    """The piece and its margins; silence where the recording has not begun, or has ended."""
    start_n = number * piece_n(separator) - MARGIN_N
    first_n, until_n = max(0, start_n), min(length_n, start_n + reach_n(separator))
    window = np.zeros((reach_n(separator), 2), np.float32)
    window[first_n - start_n : until_n - start_n] = read(first_n, until_n)
    return window


def _without_speech(separator: Separator, sound: Stereo) -> Stereo:
    """A window of the recording without what the model calls speech. The ends of it are not to be used."""
    heard = _resampled(sound, SOUND_HZ, RATE_HZ, separator.window_n)
    speech = _resampled(heard - separator.background(heard), RATE_HZ, SOUND_HZ, len(sound))
    return sound - speech


def _resampled(sound: Stereo, from_hz: int, to_hz: int, length_n: int) -> Stereo:
    """At another rate, `length_n` samples long."""
    made = np.asarray(soxr.resample(sound, from_hz, to_hz, quality="HQ"), np.float32)[:length_n]
    return np.pad(made, ((0, length_n - len(made)), (0, 0)))
