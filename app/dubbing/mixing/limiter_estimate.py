"""What the limiter will take away, foreseen from envelopes: the loudness of a mix whose peaks are cut is below what its energies say.

The limiter's own rule (`limiter`) on cells of 5 ms instead of samples. The voices' peaks are known from their clips; the background's are taken
to be `_CREST_DB` above its level, which only matters where it is loud.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from app.dubbing.mixing.clip_cache import PEAK_N
from app.dubbing.mixing.limiter import RELEASE_DB_PER_S
from app.dubbing.mixing.loudness import ENERGY_N, SAMPLE_RATE_HZ, SILENT_LUFS, Doubles, Floats, integrated_lufs, linear

_CREST_DB: Final = 8.0  # the largest magnitude of 5 ms over the RMS of 100 ms: about this for speech, music and noise
_BETWEEN_DB: Final = 0.3  # what a peak between the samples has over the largest sample, on average
_PER_ENERGY: Final = ENERGY_N // PEAK_N
_MOST_MORE_DB: Final = 6.0  # no target is worth driving the limiter further than this
_ROUNDS: Final = 8
_CLOSE_LU: Final = 0.005


class Envelope:
    """The largest magnitude of every 5 ms of a mix that does not exist yet, in the louder channel."""

    def __init__(self, background: Doubles) -> None:
        """`background` are its energies (100 ms, both channels together)."""
        crest = linear(_CREST_DB)
        self._background = (np.sqrt(np.maximum(background, 0) / 2) * crest).astype(np.float32)
        self._voices = np.zeros(len(background) * _PER_ENERGY, np.float32)

    def add(self, start_n: int, peaks: Floats) -> None:
        """Put a clip's peaks where it begins."""
        cell = round(start_n / PEAK_N)
        fitting = peaks[: max(0, len(self._voices) - cell)]
        self._voices[cell : cell + len(fitting)] += fitting

    def squared(self) -> Floats:
        """Per 100 ms the squared magnitudes of its 5 ms: float32 (cells, 20)."""
        return np.square(self._voices).reshape(-1, _PER_ENERGY) + np.square(self._background)[:, None]


def gain_to(target_lufs: float, energies: Doubles, envelope: Envelope, ceiling_dbtp: float, *, max_gain_db: float) -> tuple[float, float]:
    """The gain in dB that brings a limited mix to the target. 0 for silence; boosts end at `max_gain_db`, and where the limiter eats them up:
    that end is the second number.
    """
    measured = integrated_lufs(energies)
    if measured == SILENT_LUFS:
        return 0.0, 0.0
    plain_db = gain_db = min(target_lufs - measured, max_gain_db)
    most_db = min(max_gain_db, plain_db + _MOST_MORE_DB)
    squared = envelope.squared()
    for _ in range(_ROUNDS):
        missing = target_lufs - integrated_lufs(energies * _left(squared, gain_db, ceiling_dbtp)) - gain_db
        gain_db = min(gain_db + missing, most_db)
        if abs(missing) < _CLOSE_LU:
            break
    return gain_db, most_db


def _left(squared: Floats, gain_db: float, ceiling_dbtp: float) -> Doubles:
    """The share of each energy that the limiter leaves."""
    over_db = 10 * np.log10(np.maximum(squared.ravel(), 1e-12)) + np.float32(gain_db + _BETWEEN_DB - ceiling_dbtp)
    if over_db.max(initial=-1.0) <= 0:
        return np.ones(len(squared))
    needed_db = -np.maximum(over_db, 0)
    needed_db[:-1] = np.minimum(needed_db[:-1], needed_db[1:])  # the look-ahead
    ramp_db = np.arange(len(needed_db)) * (RELEASE_DB_PER_S * PEAK_N / SAMPLE_RATE_HZ)
    released_db = np.minimum(np.minimum.accumulate(needed_db - ramp_db) + ramp_db, 0)
    factors = (10 ** (released_db / 10)).reshape(squared.shape)
    weights = squared + np.float32(1e-12)
    return np.asarray((factors * weights).sum(axis=1) / weights.sum(axis=1), np.float64)
