"""A true-peak limiter that looks ahead, and a true-peak meter. The result does not depend on how the sound is cut into blocks.

Gain reduction in dB: the peak between the samples (four times oversampled, BS.1770-4 annex 2), its minimum over the look-ahead, a release
that is linear in dB, and a moving mean that makes the attack a ramp. Only around samples near the ceiling is anything computed.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view
from scipy.ndimage import minimum_filter1d, uniform_filter1d  # type: ignore[import-untyped]

from app.dubbing.loudness import SAMPLE_RATE_HZ, Doubles, Floats

LOOKAHEAD_N = 240  # 5 ms
REACH_N = 8  # samples on each side that the oversampling filter needs
DELAY_N = LOOKAHEAD_N + REACH_N  # the output comes this much later than the input
RELEASE_DB_PER_S = 30.0
_HISTORY_N = LOOKAHEAD_N + REACH_N
_HOT = 0.7  # between two samples that stay below 0.7 of the ceiling no peak reaches it: the worst case, a quarter of the sample rate, is 0.707
_EPSILON_DB = 1e-3


def _phases() -> list[Floats]:
    """Three filters of 16 taps: the value 1/4, 1/2 and 3/4 of the way from a window's eighth sample to its ninth."""
    at = np.arange(-31, 32)
    taps = np.sinc(at / 4) * np.kaiser(len(at), 6.0)
    taps *= 4 / taps.sum()
    offsets = np.arange(-REACH_N + 1, REACH_N + 1)
    return [taps[31 + quarter - 4 * offsets].astype(np.float32) for quarter in (1, 2, 3)]


_PHASES = _phases()


def _hot_peaks(samples: Floats, threshold: float) -> tuple[npt.NDArray[np.intp], Floats]:
    """Where a sample or its successor passes the threshold, and the largest magnitude from there up to the successor.

    The outer REACH_N of the samples, float32 (n, channels), are context only.
    """
    indices, peaks = [], []
    for channel in range(samples.shape[1]):
        signal = np.ascontiguousarray(samples[:, channel])
        hot = np.abs(signal) > threshold
        index = np.flatnonzero(hot[:-1] | hot[1:])
        index = index[(index >= REACH_N) & (index < len(signal) - REACH_N)]
        windows = sliding_window_view(signal, 2 * REACH_N)[index - REACH_N + 1]
        peak = np.maximum(np.abs(signal[index]), np.abs(signal[index + 1]))
        for phase in _PHASES:
            peak = np.maximum(peak, np.abs((windows * phase).sum(axis=1)))
        indices.append(index)
        peaks.append(peak)
    return np.concatenate(indices), np.concatenate(peaks)


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
        needed_db = self._needed_db(seen)
        if resting and not needed_db.any():
            self._released_db = 0.0
            return out
        return np.asarray(out * self._gain(needed_db, count_n)[:, None], np.float32)

    def flush(self) -> Floats:
        """The samples still inside."""
        return self.push(np.zeros((DELAY_N, 2), np.float32))

    def _needed_db(self, seen: Floats) -> Doubles:
        """How much each sample must be lowered (<= 0 dB), without the REACH_N at both ends that lack context."""
        index, peaks = _hot_peaks(seen, self._ceiling * _HOT)
        needed = np.zeros(len(seen))
        np.minimum.at(needed, index, 20 * np.log10(np.minimum(1.0, self._ceiling / peaks.astype(np.float64))))
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
        self._peak = max(self._peak, float(np.abs(block).max()))
        if self._peak > 0:
            _, peaks = _hot_peaks(seen, self._peak * _HOT)
            self._peak = max(self._peak, float(peaks.max(initial=0.0)))

    @property
    def dbtp(self) -> float:
        """Decibels relative to full scale, true peak; minus infinity for silence."""
        return float(20 * np.log10(self._peak)) if self._peak > 0 else float("-inf")
