"""What is left of a recording when a voice is known that somebody else has taken out of it.

A service's voice is no exact part of the recording: it comes late or early, louder or quieter, in one channel, and what
it holds may have been made anew. So where it agrees with the recording it is taken away as it is there, fitted in level
and phase at every frequency; where it does not, the recording is turned down by as much as the voice is loud, frequency
by frequency.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from app.separation.ports import Stereo

_BINS: Final = 4096  # of a frame: 85 ms at 48 kHz
_HOP: Final = 1024
_AGREES: Final = 0.8  # the share of a voice that is found again in the recording
_LEAST: Final = 0.03  # of the recording that is left at the least: none is emptied to a hole
_TINY: Final = 1e-12


def remainder(sound: Stereo, voice: Stereo) -> Stereo:
    """The recording (float32, (n, 2)) without the voice, of the same shape; both are in step."""
    if not np.any(voice):
        return sound
    left = np.empty_like(sound)
    for channel in range(2):
        left[:, channel] = _without(sound[:, channel], voice[:, channel])
    return left


def _without(
    sound: np.ndarray[tuple[int], np.dtype[np.float32]], voice: np.ndarray[tuple[int], np.dtype[np.float32]]
) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    from scipy import signal  # type: ignore[import-untyped]  # half a second, which a piece that is cut need not wait

    recorded, spoken = (_spectrum(each) for each in (sound, voice))
    across = np.sum(recorded * spoken.conj(), axis=1, keepdims=True)
    power = np.sum(np.abs(spoken) ** 2, axis=1, keepdims=True)
    fitted = spoken * (across / (power + _TINY))
    # where the voice is: how much of the recording's energy there the fitted voice explains, against its own
    loud = np.abs(spoken) ** 2 > 0.1 * float(np.max(np.abs(spoken) ** 2, initial=0.0))
    energy = float(np.sum(np.abs(recorded[loud]) ** 2))
    agrees = float(np.sum(np.abs(fitted[loud]) ** 2)) / (energy + _TINY)
    if agrees >= _AGREES:
        left = recorded - fitted
    else:
        powers = np.abs(spoken[loud]) ** 2
        level = float(np.sum(np.abs(recorded[loud]) ** 2 * powers) / (np.sum(powers**2) + _TINY))
        share = 1.0 - level * np.abs(spoken) ** 2 / (np.abs(recorded) ** 2 + _TINY)
        left = recorded * np.sqrt(np.clip(share, _LEAST**2, 1.0))
    _, made = signal.istft(left, nperseg=_BINS, noverlap=_BINS - _HOP)
    return np.asarray(np.pad(made, (0, max(0, len(sound) - len(made))))[: len(sound)], np.float32)


def _spectrum(
    samples: np.ndarray[tuple[int], np.dtype[np.float32]],
) -> np.ndarray[tuple[int, int], np.dtype[np.complex64]]:
    from scipy import signal

    return np.asarray(signal.stft(samples, nperseg=_BINS, noverlap=_BINS - _HOP)[2], np.complex64)


def late_by(sound: Stereo, voice: Stereo, most_n: int) -> int:
    """By how many samples the voice comes later than in the recording (negative: earlier), `most_n` at most. The peak
    of their correlation, whitened, so that loud music does not decide."""
    count_n = min(len(sound), len(voice))
    size = int(2 ** np.ceil(np.log2(2 * count_n)))
    recorded, spoken = (np.fft.rfft(each[:count_n].mean(axis=1), size) for each in (sound, voice))
    across = spoken * recorded.conj()
    found = np.fft.irfft(across / (np.abs(across) ** 0.7 + _TINY), size)
    lags = np.concatenate([found[-most_n:], found[: most_n + 1]])
    return int(np.argmax(lags)) - most_n
