"""Measures true peaks: four times oversampled (ITU-R BS.1770-4, annex 2), computed only where a peak is possible."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from app.dubbing.mixing.loudness import Floats

REACH_N: Final = 8  # samples on each side that the oversampling filter needs
# between two samples that stay below 0.7 of a level no peak reaches it: the worst case, a quarter of the sample rate,
# is 0.707
HOT: Final = 0.7


def _phases() -> list[Floats]:
    """Three filters of 16 taps: the value 1/4, 1/2 and 3/4 of the way from a window's eighth sample to its ninth."""
    at = np.arange(-31, 32)
    taps = np.sinc(at / 4) * np.kaiser(len(at), 6.0)
    taps *= 4 / taps.sum()
    offsets = np.arange(-REACH_N + 1, REACH_N + 1)
    return [taps[31 + quarter - 4 * offsets].astype(np.float32) for quarter in (1, 2, 3)]


_PHASES = _phases()


def hot_peaks(samples: Floats, threshold: float) -> Iterator[tuple[npt.NDArray[np.intp], Floats]]:
    """For each channel of float32 (n, channels): where a sample or its successor passes the threshold, and the largest
    magnitude from there up to the successor. The outer REACH_N of the samples are context only. Elementwise in a fixed
    order: a place gives the same bits in any block.
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


def true_peak(samples: Floats, at_least: float = 0.0) -> float:
    """The largest magnitude of float32 (n, 2), between the samples too, silence being before and after; only what
    passes `at_least` is looked for."""
    if not len(samples):
        return at_least
    largest = max(at_least, float(max(samples.max(), -samples.min())))
    padded = np.pad(samples, ((REACH_N, REACH_N + 1), (0, 0)))
    return max([largest, *(float(peaks.max(initial=0.0)) for _, peaks in hot_peaks(padded, largest * HOT))])


def dbtp(peak: float) -> float:
    """A magnitude in decibels relative to full scale, true peak; minus infinity for silence."""
    return float(20 * np.log10(peak)) if peak > 0 else float("-inf")
