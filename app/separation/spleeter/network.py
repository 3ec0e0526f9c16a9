"""Spleeter's two stems: a U-Net for the voice and one for the rest, over the spectrum up to 11 kHz.

After deezer/spleeter `model/functions/unet.py` and `model/__init__.py` (MIT). The widths are the checkpoint's, so that
a small one of the same shape takes the same way.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from app.separation.ports import Stereo
from app.separation.spleeter.checkpoint import DamagedCheckpoint, tensors

if TYPE_CHECKING:
    import torch

FRAMES: Final = 512  # of one call
HOP_N: Final = 1024
_FFT_N: Final = 4096
_BINS: Final = 1024  # up to 11 kHz; what is above gets the mean of their masks
_LEVELS: Final = 6
_VOICE, _REST = 0, 1  # the order of the networks in the checkpoint
_TINY: Final = 1e-10  # keeps the mask of digital silence a number


class Spleeter:
    """The loaded model. 79 MB of weights; a call takes some 300 MB more and gives them back."""

    window_n = FRAMES * HOP_N

    def __init__(self, prefix: Path, threads: int) -> None:
        """`prefix` names the checkpoint's files without their endings. Raises DamagedCheckpoint."""
        import torch

        torch.set_num_threads(threads)
        self._hann = torch.hann_window(_FFT_N)
        weights = {
            name: torch.from_numpy(np.array(value)) for name, value in tensors(prefix).items() if "Adam" not in name
        }
        _check(weights)
        self._networks = [_UNet(weights, number) for number in (_VOICE, _REST)]

    def background(self, window: Stereo) -> Stereo:
        """See `Separator`. The rest of the sound keeps its phase; its share of each place in the spectrum is that of
        the energies which the two networks hear there."""
        import torch

        with torch.inference_mode():
            sound = torch.from_numpy(np.ascontiguousarray(window.T))
            spectrum = torch.stft(sound, _FFT_N, HOP_N, window=self._hann, center=True, return_complex=True)
            heard = spectrum[:, :_BINS, :FRAMES].abs().transpose(1, 2)[None]
            voice, rest = (network.hear(heard) ** 2 for network in self._networks)
            share = ((rest + _TINY / 2) / (voice + rest + _TINY))[0].transpose(1, 2)
            above = share.mean(1, keepdim=True).expand(-1, spectrum.shape[1] - _BINS, -1)
            mask = torch.cat([share, above], 1)
            # the last frame is centred on the window's very end
            mask = torch.cat([mask, mask[:, :, -1:]], 2)
            background = torch.istft(spectrum * mask, _FFT_N, HOP_N, window=self._hann, length=window.shape[0])
        return np.ascontiguousarray(background.numpy().T)


class _UNet:
    """One network. TensorFlow counts the layers of both in one row: "conv2d", "conv2d_1", and so on."""

    def __init__(self, weights: dict[str, torch.Tensor], number: int) -> None:
        down, up, norm = (_LEVELS + 1) * number, _LEVELS * number, 2 * _LEVELS * number
        self._down = [_filters(weights, "conv2d", down + level) for level in range(_LEVELS + 1)]
        self._up = [_filters(weights, "conv2d_transpose", up + level) for level in range(_LEVELS)]
        self._norms = [
            tuple(
                weights[f"{_layer('batch_normalization', norm + level)}/{part}"]
                for part in ("moving_mean", "moving_variance", "gamma", "beta")
            )
            for level in range(2 * _LEVELS)
        ]

    def hear(self, heard: torch.Tensor) -> torch.Tensor:
        """The magnitudes of the network's own stem in `heard` ((1, 2, frames, bins)), of the same shape."""
        import torch
        from torch.nn import functional as F

        levels = []
        x = heard
        for level in range(_LEVELS):
            kernel, bias = self._down[level]
            x = F.conv2d(F.pad(x, (1, 2, 1, 2)), kernel, bias, stride=2)
            levels.append(x)
            x = F.leaky_relu(self._normed(x, level), 0.2)
        x = levels.pop()
        for level in range(_LEVELS):
            kernel, bias = self._up[level]
            height, width = 2 * x.shape[2], 2 * x.shape[3]
            x = F.conv_transpose2d(x, kernel, bias, stride=2)[:, :, 1 : 1 + height, 1 : 1 + width]
            x = self._normed(F.relu(x), _LEVELS + level)
            if levels:
                x = torch.cat([levels.pop(), x], 1)
        kernel, bias = self._down[_LEVELS]
        return torch.sigmoid(F.conv2d(x, kernel, bias, padding=3, dilation=2)) * heard

    def _normed(self, x: torch.Tensor, level: int) -> torch.Tensor:
        from torch.nn import functional as F

        mean, variance, gamma, beta = self._norms[level]
        return F.batch_norm(x, mean, variance, gamma, beta, eps=1e-3)


def _check(weights: dict[str, torch.Tensor]) -> None:
    """Whether every tensor of both networks is there, of the right shape, and finite. Raises DamagedCheckpoint."""
    import torch

    widths = [
        kernel.shape[-1]
        for level in range(_LEVELS)
        if (kernel := weights.get(f"{_layer('conv2d', level)}/kernel")) is not None and kernel.ndim == 4
    ]
    if len(widths) < _LEVELS:
        raise DamagedCheckpoint("it is not Spleeter's two stems")
    for network in (_VOICE, _REST):
        for name, shape in _shapes(widths, network):
            found = weights.get(name)
            if found is None:
                raise DamagedCheckpoint(f"{name} is not in it: it is not Spleeter's two stems")
            if tuple(found.shape) != shape:
                raise DamagedCheckpoint(f"{name} has the shape {tuple(found.shape)} instead of {shape}")
            if not torch.isfinite(found).all():
                raise DamagedCheckpoint(f"{name} has values that are no numbers")


def _shapes(widths: list[int], network: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Every tensor of one network, by name."""
    back = [*widths[-2::-1], 1]
    before = [2, *widths[:-1]]
    joined = [widths[-1], *(2 * width for width in back[:-1])]
    down, up, norm = (_LEVELS + 1) * network, _LEVELS * network, 2 * _LEVELS * network
    for level, (own, given) in enumerate(zip(widths, before, strict=True)):
        yield f"{_layer('conv2d', down + level)}/kernel", (5, 5, given, own)
        yield f"{_layer('conv2d', down + level)}/bias", (own,)
    for level, (own, given) in enumerate(zip(back, joined, strict=True)):
        yield f"{_layer('conv2d_transpose', up + level)}/kernel", (5, 5, own, given)
        yield f"{_layer('conv2d_transpose', up + level)}/bias", (own,)
    yield f"{_layer('conv2d', down + _LEVELS)}/kernel", (4, 4, 1, 2)
    yield f"{_layer('conv2d', down + _LEVELS)}/bias", (2,)
    for level, own in enumerate([*widths, *back]):
        for part in ("moving_mean", "moving_variance", "gamma", "beta"):
            yield f"{_layer('batch_normalization', norm + level)}/{part}", (own,)


def _layer(kind: str, number: int) -> str:
    return kind if number == 0 else f"{kind}_{number}"


def _filters(weights: dict[str, torch.Tensor], kind: str, number: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Kernel and bias; TensorFlow has the kernel's height and width first."""
    name = _layer(kind, number)
    return weights[f"{name}/kernel"].permute(3, 2, 0, 1).contiguous(), weights[f"{name}/bias"]
