"""A true-peak limiter that looks ahead, and a true-peak meter. The result does not depend on how the sound is cut into blocks.

Gain reduction in dB: the peak between the samples (four times oversampled, BS.1770-4 annex 2), its minimum over the look-ahead, a release
that is linear in dB, and a moving mean that makes the attack a ramp. Only cells near the ceiling are oversampled: quiet sound costs nothing.
"""

from __future__ import annotations

import numpy as np
from scipy.ndimage import minimum_filter1d, uniform_filter1d  # type: ignore[import-untyped]
from scipy.signal import firwin, upfirdn  # type: ignore[import-untyped]

from app.dubbing.loudness import SAMPLE_RATE_HZ, Doubles, Floats

LOOKAHEAD_N = 240  # 5 ms
REACH_N = 8  # samples on each side that the oversampling filter needs
DELAY_N = LOOKAHEAD_N + REACH_N  # the output comes this much later than the input
RELEASE_DB_PER_S = 30.0
_HISTORY_N = LOOKAHEAD_N + REACH_N
_CELL_N = 512
_HOT = 0.7  # a cell whose samples stay below 0.7 of the ceiling cannot reach it between them
_FACTOR = 4
_TAPS = (firwin(_FACTOR * 16 - 1, 1 / _FACTOR, window=("kaiser", 6.0)) * _FACTOR).astype(np.float32)
_CENTRE = (len(_TAPS) - 1) // 2
_EPSILON_DB = 1e-3


def _peaks_between(samples: Floats) -> Floats:
    """The largest magnitude at and after each sample, over both channels: float32 (n,). The outer REACH_N samples lack context."""
    peaks = np.abs(samples).max(axis=1)
    for channel in range(samples.shape[1]):
        fine = np.abs(upfirdn(_TAPS, np.ascontiguousarray(samples[:, channel]), up=_FACTOR))
        fine = fine[_CENTRE - 1 : _CENTRE - 1 + _FACTOR * len(samples)]
        peaks = np.maximum(peaks, fine.reshape(-1, _FACTOR).max(axis=1))
    return np.asarray(peaks, np.float32)


def _hot_runs(samples: Floats, threshold: float) -> list[tuple[int, int]]:
    """The runs [first, last) of whole cells in which a sample exceeds the threshold."""
    cells = -(-len(samples) // _CELL_N)
    padded = np.zeros((cells * _CELL_N, samples.shape[1]), np.float32)
    padded[: len(samples)] = np.abs(samples)
    hot = padded.reshape(cells, -1).max(axis=1) > threshold
    edges = np.flatnonzero(np.diff(np.concatenate([[0], hot.view(np.int8), [0]]))).reshape(-1, 2) * _CELL_N
    return [(int(first), min(int(last), len(samples))) for first, last in edges]


class Limiter:
    """Keeps the true peak of float32 (n, 2) blocks at 48 kHz under a ceiling; sound under it passes bit by bit.

    The first DELAY_N samples out are silence from before the start; `flush` gives the last DELAY_N.
    """

    def __init__(self, ceiling_dbtp: float) -> None:
        self._ceiling = 10 ** (ceiling_dbtp / 20)
        self._tail = np.zeros((_HISTORY_N + DELAY_N, 2), np.float32)
        self._released_db = 0.0  # where the release stands at the block's start

    def push(self, block: Floats) -> Floats:
        """As many samples as come in, DELAY_N later."""
        count_n = len(block)
        if not count_n:
            return block
        seen = np.concatenate([self._tail, block])  # history, the block to give out, look-ahead
        self._tail = seen[-(_HISTORY_N + DELAY_N) :].copy()
        out = seen[_HISTORY_N : _HISTORY_N + count_n]
        resting = self._released_db > -_EPSILON_DB
        runs = _hot_runs(seen, self._ceiling * _HOT)
        if resting and not runs:
            self._released_db = 0.0
            return out
        needed_db = self._needed_db(seen, runs)
        if resting and not needed_db.any():
            self._released_db = 0.0
            return out
        return np.asarray(out * self._gain(needed_db, count_n)[:, None], np.float32)

    def flush(self) -> Floats:
        """The samples still inside."""
        return self.push(np.zeros((DELAY_N, 2), np.float32))

    def _needed_db(self, seen: Floats, runs: list[tuple[int, int]]) -> Doubles:
        """How much each sample must be lowered (<= 0 dB), without the REACH_N at both ends that lack context."""
        needed = np.zeros(len(seen))
        for first, last in runs:
            low, high = max(first - REACH_N, 0), min(last + REACH_N, len(seen))
            peaks = _peaks_between(seen[low:high])[first - low : last - low].astype(np.float64)
            needed[first:last] = 20 * np.log10(np.minimum(1.0, self._ceiling / np.maximum(peaks, 1e-9)))
        return needed[REACH_N : len(seen) - REACH_N]

    def _gain(self, needed_db: Doubles, count_n: int) -> Floats:
        ahead = minimum_filter1d(needed_db, LOOKAHEAD_N + 1, mode="constant", cval=0.0, origin=-(LOOKAHEAD_N // 2))
        step_db = RELEASE_DB_PER_S / SAMPLE_RATE_HZ
        ramp = (np.arange(len(ahead)) + 1) * step_db
        released = np.minimum.accumulate(np.concatenate([[self._released_db], ahead - ramp]))[1:] + ramp
        released = np.minimum(released, 0.0)
        self._released_db = float(released[count_n - 1])
        smooth = uniform_filter1d(released, LOOKAHEAD_N + 1, mode="nearest", origin=LOOKAHEAD_N // 2)
        return np.asarray(10 ** (smooth[LOOKAHEAD_N : LOOKAHEAD_N + count_n] / 20), np.float32)


class PeakMeter:
    """The true peak of everything pushed so far. Only what could beat the record is oversampled."""

    def __init__(self) -> None:
        self._peak = 0.0
        self._tail = np.zeros((2 * REACH_N, 2), np.float32)

    def push(self, block: Floats) -> None:
        """Take the next samples: float32 (n, 2), 48 kHz."""
        if not len(block):
            return
        seen = np.concatenate([self._tail, block])
        self._tail = seen[-2 * REACH_N :].copy()
        self._peak = max(self._peak, float(np.abs(block).max(initial=0.0)))
        for first, last in _hot_runs(seen, self._peak * _HOT):
            low, high = max(first - REACH_N, 0), min(last + REACH_N, len(seen))
            inner = slice(max(first, REACH_N) - low, min(last, len(seen) - REACH_N) - low)
            self._peak = max(self._peak, float(_peaks_between(seen[low:high])[inner].max(initial=0.0)))

    @property
    def dbtp(self) -> float:
        """Decibels relative to full scale, true peak; minus infinity for silence."""
        return float(20 * np.log10(self._peak)) if self._peak > 0 else float("-inf")
