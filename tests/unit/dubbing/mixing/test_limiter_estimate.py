"""What the limiter takes away is foreseen in pieces: the same as in one go, in memory that hours do not need more
of."""

import tracemalloc

import numpy as np
import pytest

from app.dubbing.mixing import limiter_estimate
from app.dubbing.mixing.limiter_estimate import Envelope, gain_to


def envelope(cells: int) -> tuple[np.ndarray, Envelope]:
    random = np.random.default_rng(1)
    background = np.abs(random.standard_normal(cells)) * 1e-3
    made = Envelope(background)
    for at_n in range(0, cells * 4_800, 48_000 * 7):
        made.add(at_n, (np.abs(random.standard_normal(800)) * 0.3).astype(np.float32))
    return background + np.repeat(np.abs(random.standard_normal(-(-cells // 10))), 10)[:cells] * 0.02, made


@pytest.mark.parametrize("block", [1, 7, 70, 599])
def test_the_gain_is_the_same_in_blocks_of_any_length(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    energies, made = envelope(600)
    whole = [gain_to(target, energies, made, -2.0, max_gain_db=30.0) for target in (-23.0, -16.0, -9.0)]
    monkeypatch.setattr(limiter_estimate, "_BLOCK", block)
    assert [gain_to(target, energies, made, -2.0, max_gain_db=30.0) for target in (-23.0, -16.0, -9.0)] == [
        pytest.approx(found) for found in whole
    ]
    assert whole[2][0] > whole[1][0] > whole[0][0]


def test_hours_need_little_more_memory_than_their_energies() -> None:
    energies, made = envelope(6 * 36_000)
    tracemalloc.start()
    try:
        gain_to(-14.0, energies, made, -2.0, max_gain_db=30.0)
        _, most_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most_bytes < 10 * energies.nbytes  # with 5 ms each in one go: 100 times
