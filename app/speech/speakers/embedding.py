"""A voice as a vector: the GE2E encoder (Wan et al., 2018) as Resemblyzer published it, on 40 mel bands of 16 kHz
sound.

Runs in `app.speech.speakers.child`, which has torch.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Doubles = npt.NDArray[np.float64]

RATE_HZ: Final = 16_000
SIZE: Final = 256  # numbers of a vector
_WINDOW_N, _HOP_N, _BANDS = 400, 160, 40
_FRAMES: Final = 160  # that the encoder hears at once: 1.6 s
_STEP: Final = 80
_LOUDNESS_DB: Final = -30.0  # quieter sound is raised to it
_AT_ONCE: Final = 32  # windows in one call
_LOUD_SHARE: Final = 0.05  # of the loudest tenth of the frames: what is quieter is no speech


class Encoder:
    """The network in memory. Raises what torch.load raises for a file that is none of it."""

    def __init__(self, weights: Path, threads: int) -> None:
        import torch

        torch.set_num_threads(max(threads, 1))
        self._torch = torch
        found = torch.load(weights, map_location="cpu", weights_only=True)["model_state"]
        self._lstm = torch.nn.LSTM(_BANDS, SIZE, 3, batch_first=True)
        self._linear = torch.nn.Linear(SIZE, SIZE)
        for name, part in (("lstm", self._lstm), ("linear", self._linear)):
            mine = {key.partition(".")[2]: value for key, value in found.items() if key.startswith(f"{name}.")}
            part.load_state_dict(mine)
            part.eval()

    def embed(self, sound: Floats) -> Floats:
        """The voice in `sound` (float32 mono, 16 kHz) as a vector of length 1; zeros where there is hardly a sound."""
        frames = spoken(mel(louder(sound)))
        if len(frames) < _FRAMES // 4:
            return np.zeros(SIZE, np.float32)
        starts = range(0, max(len(frames) - _FRAMES, 0) + 1, _STEP)
        windows = [frames[start : start + _FRAMES] for start in starts]
        if len(windows[0]) < _FRAMES:  # a short line says its voice again
            windows = [np.tile(frames, (-(-_FRAMES // len(frames)), 1))[:_FRAMES]]
        total = np.zeros(SIZE)
        with self._torch.inference_mode():
            for first in range(0, len(windows), _AT_ONCE):
                total += self._vectors(np.stack(windows[first : first + _AT_ONCE])).sum(axis=0)
        length = float(np.linalg.norm(total))
        return np.asarray(total / length if length else total, np.float32)

    def _vectors(self, windows: Floats) -> Any:
        _, (hidden, _) = self._lstm(self._torch.from_numpy(windows))
        found = self._torch.relu(self._linear(hidden[-1]))
        return (found / found.norm(dim=1, keepdim=True).clamp_min(1e-9)).numpy()


def louder(sound: Floats) -> Floats:
    """Quiet sound at -30 dB RMS; louder sound as it is."""
    level = float(np.sqrt(np.mean(np.square(sound, dtype=np.float64)))) if len(sound) else 0.0
    if level <= 1e-6:
        return sound
    return np.asarray(sound * max(10 ** (_LOUDNESS_DB / 20) / level, 1.0), np.float32)


def mel(sound: Floats) -> Floats:
    """Mel energies, (frames, 40), of every 10 ms. Slaney's bands, as librosa makes them."""
    if len(sound) <= _WINDOW_N // 2:
        return np.zeros((0, _BANDS), np.float32)
    padded = np.pad(sound, _WINDOW_N // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, _WINDOW_N)[::_HOP_N]
    window = np.hanning(_WINDOW_N + 1)[:-1]
    power = np.abs(np.fft.rfft(frames * window, axis=1)) ** 2
    return np.asarray(power @ _BANK.T, np.float32)


def spoken(frames: Floats) -> Floats:
    """The frames without the silent ones."""
    if not len(frames):
        return frames
    energy = frames.sum(axis=1)
    loud = float(np.quantile(energy, 0.9))
    return frames[energy > loud * _LOUD_SHARE**2] if loud > 0 else frames[:0]


def _mel_of(hz: Doubles) -> Doubles:
    linear = hz * 3 / 200
    return np.where(hz >= 1000, 15 + np.log(np.maximum(hz, 1e-9) / 1000) * 27 / np.log(6.4), linear)


def _hz_of(mels: Doubles) -> Doubles:
    return np.where(mels >= 15, 1000 * np.exp((mels - 15) * np.log(6.4) / 27), mels * 200 / 3)


def _bank() -> Doubles:
    ends = _mel_of(np.array([0.0, RATE_HZ / 2]))
    points = _hz_of(np.linspace(ends[0], ends[1], _BANDS + 2))
    bins = np.linspace(0, RATE_HZ / 2, _WINDOW_N // 2 + 1)
    low, centre, high = points[:-2, None], points[1:-1, None], points[2:, None]
    shape = np.minimum((bins - low) / (centre - low), (high - bins) / (high - centre))
    return np.asarray(np.maximum(shape, 0.0) * 2 / (high - low), np.float64)


_BANK: Final = _bank()
