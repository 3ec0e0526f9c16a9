"""A true-peak limiter that looks ahead. The result is the same, bit for bit, however the sound is cut into blocks.

Gain reduction in dB: the peak between the samples (`peaks`), its minimum over the look-ahead, a release that is linear
in dB, and a moving mean that makes the attack a ramp. Only around samples near the ceiling is anything computed.
Reductions are whole numbers of a tiny unit: sums of integers have no order, so neither blocks nor the moment at which
the limiter was started leave a trace in the sound.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np
import numpy.typing as npt

from app.dubbing.mixing.loudness import SAMPLE_RATE_HZ, Floats
from app.dubbing.mixing.true_peak import HOT, REACH_N, hot_peaks

LOOKAHEAD_N: Final = 240  # 5 ms
DELAY_N: Final = LOOKAHEAD_N + REACH_N  # the output comes this much later than the input
RELEASE_DB_PER_S: Final = 30.0
DEEPEST_DB: Final = -60.0  # no reduction goes further
# nothing older than 2 s and a window has any effect
MEMORY_N: Final = round(-DEEPEST_DB / RELEASE_DB_PER_S * SAMPLE_RATE_HZ) + 2 * LOOKAHEAD_N
_HISTORY_N: Final = LOOKAHEAD_N + REACH_N
_STEP: Final = 16  # units that the release gives back with each sample
_UNIT_DB: Final = RELEASE_DB_PER_S / SAMPLE_RATE_HZ / _STEP
_WINDOW_N: Final = LOOKAHEAD_N + 1

Units = npt.NDArray[np.int32]  # 2^31 units are 84,000 dB


class Limiter:
    """Keeps the true peak of float32 (n, 2) blocks at 48 kHz under a ceiling; sound under it passes bit by bit.

    The first DELAY_N samples out are silence from before the start; `flush` gives the last DELAY_N.
    """

    def __init__(self, ceiling_dbtp: float) -> None:
        self._ceiling = 10 ** (ceiling_dbtp / 20)
        self._tail = np.zeros((_HISTORY_N + DELAY_N, 2), np.float32)
        self._released = 0  # where the release stands at the block's start, in units

    def push(self, block: Floats) -> Floats:
        """As many samples as come in, DELAY_N later."""
        count_n = len(block)
        if not count_n:
            return block
        seen = np.concatenate([self._tail, block])  # history, the block to give out, look-ahead
        self._tail = seen[-(_HISTORY_N + DELAY_N) :].copy()
        out = seen[_HISTORY_N : _HISTORY_N + count_n]
        needed = self._needed(seen)
        if needed is None and not self._released:
            return out
        return self._lowered(out, needed if needed is not None else np.zeros(count_n + 2 * LOOKAHEAD_N, np.int32))

    def flush(self) -> Floats:
        """The samples still inside."""
        return self.push(np.zeros((DELAY_N, 2), np.float32))

    def _needed(self, seen: Floats) -> Units | None:
        """How much each sample must be lowered (units <= 0), without the REACH_N at both ends that lack context; None
        where nothing must."""
        needed: Units | None = None
        for index, peaks in hot_peaks(seen, self._ceiling * HOT):
            over = peaks > self._ceiling
            if not over.any():
                continue
            if needed is None:
                needed = np.zeros(len(seen), np.int32)
            wanted_db = np.maximum(20 * np.log10(self._ceiling / peaks[over].astype(np.float64)), DEEPEST_DB)
            at = index[over]
            needed[at] = np.minimum(needed[at], np.floor(wanted_db / _UNIT_DB).astype(np.int32))
        return None if needed is None else needed[REACH_N : len(seen) - REACH_N]

    def _lowered(self, out: Floats, needed: Units) -> Floats:
        count_n = len(out)
        ahead = _least_ahead(needed)
        ramp = np.arange(_STEP, (len(ahead) + 1) * _STEP, _STEP, dtype=np.int32)
        released = ahead - ramp
        released[0] = min(int(released[0]), self._released)
        np.minimum.accumulate(released, out=released)
        released += ramp
        np.minimum(released, 0, out=released)
        self._released = int(released[count_n - 1])
        sums = np.cumsum(released, dtype=np.int64)
        windows = sums[LOOKAHEAD_N:].copy()
        windows[1:] -= sums[:-_WINDOW_N]
        if not windows.any():
            return out
        factor = np.exp((windows * (math.log(10) / 20 * _UNIT_DB / _WINDOW_N)).astype(np.float32))
        return np.asarray(out * factor[:, None], np.float32)


def _least_ahead(needed: Units) -> Units:
    """The minimum over each sample and the LOOKAHEAD_N after it; the last LOOKAHEAD_N, which lack them, are left
    out."""
    least, reach_n = needed, 1
    while reach_n < _WINDOW_N:  # windows of 1, 2, 4 ... samples, the last two overlapping
        step_n = min(reach_n, _WINDOW_N - reach_n)
        least = np.minimum(least[:-step_n], least[step_n:])
        reach_n += step_n
    return least
