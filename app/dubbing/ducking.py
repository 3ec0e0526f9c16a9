"""How loud the original is at every moment: lowered under the voice, exactly, from the list of spoken spans alone.

No detector listens to the voice: the spans are known, so the gain is down when a line starts, does not pump in pauses, and comes back
smoothly. Gains are linear in dB between break points.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from app.dubbing.loudness import ENERGY_N, SAMPLE_RATE_HZ, Doubles, Floats

ATTACK_S = 0.12  # the original is down when the voice starts
HOLD_S = 0.8  # a pause shorter than this (plus attack and release) stays lowered: no pumping between lines
RELEASE_S = 0.45
SILENCE_DB = -120.0  # what counts as off: 10^-6 of full scale, below 16 bits
_GRID_N = 48  # the gain is computed every millisecond and drawn straight between

Spans = Iterable[tuple[float, float]]


class Gain:
    """A gain over time that can be asked for any block of samples, always with the same answer."""

    def __init__(self, at_n: npt.ArrayLike, gain_db: npt.ArrayLike) -> None:
        """Break points in samples, ascending, with their gains in dB; before the first and after the last the gain stays."""
        self._at_n = np.asarray(at_n, np.float64)
        self._db = np.asarray(gain_db, np.float64)

    def block(self, first_n: int, count_n: int) -> Floats | np.float32:
        """The factor for `count_n` samples from `first_n` on: float32 (n, 1), or one number where it does not change."""
        before, after = np.searchsorted(self._at_n, (first_n, first_n + count_n))
        ends = self._factor(np.array([first_n, first_n + count_n]))
        if before == after and ends[0] == ends[1]:
            return np.float32(ends[0])
        start = first_n // _GRID_N * _GRID_N
        grid = np.arange(start, first_n + count_n + _GRID_N, _GRID_N)
        drawn = np.interp(np.arange(first_n, first_n + count_n), grid, self._factor(grid))
        return drawn.astype(np.float32)[:, None]

    def per_energy(self, count: int) -> Doubles:
        """The factor in the middle of each of the first `count` cells of 100 ms: float64 (count,)."""
        return self._factor((np.arange(count) + 0.5) * ENERGY_N)

    def _factor(self, at_n: npt.NDArray[np.floating | np.signedinteger]) -> Doubles:
        db = np.interp(at_n, self._at_n, self._db)
        return np.asarray(np.where(db <= SILENCE_DB, 0.0, 10 ** (db / 20)), np.float64)


def constant(gain_db: float) -> Gain:
    """The same gain from beginning to end."""
    return Gain([0.0], [gain_db])


def under(spans: Spans, depth_db: float) -> Gain:
    """Lowered by `depth_db` (negative) under the spans, untouched elsewhere."""
    return _around(spans, rest_db=0.0, inside_db=depth_db, attack_s=ATTACK_S, release_s=RELEASE_S, hold_s=HOLD_S)


def only_in(spans: Spans) -> Gain:
    """Silent but for the spans, with short fades outside them."""
    return _around(spans, rest_db=SILENCE_DB, inside_db=0.0, attack_s=0.03, release_s=0.03, hold_s=0.0)


def _around(spans: Spans, *, rest_db: float, inside_db: float, attack_s: float, release_s: float, hold_s: float) -> Gain:
    merged: list[list[float]] = []
    for start_s, end_s in sorted(spans):
        if merged and start_s - merged[-1][1] < hold_s + attack_s + release_s:
            merged[-1][1] = max(merged[-1][1], end_s)
        else:
            merged.append([start_s, end_s])
    if not merged:
        return constant(rest_db)
    edges = np.array(merged)
    at_s = np.stack([edges[:, 0] - attack_s, edges[:, 0], edges[:, 1], edges[:, 1] + release_s], axis=1)
    return Gain(at_s.ravel() * SAMPLE_RATE_HZ, np.tile([rest_db, inside_db, inside_db, rest_db], len(merged)))
