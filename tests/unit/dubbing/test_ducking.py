import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.dubbing.ducking import ATTACK_S, RELEASE_S, Gain, constant, only_in, under
from tests.unit.dubbing.sounds import RATE_HZ

SPANS = [(2.0, 3.0), (3.4, 4.0), (8.0, 9.0)]
DEPTH_DB = -12.0


def _db(gain: Gain, at_s: float) -> float:
    factor = np.broadcast_to(gain.block(round(at_s * RATE_HZ), 1), (1, 1))[0, 0]
    return float(20 * np.log10(max(factor, 1e-9)))


def test_the_original_is_down_when_the_voice_starts_and_until_it_ends() -> None:
    gain = under(SPANS, DEPTH_DB)
    for at_s in (2.0, 2.5, 2.999, 8.0, 8.999):
        assert _db(gain, at_s) == pytest.approx(DEPTH_DB, abs=0.01)


def test_the_original_is_untouched_away_from_the_voice() -> None:
    gain = under(SPANS, DEPTH_DB)
    for at_s in (0.0, 2.0 - ATTACK_S - 0.01, 4.0 + RELEASE_S + 0.01, 6.0, 100.0):
        assert _db(gain, at_s) == 0.0


def test_a_short_pause_does_not_pump() -> None:
    assert _db(under(SPANS, DEPTH_DB), 3.2) == pytest.approx(DEPTH_DB, abs=0.01)


def test_the_gain_moves_smoothly() -> None:
    factors = np.asarray(under(SPANS, DEPTH_DB).block(0, 10 * RATE_HZ))[:, 0]
    assert np.abs(np.diff(20 * np.log10(factors))).max() < 0.003  # dB per sample: 12 dB in 120 ms


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(1, 5 * RATE_HZ - 1), max_size=6))
def test_blocks_of_any_size_draw_the_same_curve(cuts: list[int]) -> None:
    gain = under(SPANS, DEPTH_DB)
    edges = [0, *sorted(set(cuts)), 5 * RATE_HZ]
    parts = [np.broadcast_to(gain.block(a, b - a), (b - a, 1)) for a, b in itertools.pairwise(edges)]
    np.testing.assert_allclose(np.concatenate(parts), gain.block(0, 5 * RATE_HZ), atol=1e-7)


def test_a_span_that_overlaps_others_or_starts_at_zero_works() -> None:
    gain = under([(0.0, 5.0), (1.0, 2.0), (4.0, 6.0)], DEPTH_DB)
    assert _db(gain, 0.0) == pytest.approx(DEPTH_DB)
    assert _db(gain, 5.9) == pytest.approx(DEPTH_DB)
    assert _db(gain, 7.0) == 0.0


def test_without_spans_nothing_is_lowered_and_nothing_is_kept() -> None:
    assert np.asarray(under([], DEPTH_DB).block(0, 100)).max() == 1.0
    assert np.asarray(only_in([]).block(0, 100)).max() == 0.0


def test_only_in_is_full_inside_and_silent_outside() -> None:
    gain = only_in(SPANS)
    assert _db(gain, 2.0) == 0.0
    assert _db(gain, 2.9) == 0.0
    assert np.asarray(gain.block(round(3.2 * RATE_HZ), 10)).max() == 0.0


def test_the_factor_per_energy_is_the_blocks() -> None:
    gain = under(SPANS, DEPTH_DB)
    drawn = np.asarray(gain.block(0, 10 * RATE_HZ))[:, 0]
    np.testing.assert_allclose(gain.per_energy(100), drawn.reshape(100, -1)[:, 2_400], rtol=2e-3)
    assert constant(-6.0206).per_energy(3) == pytest.approx([0.5] * 3, rel=1e-4)
