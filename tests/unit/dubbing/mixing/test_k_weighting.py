"""The filter in rows is the filter sample by sample."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import sosfilt

from app.dubbing.mixing.k_weighting import CELL_N, SECTIONS, KWeighting
from app.dubbing.mixing.loudness import KMeter


@settings(max_examples=25, deadline=None)
@given(
    seed=st.integers(0, 99),
    cells=st.lists(st.integers(1, 12), min_size=1, max_size=5),
    channels=st.integers(1, 2),
    offset=st.sampled_from([0, 0.9]),
)
def test_it_is_the_recursive_filter(seed: int, cells: list[int], channels: int, offset: float) -> None:
    samples = np.random.default_rng(seed).standard_normal((channels, sum(cells) * CELL_N)) * 0.2 + offset
    expected = sosfilt(np.array(SECTIONS), samples)
    weighting, at_n, found = KWeighting(channels), 0, []
    for count in cells:
        found.append(weighting.filter(np.ascontiguousarray(samples[:, at_n : at_n + count * CELL_N])))
        at_n += count * CELL_N
    assert np.abs(np.concatenate(found, axis=1) - expected).max() < 1e-9


@pytest.mark.parametrize("block_n", [1, 700, CELL_N, 48_000])
def test_energies_do_not_depend_on_the_size_of_blocks(block_n: int) -> None:
    samples = np.random.default_rng(5).standard_normal((3 * CELL_N + 77, 2)).astype(np.float32)
    meter = KMeter()
    for at in range(0, len(samples), block_n):
        meter.push(samples[at : at + block_n])
    expected = sosfilt(np.array(SECTIONS), samples.T.astype(float))[:, : 3 * CELL_N].reshape(2, 3, CELL_N)
    assert meter.energies() == pytest.approx((expected**2).sum(axis=(0, 2)) / CELL_N, rel=1e-9)


def test_silence_after_sound_takes_no_longer_than_sound() -> None:
    """Numbers near the smallest that there are cost a processor a hundred times more."""

    def cost_s(samples: np.ndarray) -> float:
        began_s = time.process_time()
        for _ in range(20):
            meter.push(samples)
        return time.process_time() - began_s

    meter = KMeter()
    noise = np.random.default_rng(1).standard_normal((48_000, 2)).astype(np.float32)
    loud_s = min(cost_s(noise) for _ in range(3))
    assert min(cost_s(np.zeros_like(noise)) for _ in range(3)) < 3 * loud_s
    assert meter.energies()[-1] == 0
