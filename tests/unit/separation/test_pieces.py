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


def noise(length_n: int) -> Stereo:
    """Nothing above 18 kHz, which every rate here can carry."""
    spectrum = np.fft.rfft(np.random.default_rng(2).uniform(-0.5, 0.5, (length_n, 2)), axis=0)
    spectrum[round(length_n * 18 / 48) :] = 0
    return np.fft.irfft(spectrum, length_n, axis=0).astype(np.float32)


SOUND: Stereo = noise(1_000_000)


class Half:
    """A model that leaves half of everything, and shows where a window was cut by spoiling its ends."""

    window_n = 200_000

    def background(self, window: Stereo) -> Stereo:
        half = window * np.float32(0.5)
        half[:30_000] = half[-30_000:] = 9.0
        return half


def read(first_n: int, until_n: int) -> Stereo:
    assert 0 <= first_n < until_n <= len(SOUND)
    return SOUND[first_n:until_n]


EDGE_N = 128  # where the sound begins and ends at once, it has more than the model's rate can carry


@pytest.mark.parametrize("length_n", [0, 1, 79_040, 79_041, len(SOUND)])
def test_the_output_is_as_long_as_the_recording_and_has_no_seam(length_n: int) -> None:
    made = [*pieces.background(Half(), read, length_n)]
    assert len(made) == pieces.count(Half(), length_n)
    whole = np.concatenate([np.zeros((0, 2), np.float32), *made])
    assert len(whole) == length_n
    inside = slice(EDGE_N, max(EDGE_N, length_n - EDGE_N))
    np.testing.assert_allclose(whole[inside], SOUND[:length_n][inside] * 0.5, atol=2e-4)
    np.testing.assert_allclose(whole, SOUND[:length_n] * 0.5, atol=0.05)


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


class Deaf:
    """A model that hears no speech."""

    window_n = 200_000

    def background(self, window: Stereo) -> Stereo:
        return window.copy()


def test_what_the_model_leaves_alone_stays_as_it_was_bit_for_bit() -> None:
    sound = np.random.default_rng(4).uniform(-0.5, 0.5, (300_001, 2)).astype(np.float32)  # up to 24 kHz
    made = np.concatenate([*pieces.background(Deaf(), lambda a, b: sound[a:b], len(sound))])
    assert np.array_equal(made, sound) or np.abs(made - sound).max() < 1e-7


@pytest.mark.parametrize(
    ("name", "wrong", "said"),
    [
        ("conv2d_5/kernel", np.zeros((5, 5, 4, 3), np.float32), "shape"),
        ("conv2d_12/bias", np.array([1, 2, np.nan, 4], np.float32), "no numbers"),
        ("batch_normalization_3/gamma", np.zeros((4,), np.float32), "shape"),
    ],
)
def test_a_checkpoint_with_another_shape_or_with_values_that_are_no_numbers_is_refused(
    tmp_path: Path, name: str, wrong: np.ndarray, said: str
) -> None:
    write(tmp_path / "model", {**layers(), name: wrong})
    with pytest.raises(DamagedCheckpoint, match=said):
        Spleeter(tmp_path / "model", threads=1)


def test_a_checkpoint_of_another_network_is_refused(tmp_path: Path) -> None:
    write(tmp_path / "model", {name: value for name, value in layers().items() if "conv2d_13" not in name})
    with pytest.raises(DamagedCheckpoint, match="conv2d_13"):
        Spleeter(tmp_path / "model", threads=1)
