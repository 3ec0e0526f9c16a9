import itertools

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.dubbing.mixing.ducking import SILENCE_DB, DuckedSpan, Gain, but_in, constant, only_in, under
from app.dubbing.worker.tasks import Ducking
from tests.unit.dubbing.sounds import RATE_HZ

SPANS = [(2.0, 3.0), (3.4, 4.0), (8.0, 9.0)]
DEPTH_DB = -12.0
SHAPE = Ducking()


def _under(spans: list[tuple[float, float]], depth_db: float = DEPTH_DB, **changes: object) -> Gain:
    return under(
        [DuckedSpan(start_s, end_s, depth_db) for start_s, end_s in spans], msgspec.structs.replace(SHAPE, **changes)
    )


def _db(gain: Gain, at_s: float) -> float:
    factor = np.broadcast_to(gain.block(round(at_s * RATE_HZ), 1), (1, 1))[0, 0]
    return float(20 * np.log10(max(factor, 1e-9)))


def test_the_original_is_down_when_the_voice_starts_and_until_it_ends() -> None:
    gain = _under(SPANS)
    for at_s in (2.0, 2.5, 2.999, 8.0, 8.999):
        assert _db(gain, at_s) == pytest.approx(DEPTH_DB, abs=0.01)


def test_the_original_is_untouched_away_from_the_voice() -> None:
    gain = _under(SPANS)
    for at_s in (0.0, 2.0 - SHAPE.attack_s - 0.01, 4.0 + SHAPE.release_s + 0.01, 6.0, 100.0):
        assert _db(gain, at_s) == 0.0


def test_a_short_pause_does_not_pump() -> None:
    assert _db(_under(SPANS), 3.2) == pytest.approx(DEPTH_DB, abs=0.01)


def test_the_gain_moves_smoothly() -> None:
    factors = np.asarray(_under(SPANS).block(0, 10 * RATE_HZ))[:, 0]
    assert np.abs(np.diff(20 * np.log10(factors))).max() < 0.003  # dB per sample: 12 dB in 120 ms


@settings(max_examples=40, deadline=None)
@given(cuts=st.lists(st.integers(1, 5 * RATE_HZ - 1), max_size=6))
def test_blocks_of_any_size_draw_the_same_curve(cuts: list[int]) -> None:
    gain = _under(SPANS)
    edges = [0, *sorted(set(cuts)), 5 * RATE_HZ]
    parts = [np.broadcast_to(gain.block(a, b - a), (b - a, 1)) for a, b in itertools.pairwise(edges)]
    np.testing.assert_allclose(np.concatenate(parts), gain.block(0, 5 * RATE_HZ), atol=1e-7)


def test_a_span_that_overlaps_others_or_starts_at_zero_works() -> None:
    gain = _under([(0.0, 5.0), (1.0, 2.0), (4.0, 6.0)])
    assert _db(gain, 0.0) == pytest.approx(DEPTH_DB)
    assert _db(gain, 5.9) == pytest.approx(DEPTH_DB)
    assert _db(gain, 7.0) == 0.0


def test_without_spans_nothing_is_lowered_and_nothing_is_kept() -> None:
    assert np.asarray(_under([]).block(0, 100)).max() == 1.0
    assert np.asarray(only_in([]).block(0, 100)).max() == 0.0


def test_only_in_is_full_inside_and_silent_outside() -> None:
    gain = only_in(SPANS)
    assert _db(gain, 2.0) == 0.0
    assert _db(gain, 2.9) == 0.0
    assert np.asarray(gain.block(round(3.2 * RATE_HZ), 10)).max() == 0.0


def test_the_factor_per_energy_is_the_blocks() -> None:
    gain = _under(SPANS)
    drawn = np.asarray(gain.block(0, 10 * RATE_HZ))[:, 0]
    np.testing.assert_allclose(gain.per_energy(100), drawn.reshape(100, -1)[:, 2_400], rtol=2e-3)
    assert constant(-6.0206).per_energy(3) == pytest.approx([0.5] * 3, rel=1e-4)


