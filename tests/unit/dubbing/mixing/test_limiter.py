import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from app.dubbing.mixing.limiter import DELAY_N, MEMORY_N, Limiter
from app.dubbing.mixing.true_peak import dbtp, true_peak
from tests.unit.dubbing.sounds import RATE_HZ, noise, tone

CEILING = -1.0


def _limited(samples: np.ndarray, cuts: list[int]) -> np.ndarray:
    limiter = Limiter(CEILING)
    out = [limiter.push(block) for block in np.split(samples, sorted(cuts))]
    return np.concatenate([*out, limiter.flush()])[DELAY_N:]


def _true_peak_db(samples: np.ndarray) -> float:
    """By another resampler, eight times finer."""
    fine = soxr.resample(samples.astype(np.float64), RATE_HZ, 8 * RATE_HZ, quality="VHQ")
    return float(20 * np.log10(np.abs(fine).max()))


def _hot(seconds: float) -> np.ndarray:
    """Peaks up to +6 dB, some of them only between the samples (a quarter of the sample rate, between its zeros)."""
    t = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    swell = 1 + 0.8 * np.sin(2 * np.pi * 0.7 * t)
    left = np.sin(2 * np.pi * 12_000 * t + np.pi / 4) * swell + 0.5 * np.sin(2 * np.pi * 313 * t)
    return np.stack([left, np.roll(left, 77) * 0.9], axis=1).astype(np.float32)


def test_no_peak_between_the_samples_passes_the_ceiling() -> None:
    loud = _hot(5)
    assert _true_peak_db(loud) > 5
    assert _true_peak_db(_limited(loud, [])) <= CEILING + 0.1


def test_a_single_click_is_caught_before_it_comes() -> None:
    samples = np.zeros((RATE_HZ, 2), np.float32)
    samples[20_000:20_003] = 4.0
    out = _limited(samples, [])
    assert np.abs(out).max() <= 10 ** (CEILING / 20) + 1e-4
    assert np.abs(out[20_001]).max() > 0.8


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(0, RATE_HZ // 2), max_size=12))
def test_the_result_does_not_depend_on_the_blocks(cuts: list[int]) -> None:
    samples = _hot(0.5)
    assert np.array_equal(_limited(samples, cuts), _limited(samples, []))


def test_blocks_of_one_sample_work() -> None:
    samples = _hot(0.02)
    assert np.array_equal(_limited(samples, list(range(1, len(samples)))), _limited(samples, []))


def test_sound_under_the_ceiling_passes_bit_by_bit_and_in_time() -> None:
    samples = np.repeat(noise(2, level=0.1)[:, None], 2, axis=1)
    assert np.array_equal(_limited(samples, [100, 5_000]), samples)


def test_the_level_comes_back_after_a_peak() -> None:
    samples = np.repeat(tone(3, 440, level=0.5)[:, None], 2, axis=1)
    samples[RATE_HZ : RATE_HZ + 100] *= 6
    out = _limited(samples, [])
    assert np.array_equal(out[: RATE_HZ - 1_000], samples[: RATE_HZ - 1_000])
    np.testing.assert_allclose(out[2 * RATE_HZ :], samples[2 * RATE_HZ :], atol=1e-6)


@settings(max_examples=15, deadline=None)
@given(start_n=st.integers(0, RATE_HZ), loudness=st.floats(0.5, 900))
def test_a_limiter_that_begins_late_gives_the_same_bits_after_its_memory(start_n: int, loudness: float) -> None:
    samples = _hot(4.5) * np.float32(0.5)
    # what the late one has not heard, up to the deepest reduction there is
    samples[RATE_HZ - 100 : RATE_HZ] *= np.float32(loudness)
    whole, late = _limited(samples, []), _limited(samples[start_n:], [])
    from_n = start_n + MEMORY_N
    assert np.array_equal(late[MEMORY_N:], whole[from_n:])
    assert len(late) > MEMORY_N + RATE_HZ


def test_the_peak_meter_sees_between_the_samples() -> None:
    samples = _hot(2) * np.float32(0.3)
    assert dbtp(true_peak(samples)) == pytest.approx(_true_peak_db(samples), abs=0.2)


def test_only_what_passes_the_record_is_looked_for() -> None:
    samples = _hot(1)
    assert true_peak(samples, at_least=99.0) == 99.0
    assert true_peak(samples, at_least=0.1) == true_peak(samples)


def test_silence_has_no_peak() -> None:
    assert dbtp(true_peak(np.zeros((100, 2), np.float32))) == float("-inf")
    assert true_peak(np.zeros((0, 2), np.float32)) == 0.0
