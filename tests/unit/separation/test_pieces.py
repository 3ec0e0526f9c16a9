"""A recording is separated piece by piece: whole, without a seam, and the same after a kill."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from app.separation import pieces
from app.separation.ports import Stereo
from app.separation.spleeter.checkpoint import DamagedCheckpoint
from app.separation.spleeter.network import Spleeter
from tests.unit.separation.checkpoints import layers, write

SOUND: Stereo = np.random.default_rng(2).uniform(-0.5, 0.5, (1_000_003, 2)).astype(np.float32)


class Half:
    """A model that leaves half of everything, and shows where a window was cut by spoiling its ends."""

    window_n = 3 * pieces.MARGIN_N

    def background(self, window: Stereo) -> Stereo:
        half = window * np.float32(0.5)
        half[: pieces.MARGIN_N // 2] = half[-pieces.MARGIN_N // 2 :] = 9.0
        return half


def read(first_n: int, until_n: int) -> Stereo:
    assert 0 <= first_n < until_n <= len(SOUND)
    return SOUND[first_n:until_n]


@pytest.mark.parametrize("length_n", [0, 1, 65_536, 65_537, len(SOUND)])
def test_the_output_is_as_long_as_the_recording_and_has_no_seam(length_n: int) -> None:
    made = [*pieces.background(Half(), read, length_n)]
    assert len(made) == pieces.count(Half(), length_n)
    whole = np.concatenate([np.zeros((0, 2), np.float32), *made])
    np.testing.assert_allclose(whole, SOUND[:length_n] * 0.5, atol=1e-6)


@pytest.fixture(scope="module")
def spleeter(tmp_path_factory: pytest.TempPathFactory) -> Spleeter:
    prefix = tmp_path_factory.mktemp("weights") / "model"
    write(prefix, layers())
    return Spleeter(prefix, threads=1)


def test_a_run_that_goes_on_at_a_later_piece_gives_the_same_bits(spleeter: Spleeter) -> None:
    whole = [*pieces.background(spleeter, read, len(SOUND))]
    assert len(whole) == 3
    for first in range(3):
        rest = [*pieces.background(spleeter, read, len(SOUND), first)]
        assert len(rest) == 3 - first
        assert all(np.array_equal(again, before) for again, before in zip(rest, whole[first:], strict=True))


def test_the_networks_change_the_sound_and_leave_silence_silent(spleeter: Spleeter) -> None:
    window = SOUND[: spleeter.window_n]
    heard = spleeter.background(window)
    assert heard.shape == window.shape
    assert heard.dtype == np.float32
    assert 0.01 < np.mean((window - heard) ** 2) / np.mean(window**2) < 0.99
    assert not spleeter.background(np.zeros_like(window)).any()


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "model", {name: value for name, value in layers().items() if "conv2d_13" not in name})
    with pytest.raises(DamagedCheckpoint, match="conv2d_13"):
        Spleeter(tmp_path / "model", threads=1)