def test_attack_hold_and_release_are_the_wished_ones() -> None:
    gain = _under([(2.0, 3.0), (4.0, 5.0)], attack_s=0.5, release_s=0.25, hold_s=0.0)
    assert _db(gain, 1.49) == 0.0
    assert _db(gain, 1.75) == pytest.approx(DEPTH_DB / 2, abs=0.05)
    assert _db(gain, 3.125) == pytest.approx(DEPTH_DB / 2, abs=0.05)
    assert _db(gain, 3.3) == 0.0
    held = _under([(2.0, 3.0), (4.0, 5.0)], attack_s=0.5, release_s=0.25, hold_s=0.3)
    assert _db(held, 3.3) == pytest.approx(DEPTH_DB, abs=0.01)


def test_each_line_has_its_own_depth_and_the_way_between_two_is_straight() -> None:
    gain = under([DuckedSpan(1.0, 2.0, -6.0), DuckedSpan(2.5, 3.0, -20.0), DuckedSpan(2.8, 4.0, -10.0)], SHAPE)
    assert _db(gain, 1.5) == pytest.approx(-6.0, abs=0.01)
    assert _db(gain, 2.25) == pytest.approx(-13.0, abs=0.1)
    assert _db(gain, 3.9) == pytest.approx(-20.0, abs=0.01)  # where lines overlap the deepest counts


@pytest.mark.parametrize("kept", [(3.1, 3.8), (3.0, 4.0), (2.5, 3.6)])
def test_a_kept_line_between_two_spoken_ones_is_heard_as_it_was(kept: tuple[float, float]) -> None:
    gain = under([DuckedSpan(2.0, 3.0, DEPTH_DB), DuckedSpan(4.0, 5.0, DEPTH_DB)], SHAPE, [kept])
    for at_s in np.arange(max(kept[0], 3.0) + 0.06, min(kept[1], 4.0) - 0.06, 0.02):
        assert _db(gain, at_s) == 0.0
    for at_s in (2.0, 2.99, 4.0, 4.9):  # the voice has its way all the same
        assert _db(gain, at_s) == pytest.approx(DEPTH_DB, abs=0.01)
    factors = np.asarray(gain.block(0, 6 * RATE_HZ))[:, 0]
    assert np.abs(np.diff(factors)).max() < 0.001


def test_what_is_kept_and_what_is_not_add_up_to_the_whole() -> None:
    inside, outside = (np.asarray(gain.block(0, 10 * RATE_HZ))[:, 0] for gain in (only_in(SPANS), but_in(SPANS)))
    assert np.abs(inside + outside - 1).max() < 0.02
    assert np.abs(np.diff(inside)).max() < 0.002  # a click would be a step
    assert (np.broadcast_to(but_in([]).block(0, 9), (9, 1)) == 1.0).all()


def test_gains_after_each_other_add_up_in_decibels() -> None:
    both = _under(SPANS) + constant(-6.0)
    assert _db(both, 2.5) == pytest.approx(DEPTH_DB - 6, abs=0.01)
    assert _db(both, 6.0) == pytest.approx(-6, abs=0.01)
    assert (only_in([]) + constant(20)).silent(0, 100)


@settings(max_examples=60, deadline=None)
@given(first_n=st.integers(0, 12 * RATE_HZ), count_n=st.integers(1, RATE_HZ), moved=st.sampled_from([0.0, 0.001, 0.3]))
def test_equal_facts_mean_equal_factors(first_n: int, count_n: int, moved: float) -> None:
    one, other = _under(SPANS), _under([SPANS[0], (SPANS[1][0], SPANS[1][1] + moved), SPANS[2]])
    drawn = [np.broadcast_to(gain.block(first_n, count_n), (count_n, 1)) for gain in (one, other)]
    assert (one.facts(first_n, count_n) == other.facts(first_n, count_n)) <= np.array_equal(*drawn)
    falls_n = (SPANS[2][0] - SHAPE.attack_s) * RATE_HZ  # from there on, the ramp's beginning is a fact
    if first_n > (SPANS[1][1] + moved + SHAPE.release_s) * RATE_HZ + 96 and first_n + count_n < falls_n - 96:
        assert one.facts(first_n, count_n) == other.facts(first_n, count_n)


def test_silence_is_told_from_a_whisper() -> None:
    gain = only_in([(2.0, 3.0)])
    assert gain.silent(0, RATE_HZ)
    assert not gain.silent(0, 2 * RATE_HZ)
    assert not gain.silent(round(2.5 * RATE_HZ), 10)
    assert not constant(SILENCE_DB + 1).silent(0, 10)
