"""What holds for every schedule, over thousands of drawn timelines."""

import msgspec
import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from app.dubbing.timing.fit import NoSchedule
from app.dubbing.timing.weights import ON_TIME_S, WEIGHTS
from tests.unit.dubbing.timing.timelines import (
    TOLERANCE_S,
    Timeline,
    check_what_always_holds,
    check_what_holds_without_locks,
    following,
    timelines,
    unlocked,
)

many = settings(max_examples=600, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _room_for_breath(t: Timeline) -> bool:
    """At three times their pace, with a breath after each, the lines take less than half the video."""
    return bool((t.natural / 3 + WEIGHTS.gap_s).sum() < t.video_end_s / 2)


@many
@given(t=timelines())
def test_one_voice_never_overlaps_itself(t: Timeline) -> None:
    schedule = t.fitted()
    check_what_always_holds(t, schedule)
    if _room_for_breath(t):
        check_what_holds_without_locks(t, schedule)


@many
@given(t=timelines(speakers=3))
def test_several_voices_overlap_no_more_than_they_did(t: Timeline) -> None:
    schedule = t.fitted()
    check_what_always_holds(t, schedule)
    if _room_for_breath(t) and t.natural.max() < 6:
        check_what_holds_without_locks(t, schedule)


@many
@given(t=timelines(speakers=2, locks=True))
def test_locks_are_exact_and_everything_else_moves_around_them(t: Timeline) -> None:
    try:
        schedule = t.fitted()
    except NoSchedule as refused:
        check_what_is_named(t, refused.lines)
        return
    check_what_always_holds(t, schedule)


@many
@given(t=timelines(locks=True, most=5), shrink=st.floats(0.05, 0.6))
def test_what_cannot_fit_is_named_and_nothing_else(t: Timeline, shrink: float) -> None:
    short = msgspec.structs.replace(t, video_end_s=t.video_end_s * shrink, natural=t.natural * 5)
    try:
        check_what_always_holds(short, short.fitted())
    except NoSchedule as refused:
        check_what_is_named(short, refused.lines)


def check_what_is_named(t: Timeline, named: list[int]) -> None:
    """Without the named lines the others fit; the named ones alone do not."""
    assert named == sorted(set(named)) and named
    rest = t.without(named)
    check_what_always_holds(rest, rest.fitted())
    with pytest.raises(NoSchedule) as again:
        t.without([i for i in range(len(t.starts)) if i not in named]).fitted()
    assert len(again.value.lines) == len(named)


@settings(max_examples=200, deadline=None)
@given(t=timelines(), share=st.floats(0.2, 1.0))
def test_when_every_clip_fits_its_slot_nothing_is_moved_or_stretched(t: Timeline, share: float) -> None:
    slots = _slots(t)
    assume(slots.min() > 0.001)
    fitting = msgspec.structs.replace(t, natural=slots * share)
    schedule = fitting.fitted()
    np.testing.assert_array_equal(schedule.start_s, t.starts)
    np.testing.assert_array_equal(schedule.rate, np.ones(len(t.starts)))


@settings(max_examples=300, deadline=None)
@given(t=timelines())
def test_a_line_that_fits_starts_on_time_whatever_its_neighbours_need(t: Timeline) -> None:
    schedule = t.fitted()
    assume(schedule.rate.max() < 1.99)  # else a neighbour that nobody could follow: then the line makes room
    fits = t.natural <= _slots(t)
    # a line that begins while the one before must still be speaking, however fast: recognised at the same moment
    for i, j in following(t):
        if t.starts[j] - t.starts[i] < t.natural[i] / 2 + WEIGHTS.gap_s:
            fits[j] = False
    assert (np.abs(schedule.start_s - t.starts)[fits] <= ON_TIME_S + TOLERANCE_S).all()


def _slots(t: Timeline) -> np.ndarray:
    """From each start to the line's end, the breath before the next line, or the video's end."""
    limit_s = np.minimum(t.ends, t.video_end_s)
    for i, j in following(t):
        if t.starts[j] > t.starts[i]:
            limit_s[i] = min(limit_s[i], t.starts[j] - WEIGHTS.gap_s)
    return limit_s - t.starts


@settings(max_examples=100, deadline=None)
@given(t=timelines(speakers=3, locks=True), order=st.randoms(use_true_random=False))
def test_the_order_in_which_lines_are_given_does_not_matter(t: Timeline, order: object) -> None:
    assume(len(set(t.starts.tolist())) == len(t.starts))
    mixed = list(range(len(t.starts)))
    order.shuffle(mixed)  # type: ignore[attr-defined]
    arrays = (t.starts[mixed], t.ends[mixed], t.natural[mixed])
    other = Timeline(
        *arrays, [t.speakers[i] for i in mixed], t.video_end_s, t.start_locked[mixed], [t.locked_rate[i] for i in mixed]
    )
    try:
        schedule = t.fitted()
    except NoSchedule as refused:
        with pytest.raises(NoSchedule) as too:
            other.fitted()
        assert sorted(mixed[i] for i in too.value.lines) == refused.lines
        return
    again = other.fitted()
    np.testing.assert_array_equal(again.start_s, schedule.start_s[mixed])
    np.testing.assert_array_equal(again.rate, schedule.rate[mixed])


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("field", ["starts", "ends", "natural"])
def test_a_number_that_is_none_is_refused_with_its_line(field: str, wrong: float) -> None:
    t = unlocked([0.0, 1.0, 2.0], [1.0, 2.0, 3.0], [0.5, 0.5, 0.5], ["", "", ""], 10.0)
    values = getattr(t, field).copy()
    values[1] = wrong
    with pytest.raises(NoSchedule) as refused:
        msgspec.structs.replace(t, **{field: values}).fitted()
    assert refused.value.lines == [1]


@pytest.mark.parametrize("video_end_s", [float("nan"), 0.0, -1.0])
def test_a_video_without_a_length_holds_no_line(video_end_s: float) -> None:
    with pytest.raises(NoSchedule) as refused:
        unlocked([0.0, 1.0], [1.0, 2.0], [0.5, 0.5], ["", ""], video_end_s).fitted()
    assert refused.value.lines == [0, 1]
