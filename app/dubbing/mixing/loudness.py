"""Loudness by ITU-R BS.1770-4: K-weighted energies of 100 ms, integrated loudness from them, and the gain that reaches
a target.

Energies add up (uncorrelated sounds), so the loudness of a mix is known from the energies of its parts before a single
sample is mixed: measured error of the prediction at most 0.002 LU, which saves the second pass over the sound.
"""

from __future__ import annotations

import math
from array import array

import numpy as np
import numpy.typing as npt

from app.dubbing.mixing.k_weighting import CELL_N, KWeighting

SAMPLE_RATE_HZ = 48_000
ENERGY_N = CELL_N  # samples per energy: 100 ms
ENERGY_S = 0.1
SILENT_LUFS = -math.inf

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

_OFFSET_DB = -0.691  # BS.1770-4: a 997 Hz sine at 0 dBFS in one channel reads -3.01
_ABSOLUTE_GATE_LUFS = -70.0
_RELATIVE_GATE_LU = -10.0
_WINDOW = 4  # gating blocks of 400 ms, overlapping by 75 %


class KMeter:
    """Measures blocks of any length, one after the other, without keeping them.

    An energy is the mean square of 100 ms of the K-weighted sound, summed over the channels (each weighs 1: mono or
    stereo).
    """

    def __init__(self, channels: int = 2) -> None:
        self._weighting = KWeighting(channels)
        self._rest = np.zeros((channels, 0))
        self._energies = array("d")

    def push(self, block: Floats) -> None:
        """Take the next samples: float32 (n, channels), 48 kHz."""
        if self._weighting.at_rest and not block.any() and not self._rest.any():
            cells, rest_n = divmod(self._rest.shape[1] + len(block), ENERGY_N)
            self._energies.frombytes(bytes(8 * cells))
            self._rest = np.zeros((len(self._rest), rest_n))
            return
        samples = np.concatenate([self._rest, block.T], axis=1, dtype=np.float64)
        whole_n = samples.shape[1] // ENERGY_N * ENERGY_N
        if whole_n:
            weighted = self._weighting.filter(np.ascontiguousarray(samples[:, :whole_n])).reshape(
                len(samples), -1, ENERGY_N
            )
            self._energies.frombytes((np.einsum("cij,cij->i", weighted, weighted) / ENERGY_N).tobytes())
        self._rest = samples[:, whole_n:].copy()

    def energies(self) -> Doubles:
        """One mean square per full 100 ms so far: float64 (k,)."""
        return np.array(self._energies, np.float64)


def energies_of(samples: Floats) -> Doubles:
    """The energies of a whole sound in memory, float32 (n,) or (n, channels); a last part of less than 100 ms is filled
    with silence."""
    shaped = samples.reshape(len(samples), -1)
    meter = KMeter(shaped.shape[1])
    meter.push(np.pad(shaped, ((0, -len(shaped) % ENERGY_N), (0, 0))))
    return meter.energies()


def integrated_lufs(energies: Doubles) -> float:
    """The gated loudness of a whole programme; minus infinity where nothing is above the gate or it is shorter than 400
    ms."""
    if len(energies) < _WINDOW:
        return SILENT_LUFS
    sums = np.zeros(len(energies) + 1)
    np.cumsum(energies, out=sums[1:])
    windows = sums[_WINDOW:] - sums[:-_WINDOW]
    windows /= _WINDOW
    loud = windows > _power(_ABSOLUTE_GATE_LUFS)
    if not loud.any():
        return SILENT_LUFS
    loud &= windows > _power(_lufs(float(windows[loud].mean())) + _RELATIVE_GATE_LU)
    return _lufs(float(windows[loud].mean()))


def speech_lufs(energies: Doubles) -> float:
    """The loudness of one spoken line, which may be shorter than the 400 ms that BS.1770 wants: its pauses do not
    count."""
    if len(energies) >= 2 * _WINDOW:
        return integrated_lufs(energies)
    loud = energies > _power(_ABSOLUTE_GATE_LUFS)
    if not loud.any():
        return SILENT_LUFS
    loud &= energies > energies[loud].mean() * 10 ** (_RELATIVE_GATE_LU / 10)
    return _lufs(float(energies[loud].mean()))


def gain_to(target_lufs: float, energies: Doubles, *, max_gain_db: float) -> float:
    """The gain in dB that brings a programme to the target. 0 for silence; boosts end at `max_gain_db`, so that hiss
    stays hiss."""
    measured = integrated_lufs(energies)
    if measured == SILENT_LUFS:
        return 0.0
    return min(target_lufs - measured, max_gain_db)


def linear(gain_db: float) -> float:
    """Decibels as a factor on samples."""
    return float(10 ** (gain_db / 20))


def _lufs(mean_square: float) -> float:
    return _OFFSET_DB + 10 * math.log10(mean_square)


def _power(lufs: float) -> float:
    return float(10 ** ((lufs - _OFFSET_DB) / 10))
