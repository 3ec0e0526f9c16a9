"""Peaks between the samples: four times oversampled, ITU-R BS.1770-4 annex 2, only where a peak can be."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from app.dubbing.loudness import Floats

REACH_N: Final = 8  # samples on each side that the oversampling filter needs
HOT: Final = 0.7  # between two samples that stay below 0.7 of a level no peak reaches it: the worst case, a quarter of the sample rate, is 0.707
_BLOCK_N: Final = 48_000


def _phases() -> list[Floats]:
    """Three filters of 16 taps: the value 1/4, 1/2 and 3/4 of the way from a window's eighth sample to its ninth."""
    at = np.arange(-31, 32)
    taps = np.sinc(at / 4) * np.kaiser(len(at), 6.0)
    taps *= 4 / taps.sum()
    offsets = np.arange(-REACH_N + 1, REACH_N + 1)
    return [taps[31 + quarter - 4 * offsets].astype(np.float32) for quarter in (1, 2, 3)]


_PHASES = _phases()


def hot_peaks(samples: Floats, threshold: float) -> Iterator[tuple[npt.NDArray[np.intp], Floats]]:
    """For each channel of float32 (n, channels): where a sample or its successor passes the threshold, and the largest magnitude from there
    up to the successor. The outer REACH_N of the samples are context only. Elementwise in a fixed order: a place gives the same bits in any block.
    """
    for channel in range(samples.shape[1]):
        signal = np.ascontiguousarray(samples[:, channel])
        if not len(signal) or (signal.max() <= threshold and signal.min() >= -threshold):
            continue
        hot = np.abs(signal) > threshold
        index = np.flatnonzero(hot[:-1] | hot[1:])
        index = index[(index >= REACH_N) & (index < len(signal) - REACH_N)]
        between = [np.zeros(len(index), np.float32) for _ in _PHASES]
        for tap in range(2 * REACH_N):
            reached = signal[index + (tap - REACH_N + 1)]
            for total, phase in zip(between, _PHASES, strict=True):
                total += reached * phase[tap]
        peak = np.maximum(np.abs(signal[index]), np.abs(signal[index + 1]))
        for total in between:
            np.maximum(peak, np.abs(total), out=peak)
        yield index, peak


def true_peak(samples: Floats, from_n: int = 0, until_n: int | None = None) -> float:
    """The largest magnitude of float32 (n, 2) in memory, between the samples too; of those from `from_n` to `until_n` where that is given, the
    others being context. Before the first and after the last there is silence.
    """
    until_n = len(samples) if until_n is None else until_n
    own = samples[from_n:until_n]
    if not len(own):
        return 0.0
    largest = threshold = float(max(own.max(), -own.min()))
    for at_n in range(from_n if largest else until_n, until_n, _BLOCK_N):
        to_n = min(at_n + _BLOCK_N, until_n)
        seen = samples[max(at_n - REACH_N, 0) : to_n + REACH_N]
        lacking = max(REACH_N - at_n, 0), max(to_n + REACH_N - len(samples), 0)
        for _, peaks in hot_peaks(np.pad(seen, (lacking, (0, 0))) if any(lacking) else seen, threshold * HOT):
            largest = max(largest, float(peaks.max(initial=0.0)))
    return largest


def dbtp(peak: float) -> float:
    """A magnitude in decibels relative to full scale, true peak; minus infinity for silence."""
    return float(20 * np.log10(peak)) if peak > 0 else float("-inf")
