import importlib.util
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import soxr

from app.dubbing.mixing import stretch as module
from app.dubbing.mixing.stretch import atempo, fitted, signalsmith, stretch
from app.media.decode import audio_blocks
from tests.unit.dubbing.sounds import RATE_HZ, noise, tone

Engine = Callable[[np.ndarray, int], np.ndarray]
_no_wheel = pytest.mark.skipif(
    importlib.util.find_spec("python_stretch") is None, reason="python-stretch has no wheel here"
)
CLIP = Path(__file__).resolve().parents[3] / "fixtures" / "clips" / "en_short.flac"
_MOST_MS = 40
ENGINES = [pytest.param(signalsmith, marks=_no_wheel), atempo]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rate", [0.5, 0.7, 0.93, 1.003, 1.15, 1.4, 2.5, 8.0, 24.0])
def test_the_length_is_exact_at_any_rate(engine: Engine, rate: float) -> None:
    length_n = round(2 * RATE_HZ / rate) + 1
    out = engine(noise(2), length_n)
    assert out.shape == (length_n,)
    assert out.dtype == np.float32
    assert np.isfinite(out).all()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rate", [0.75, 0.9, 1.1, 1.3, 1.6])
def test_the_pitch_is_kept(engine: Engine, rate: float) -> None:
    out = engine(tone(3, 440), round(3 * RATE_HZ / rate))
    middle = out[len(out) // 4 : len(out) * 3 // 4]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 1 << 19))
    assert spectrum.argmax() * RATE_HZ / (1 << 19) == pytest.approx(440, abs=3)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rate", [0.75, 0.9, 1.1, 1.25, 1.6])
def test_every_sound_stays_at_its_place_and_at_its_level(engine: Engine, rate: float) -> None:
    samples = np.zeros(4 * RATE_HZ, np.float32)
    for at_s in (0.0, 1.0, 2.0, 3.5):
        samples[round(at_s * RATE_HZ) :][: RATE_HZ // 4] = noise(0.25, seed=round(at_s * 10))
    out = engine(samples, round(len(samples) / rate)).astype(np.float64)
    for at_s in (0.0, 1.0, 2.0, 3.5):
        first_n = max(0, round((at_s - 0.1) / rate * RATE_HZ))
        power = out[first_n : round((at_s + 0.35) / rate * RATE_HZ)] ** 2
        centre_s = (first_n + (power * np.arange(len(power))).sum() / power.sum()) / RATE_HZ
        assert centre_s == pytest.approx((at_s + 0.125) / rate, abs=0.02)
    assert np.sqrt((out**2).mean()) == pytest.approx(float(np.sqrt((samples**2).mean())), rel=0.15)


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("length_n", [1, 10, 480, 5_000])
def test_the_shortest_sounds_work(engine: Engine, length_n: int) -> None:
    assert len(engine(noise(0.05), length_n)) == length_n
    assert len(engine(noise(0.05)[:3], length_n)) == length_n


@pytest.mark.parametrize("engine", ENGINES)
def test_the_same_speech_gives_the_same_samples(engine: Engine) -> None:
    assert np.array_equal(engine(noise(1), 40_000), engine(noise(1), 40_000))


def test_speech_that_has_its_length_is_not_touched() -> None:
    samples = noise(1)
    assert np.array_equal(stretch(samples, len(samples)), samples)
    assert np.array_equal(stretch(samples, len(samples) + 10)[:-10], samples)
    assert np.array_equal(stretch(samples, len(samples) - 10), samples[:-10])


def test_nothing_stretched_is_silence() -> None:
    assert np.array_equal(stretch(np.zeros(0, np.float32), 100), np.zeros(100, np.float32))
    assert len(stretch(noise(1), 0)) == 0


def test_atempo_takes_over_where_there_is_no_wheel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module.importlib.util, "find_spec", lambda name: None)
    samples = noise(1)
    assert np.array_equal(stretch(samples, 40_000), atempo(samples, 40_000))


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("rate", [0.8, 0.93, 1.07, 1.15, 1.4])
def test_speech_stays_at_its_place(engine: Engine, rate: float) -> None:
    samples = np.concatenate([block.mean(axis=1) for block in audio_blocks(CLIP, 0)]).astype(np.float32)[: 6 * RATE_HZ]
    out = engine(samples, round(len(samples) / rate))
    before, after = _spectra(samples), _spectra(out)
    first = np.arange(_MOST_MS, len(before) - int(2 * _MOST_MS * max(rate, 1)))
    distance = [
        np.abs(after[np.rint(first / rate).astype(int) + late_ms] - before[first]).mean()
        for late_ms in range(-_MOST_MS, _MOST_MS + 1)
    ]
    assert abs(int(np.argmin(distance)) - _MOST_MS) <= 8


def _spectra(samples: np.ndarray) -> np.ndarray:
    """Log spectra of 20 ms, one a millisecond."""
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(samples, 480), 960)[::48]
    return np.log(np.abs(np.fft.rfft(frames * np.hanning(960).astype(np.float32), axis=1))[:, :160] + 1e-3)


def test_samples_that_may_not_be_written_are_stretched_too() -> None:
    samples = noise(1)
    samples.flags.writeable = False
    assert len(stretch(samples, 40_000)) == 40_000


@pytest.mark.parametrize("rate_hz", [16_000, 22_050, 24_000, 44_100, 48_000])
@pytest.mark.parametrize("length_n", [1, 41_001, 48_000, 57_003])
def test_speech_of_any_rate_gets_its_length_and_keeps_its_pitch_and_level(rate_hz: int, length_n: int) -> None:
    out = fitted(tone(1, 440, rate_hz), rate_hz, length_n)
    assert out.shape == (length_n,)
    assert out.dtype == np.float32
    if length_n == 1:
        return
    middle = out[length_n // 4 : length_n * 3 // 4]
    spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 1 << 19))
    assert spectrum.argmax() * RATE_HZ / (1 << 19) == pytest.approx(440, abs=3)
    assert np.sqrt((middle.astype(np.float64) ** 2).mean()) == pytest.approx(0.2 / np.sqrt(2), rel=0.1)


@_no_wheel
def test_a_clip_of_half_the_rate_is_stretched_at_half_the_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """Half the samples are half the work."""
    stretched: list[tuple[int, int]] = []
    monkeypatch.setattr(
        module, "signalsmith", lambda s, n, hz=RATE_HZ: stretched.append((len(s), hz)) or signalsmith(s, n, hz)
    )
    for rate_hz in (22_050, 24_000, 44_100):
        fitted(noise(1, rate_hz), rate_hz, 41_000)
    fitted(noise(1, 22_050), 22_050, RATE_HZ)  # as long as it should be
    assert stretched == [(24_000, 24_000), (24_000, 24_000), (48_000, 48_000)]


@_no_wheel
@pytest.mark.parametrize("rate", [0.85, 1.15])
def test_speech_of_half_the_rate_sounds_as_if_it_was_stretched_at_the_full_rate(rate: float) -> None:
    low = soxr.resample(
        np.concatenate([block.mean(axis=1) for block in audio_blocks(CLIP, 0)])[: 6 * RATE_HZ], RATE_HZ, 24_000
    )
    full = soxr.resample(low, 24_000, RATE_HZ).astype(np.float32)
    length_n = round(len(full) / rate)
    before, after = _spectra(signalsmith(full, length_n)), _spectra(fitted(low.astype(np.float32), 24_000, length_n))
    other = _spectra(atempo(full, length_n))
    assert np.abs(before - after).mean() < 0.5 * np.abs(before - other).mean()
