"""Predicts from envelopes how much loudness the limiter will remove: limited peaks make a mix quieter than its energies
say.

The limiter's own rule (`limiter`) on cells of 5 ms instead of samples. The voices' peaks are known from their clips;
the background's are taken to be `_CREST_DB` above its level, which only matters where it is loud.
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
_BLOCK: Final = 600  # energies looked at in one go: a minute
_CLOSE_LU: Final = 0.005


class Envelope:
    """The largest magnitude of every 5 ms of a mix that does not exist yet, in the louder channel."""

    def __init__(self, background: Doubles) -> None:
        """`background` are its energies (100 ms, both channels together)."""
        crest = linear(_CREST_DB)
        self._background = (np.sqrt(np.maximum(background, 0) / 2) * crest).astype(np.float32)
        # 0.05 % is exact enough, and hours of it lie here
        self._voices = np.zeros(len(background) * _PER_ENERGY, np.float16)

    def add(self, start_n: int, peaks: Floats) -> None:
        """Put a clip's peaks where it begins."""
        cell = round(start_n / PEAK_N)
        fitting = peaks[: max(0, len(self._voices) - cell)]
        self._voices[cell : cell + len(fitting)] += fitting.astype(np.float16)

    def __len__(self) -> int:
        return len(self._background)

    def squared(self, first: int, end: int) -> Floats:
        """Per 100 ms from `first` to `end` the squared magnitudes of its 5 ms: float32 (cells, 20)."""
        voices = self._voices[first * _PER_ENERGY : end * _PER_ENERGY].astype(np.float32)
        return np.square(voices).reshape(-1, _PER_ENERGY) + np.square(self._background[first:end])[:, None]


def gain_to(
    target_lufs: float, energies: Doubles, envelope: Envelope, ceiling_dbtp: float, *, max_gain_db: float
) -> tuple[float, float]:
    """The gain in dB that brings a limited mix to the target. 0 for silence; boosts end at `max_gain_db`, and where the
    limiter eats them up: that end is the second number.
    """
    measured = integrated_lufs(energies)
    if measured == SILENT_LUFS:
        return 0.0, 0.0
    plain_db = gain_db = min(target_lufs - measured, max_gain_db)
    most_db = min(max_gain_db, plain_db + _MOST_MORE_DB)
    for _ in range(_ROUNDS):
        missing = target_lufs - integrated_lufs(energies * _left(envelope, gain_db, ceiling_dbtp)) - gain_db
        gain_db = min(gain_db + missing, most_db)
        if abs(missing) < _CLOSE_LU:
            break
    return gain_db, most_db


def _left(envelope: Envelope, gain_db: float, ceiling_dbtp: float) -> Doubles:
    """The share of each energy that the limiter leaves: minute by minute, so that hours take no more memory."""
    shares = np.ones(len(envelope))
    released_db = 0.0
    for first in range(0, len(envelope), _BLOCK):
        end = min(first + _BLOCK, len(envelope))
        squared = envelope.squared(first, min(end + 1, len(envelope)))  # with the first cell of the next minute
        over_db = 10 * np.log10(np.maximum(squared.ravel(), 1e-12)) + np.float32(gain_db + _BETWEEN_DB - ceiling_dbtp)
        if over_db.max(initial=-1.0) <= 0 and released_db >= 0:
            continue
        needed_db = -np.maximum(over_db, 0).astype(np.float64)
        needed_db[:-1] = np.minimum(needed_db[:-1], needed_db[1:])  # the look-ahead
        ramp_db = np.arange(1, len(needed_db) + 1) * (RELEASE_DB_PER_S * PEAK_N / SAMPLE_RATE_HZ)
        lowered_db = np.minimum(np.minimum(np.minimum.accumulate(needed_db - ramp_db), released_db) + ramp_db, 0)
        own = (end - first) * _PER_ENERGY
        released_db = float(lowered_db[own - 1])
        weights = squared[: end - first] + np.float32(1e-12)
        factors = (10 ** (lowered_db[:own] / 10)).reshape(weights.shape)
        shares[first:end] = (factors * weights).sum(axis=1) / weights.sum(axis=1)
    return shares
