"""Mixes the channels of a track to mono for recognition: takes the channels that have sound, and avoids out-of-phase
cancellation."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.float32]

_RAMP_N: Final = 2_400  # 50 ms at 48 kHz: a change of channel is a quick fade, not a click
_LEAST_N: Final = 4_800  # less sound than this decides nothing
# 48 to 6 kHz: differences of what is left weigh 300 to 3,000 Hz, where a voice is, and neither rumble nor hiss
_THINNED: Final = 8
_FAINT: Final = 1e-9  # mean square of those differences (about -85 dBFS): silence decides nothing
_ONE_SIDE: Final = 1e-3  # 30 dB: crosstalk of a cable
_FORGET_PER_S: Final = 0.8  # a side that was silent for half a minute is
_CANCELS, _ADDS = -0.7, -0.3  # correlations; between them the last decision stays
_OTHER_SIDE: Final = 2.0  # how much louder the other side must be before it is taken
_CENTRE_COMES, _CENTRE_GOES = 1e-2, 1e-3  # shares of all energy


class Listening(msgspec.Struct, frozen=True):
    """The state of a `Listener`."""

    weights: tuple[float, ...] | None
    recent: tuple[float, float]
    pair: tuple[float, float]
    in_centre: bool


class Listener:
    """Turns a sound into one channel, block by block. Stores only the last decision and recent energies.

    Mono stays as it is. Of two channels the mean is taken; the louder one when they are out of phase and the mean would
    be (nearly) silent, and the only one that has sound when the other is silent. Of surround sound the centre is taken
    while it has sound, because films have their dialogue there; else the stereo downmix, or the loudest channel when
    the downmix is silent.
    """

    def __init__(self) -> None:
        self._weights: Samples | None = None
        self._recent = np.zeros(2)
        self._pair = (0.5, 0.5)
        self._in_centre = False

    def state(self) -> Listening:
        weights = tuple(self._weights.tolist()) if self._weights is not None else None
        left, right = self._recent.tolist()
        return Listening(weights, (left, right), self._pair, self._in_centre)

    def go_on(self, state: Listening) -> None:
        """Continue from the state of another listener."""
        self._weights = np.array(state.weights, np.float32) if state.weights is not None else None
        self._recent, self._pair, self._in_centre = np.array(state.recent), state.pair, state.in_centre

    def hear(self, folded: Samples, native: Samples | None = None, names: Sequence[str] = ()) -> Samples:
        """`folded` is float32 (n, 2) at 48 kHz; `native` (n, channels) is what it was made of, where that had more than
        two, and `names` are FFmpeg's names of its channels ("FC"). Returns float32 (n,).
        """
        channels = folded if native is None else np.concatenate([folded, native], axis=1)
        before = self._weights if self._weights is not None and len(self._weights) == channels.shape[1] else None
        if before is None or len(channels) >= _LEAST_N:
            self._weights = self._decide(channels, names)
        after = self._weights
        if after is None or before is None or np.array_equal(before, after):
            return np.asarray(channels @ (self._decide(channels, names) if after is None else after), np.float32)
        share = np.minimum(np.arange(len(channels), dtype=np.float32) / _RAMP_N, 1.0)
        return np.asarray((channels @ before) * (1 - share) + (channels @ after) * share, np.float32)

    def _decide(self, channels: Samples, names: Sequence[str]) -> Samples:
        """Decide the weight of each channel from its energy in the range of voices."""
        weights = np.zeros(channels.shape[1], np.float32)
        whole_n = len(channels) - len(channels) % _THINNED
        thinned = channels[:whole_n].reshape(-1, _THINNED, channels.shape[1]).mean(axis=1, dtype=np.float64)
        steps = np.diff(thinned, axis=0)
        energies = np.square(steps).mean(axis=0) if len(steps) else np.zeros(channels.shape[1])
        cross = float((steps[:, 0] * steps[:, 1]).mean()) if len(steps) else 0.0
        alone = self._alone(energies, names)
        if alone is not None:
            weights[alone] = 1.0
            return weights
        weights[:2] = self._two(float(energies[0]), float(energies[1]), cross, len(channels))
        return weights

    def _alone(self, energies: npt.NDArray[np.float64], names: Sequence[str]) -> int | None:
        """The surround channel that is taken alone; None for the stereo downmix."""
        native = energies[2:].copy()
        if not len(native):
            return None
        native[[at for at, name in enumerate(names) if name == "LFE"]] = 0.0
        whole, loudest = float(native.sum()), int(native.argmax())
        centre = next((at for at, name in enumerate(names) if name == "FC"), None)
        if centre is not None and whole > _FAINT:
            self._in_centre = bool(native[centre] > whole * (_CENTRE_GOES if self._in_centre else _CENTRE_COMES))
        if centre is not None and self._in_centre:
            return 2 + centre
        return 2 + loudest if native[loudest] > _FAINT and max(energies[:2]) < _ONE_SIDE * native[loudest] else None

    def _two(self, left: float, right: float, cross: float, count_n: int) -> tuple[float, float]:
        if max(left, right) > _FAINT:
            self._recent = np.maximum(self._recent * _FORGET_PER_S ** (count_n / 48_000), [left, right])
            self._pair = self._pair_for(left, right, cross)
        return self._pair

    def _pair_for(self, left: float, right: float, cross: float) -> tuple[float, float]:
        least, most = sorted(self._recent)
        if least < _ONE_SIDE * most:
            return (1.0, 0.0) if self._recent[0] > self._recent[1] else (0.0, 1.0)
        if min(left, right) < _ONE_SIDE * max(left, right):  # one side is silent now
            return self._pair if self._pair[left < right] else (0.5, 0.5)
        correlation = cross / math.sqrt(left * right)
        if correlation > _ADDS:
            return 0.5, 0.5
        if correlation > _CANCELS:
            return self._pair
        stays = (self._pair[0] == 1.0 and left * _OTHER_SIDE > right) or (
            self._pair[1] == 1.0 and right * _OTHER_SIDE > left
        )
        return self._pair if stays else (1.0, 0.0) if left >= right else (0.0, 1.0)
