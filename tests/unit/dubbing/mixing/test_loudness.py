import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.dubbing.mixing.loudness import ENERGY_N, KMeter, energies_of, gain_to, integrated_lufs, linear, speech_lufs
from tests.unit.dubbing.sounds import RATE_HZ, measure, noise, tone, write_wav


def _stereo(samples: np.ndarray) -> np.ndarray:
    return np.repeat(samples[:, None], 2, axis=1)


def test_a_full_scale_sine_in_one_channel_reads_minus_3_01_lufs_as_bs_1770_says() -> None:
    left = np.stack([tone(5, 997, level=1.0), np.zeros(5 * RATE_HZ, np.float32)], axis=1)
    assert integrated_lufs(energies_of(left)) == pytest.approx(-3.01, abs=0.03)


@pytest.mark.parametrize("hz", [50, 200, 3_000, 10_000])
def test_the_meter_agrees_with_ffmpegs(ffmpeg: str, tmp_path: Path, hz: int) -> None:
    samples = np.concatenate(
        [_stereo(noise(4, level=0.05)), _stereo(tone(6, hz, level=0.3)), np.zeros((RATE_HZ * 5, 2), np.float32)]
    )
    lufs, _ = measure(ffmpeg, write_wav(tmp_path / "sound.wav", samples))
    assert integrated_lufs(energies_of(samples)) == pytest.approx(lufs, abs=0.11)  # ffmpeg prints one decimal


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 30_000), max_size=8))
def test_energies_do_not_depend_on_the_blocks(cuts: list[int]) -> None:
    samples = _stereo(noise(30_000 / RATE_HZ))
    meter = KMeter()
    for block in np.split(samples, sorted(cuts)):
        meter.push(block)
    whole = KMeter()
    whole.push(samples)
    assert len(whole.energies()) == 30_000 // ENERGY_N
    np.testing.assert_allclose(meter.energies(), whole.energies(), rtol=1e-5)


def test_pauses_do_not_count() -> None:
    spoken = _stereo(noise(5))
    paused = np.concatenate([spoken, np.zeros((RATE_HZ * 60, 2), np.float32), spoken])
    assert integrated_lufs(energies_of(paused)) == pytest.approx(integrated_lufs(energies_of(spoken)), abs=0.3)


def test_silence_has_no_loudness_and_asks_for_no_gain() -> None:
    assert integrated_lufs(np.zeros(100)) == -math.inf
    assert integrated_lufs(np.ones(3)) == -math.inf  # shorter than one gating block
    assert speech_lufs(np.zeros(2)) == -math.inf
    assert gain_to(-16, np.zeros(100), max_gain_db=40) == 0.0


@pytest.mark.parametrize("target", [-23.0, -16.0, -14.0])
def test_the_gain_brings_a_programme_to_its_target(target: float) -> None:
    samples = _stereo(noise(10, level=0.03))
    gain = linear(gain_to(target, energies_of(samples), max_gain_db=60))
    assert integrated_lufs(energies_of((samples * gain).astype(np.float32))) == pytest.approx(target, abs=0.01)


def test_hiss_is_not_blown_up() -> None:
    assert gain_to(-16, energies_of(_stereo(noise(10, level=0.001))), max_gain_db=20) == 20


def test_a_line_of_a_quarter_second_is_as_loud_as_a_long_one_of_the_same_sound() -> None:
    short, long = noise(0.25), noise(5)
    assert speech_lufs(energies_of(short)) == pytest.approx(speech_lufs(energies_of(long)), abs=1.0)


def test_the_loudness_of_a_mix_is_known_from_its_parts() -> None:
    background, voice = _stereo(noise(20, level=0.02, seed=1)), np.zeros((20 * RATE_HZ, 2), np.float32)
    voice[5 * RATE_HZ : 9 * RATE_HZ] = _stereo(noise(4, level=0.2, seed=2))
    predicted = integrated_lufs(0.25**2 * energies_of(background) + energies_of(voice))
    assert predicted == pytest.approx(integrated_lufs(energies_of(np.float32(0.25) * background + voice)), abs=0.02)
