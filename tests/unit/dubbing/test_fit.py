import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.errors import DOES_NOT_FIT, DubError
from app.domain.segment import Flag
from app.dubbing.fit import Schedule, place, place_task, schedule_lines
from app.dubbing.fit_weights import ON_TIME_S, WEIGHTS
from app.dubbing.tasks import FitRequest, Line
from tests.unit.dubbing.sounds import noise, write_wav

TOLERANCE_S = 1e-5


@st.composite
def timelines(draw: st.DrawFn, speakers: int = 1) -> tuple[np.ndarray, np.ndarray, np.ndarray, list[str], float]:
    """(starts, ends, natural lengths, speakers, video end): recognised lines, in any order, with clips from short to far too long."""
    count = draw(st.integers(1, 12))
    starts, ends, at_s = [], [], draw(st.floats(0, 1))
    for _ in range(count):
        length_s = draw(st.floats(0.2, 4))
        starts.append(at_s)
        ends.append(at_s + length_s)
        at_s = max(0.0, at_s + length_s + draw(st.sampled_from([0.0, 0.02, 0.3, 2.0]) if speakers == 1 else st.floats(-1.5, 2)))
    natural = [(end - start) * draw(st.floats(0.3, 1.7)) for start, end in zip(starts, ends, strict=True)]
    names = [draw(st.sampled_from(["", "anna", "ben"][:speakers])) for _ in range(count)]
    order = draw(st.permutations(range(count)))
    video_end_s = max(ends) + draw(st.sampled_from([0.0, 0.1, 3.0]))
    return np.array(starts)[order], np.array(ends)[order], np.array(natural)[order], [names[i] for i in order], video_end_s


def _check_hard_rules(starts: np.ndarray, ends: np.ndarray, speakers: list[str], video_end_s: float, schedule: Schedule, gap_s: float) -> None:
    at, until = schedule.start_s, schedule.start_s + schedule.duration_s
    assert (at >= 0).all()
    assert (until <= video_end_s + TOLERANCE_S).all()
    order = np.argsort(starts, kind="stable")
    assert (np.diff(at[order]) >= -TOLERANCE_S).all()
    for position, i in enumerate(order):
        for j in order[position + 1 :]:
            if speakers[i] == speakers[j]:
                assert at[j] - until[i] >= gap_s - TOLERANCE_S
            else:
                overlap_s = max(ends[i] - starts[j], 0)
                assert until[i] - at[j] <= max(overlap_s, 0.02) + TOLERANCE_S


@settings(max_examples=150, deadline=None)
@given(timeline=timelines())
def test_lines_of_one_voice_never_overlap_keep_their_order_and_stay_within_the_video(timeline) -> None:
    schedule = schedule_lines(*timeline)
    starts, ends, natural, speakers, video_end_s = timeline
    _check_hard_rules(starts, ends, speakers, video_end_s, schedule, gap_s=0.0)
    np.testing.assert_allclose(schedule.duration_s * schedule.rate, natural)
    assert schedule.rate.max() <= 20 + TOLERANCE_S


@settings(max_examples=150, deadline=None)
@given(timeline=timelines(speakers=3))
def test_lines_of_several_voices_overlap_no_more_than_they_did(timeline) -> None:
    schedule = schedule_lines(*timeline)
    starts, ends, _, speakers, video_end_s = timeline
    _check_hard_rules(starts, ends, speakers, video_end_s, schedule, gap_s=0.0)


@settings(max_examples=100, deadline=None)
@given(timeline=timelines(), share=st.floats(0.2, 1.0))
def test_when_every_clip_fits_its_slot_nothing_is_moved_or_stretched(timeline, share: float) -> None:
    starts, ends, _, speakers, video_end_s = timeline
    order = np.argsort(starts)
    following = np.append(starts[order][1:] - WEIGHTS.gap_s, video_end_s)
    slots = np.empty_like(starts)
    slots[order] = np.minimum(ends[order], following) - starts[order]
    schedule = schedule_lines(starts, ends, slots * share, speakers, video_end_s)
    np.testing.assert_array_equal(schedule.start_s, starts)
    np.testing.assert_array_equal(schedule.rate, np.ones(len(starts)))


@settings(max_examples=100, deadline=None)
@given(timeline=timelines())
def test_a_line_that_fits_starts_on_time_whatever_its_neighbours_need(timeline) -> None:
    starts, ends, natural, speakers, video_end_s = timeline
    schedule = schedule_lines(starts, ends, natural, speakers, video_end_s)
    if schedule.rate.max() > 1.99:
        return  # a neighbour that nobody could follow: then the line makes room
    order = np.argsort(starts)
    following = np.append(starts[order][1:] - WEIGHTS.gap_s, video_end_s)
    fits = natural[order] <= np.minimum(ends[order], following) - starts[order]
    off_s = np.abs(schedule.start_s - starts)[order]
    assert (off_s[fits] <= ON_TIME_S + TOLERANCE_S).all()


def _cost(starts: np.ndarray, ends: np.ndarray, natural: np.ndarray, at: np.ndarray, rate: np.ndarray) -> float:
    """The price of a schedule, written down independently: tiers are climbed one after the other."""

    def climb(tiers, value: float, measure) -> float:
        total, low = 0.0, measure(0.0) if measure is not None else 0.0
        for up_to, price in tiers:
            high = min(value, up_to) if measure is None else measure(up_to)
            step = max(0.0, min(value, high) - low)
            total += price * step
            low = high
        return total

    w, total = WEIGHTS, 0.0
    for i in range(len(starts)):
        limit = min(ends[i], starts[i + 1] - w.gap_s if i + 1 < len(starts) and starts[i + 1] > starts[i] else np.inf)
        fits = natural[i] <= limit - starts[i] + 1e-9

        def priced(tiers, fits=fits):
            return [(up_to, max(price, w.moved) if fits and up_to > ON_TIME_S else price) for up_to, price in tiers]

        shift = at[i] - starts[i]
        total += climb(priced(w.late), max(shift, 0), None) + climb(priced(w.early), max(-shift, 0), None)
        saved, gained = max(1 - 1 / rate[i], 0), max(1 / rate[i] - 1, 0)
        total += natural[i] * climb(w.fast, saved, lambda r: 1 - 1 / r if r else 0.0)
        total += natural[i] * climb(w.slow, gained, lambda r: 1 / r - 1 if r else 0.0)
        total += w.overrun * max(at[i] + natural[i] / rate[i] - ends[i], 0)
        if i:
            pause_s = max(starts[i] - ends[i - 1], 0)
            total += w.jump * max(1 - pause_s / w.jump_fade_s, 0) * abs(1 / rate[i] - 1 / rate[i - 1])
    return total


@pytest.mark.parametrize("seed", range(12))
def test_no_other_schedule_is_cheaper(seed: int) -> None:
    random = np.random.default_rng(seed)
    count = 3
    lengths, gaps = random.uniform(0.8, 2.5, count), random.uniform(0, 0.5, count)
    starts = np.cumsum(lengths + gaps) - lengths
    ends, natural = starts + lengths, lengths * random.uniform(0.8, 1.6, count)
    video_end_s = float(ends[-1] + 0.2)
    schedule = schedule_lines(starts, ends, natural, [""] * count, video_end_s)
    best = _cost(starts, ends, natural, schedule.start_s, schedule.rate)
    tried = 0
    for width in np.repeat([0.5, 0.1, 0.02, 0.004], 4_000):
        at = schedule.start_s + random.uniform(-width, width, count) * random.integers(0, 2, count)
        rate = schedule.rate * (1 + random.uniform(-width, width, count) * random.integers(0, 2, count))
        until = at + natural / rate
        if rate.min() < 0.75 or at.min() < 0 or until[-1] > video_end_s or (at[1:] - until[:-1] < WEIGHTS.gap_s).any():
            continue
        tried += 1
        assert _cost(starts, ends, natural, at, rate) >= best - 1e-6
    assert tried > 300


def test_a_line_that_is_too_long_uses_the_pause_after_it_before_it_is_rushed() -> None:
    schedule = schedule_lines([0.0, 5.0], [2.0, 6.0], [2.6, 0.9], ["", ""], 10.0)
    assert schedule.start_s.tolist() == [0.0, 5.0]
    assert schedule.rate[0] <= 1.06


def test_lines_without_a_speaker_are_one_voice() -> None:
    schedule = schedule_lines([0.0, 1.0], [2.0, 3.0], [2.0, 1.0], ["", ""], 10.0)
    assert schedule.start_s[1] >= schedule.start_s[0] + schedule.duration_s[0] + WEIGHTS.gap_s - TOLERANCE_S


def test_two_voices_that_interrupted_each_other_still_do() -> None:
    schedule = schedule_lines([0.0, 1.5], [2.0, 3.0], [2.0, 1.5], ["anna", "ben"], 10.0)
    assert schedule.start_s.tolist() == [0.0, 1.5]
    assert schedule.rate.tolist() == [1.0, 1.0]


def test_a_line_just_before_the_end_starts_earlier_instead_of_failing() -> None:
    schedule = schedule_lines([9.8], [10.0], [1.0], [""], 10.0)
    assert schedule.start_s[0] + schedule.duration_s[0] <= 10.0 + TOLERANCE_S
    assert schedule.rate[0] < 2


def test_many_lines_at_one_moment_are_solved() -> None:
    schedule = schedule_lines([1.0] * 60, [2.0] * 60, [0.5] * 60, [f"{i % 7}" for i in range(60)], 90.0)
    assert np.isfinite(schedule.start_s).all()


def test_no_lines_make_an_empty_schedule() -> None:
    assert place(FitRequest((), 10.0)) == ()


def test_a_thousand_lines_take_about_a_second() -> None:
    random = np.random.default_rng(0)
    natural = np.exp(random.normal(np.log(2.4), 0.5, 1_000))
    lengths = natural / random.lognormal(0.15, 0.25, 1_000)
    starts = np.cumsum(lengths + random.uniform(0, 0.6, 1_000)) - lengths
    began_s = time.process_time()
    assert schedule_lines(starts, starts + lengths, natural, [""] * 1_000, 10_000.0) is not None
    assert time.process_time() - began_s < 3


# ---------------------------------------------------------------- place: with clips


def _clip(folder: Path, name: str, *, lead_s: float, sound_s: float, tail_s: float, rate_hz: int = 24_000) -> str:
    parts = [np.zeros(round(lead_s * rate_hz)), noise(sound_s, rate_hz), np.zeros(round(tail_s * rate_hz))]
    return str(write_wav(folder / f"{name}.wav", np.concatenate(parts), rate_hz))


def test_a_placement_is_the_clip_without_its_silent_edges(tmp_path: Path) -> None:
    line = Line("a", 1.0, 3.0, "", _clip(tmp_path, "a", lead_s=0.5, sound_s=1.0, tail_s=0.5), 1.0)
    (placed,) = place(FitRequest((line,), 10.0))
    assert (placed.segment_id, placed.start_s, placed.rate, placed.flags) == ("a", 1.0, 1.0, ())
    assert placed.duration_s == pytest.approx(2.0 - placed.trim_start_s - placed.trim_end_s, abs=1e-9)
    assert placed.duration_s == pytest.approx(1.05, abs=0.02)


@pytest.mark.parametrize("speed", [0.7, 0.9, 1.2])
def test_the_wished_speed_is_part_of_the_rate(tmp_path: Path, speed: float) -> None:
    line = Line("a", 1.0, 4.0, "", _clip(tmp_path, "a", lead_s=0.1, sound_s=1.0, tail_s=0.2), speed)
    (placed,) = place(FitRequest((line,), 10.0))
    assert placed.rate == pytest.approx(speed)
    assert placed.duration_s == pytest.approx((1.3 - placed.trim_start_s - placed.trim_end_s) / placed.rate, abs=1e-9)
    assert placed.start_s == 1.0


def test_what_is_rushed_or_late_is_shown(tmp_path: Path) -> None:
    clips = [_clip(tmp_path, f"{i}", lead_s=0, sound_s=3.0, tail_s=0) for i in range(3)]
    lines = tuple(Line(f"{i}", 2.0 * i, 2.0 * i + 1.9, "", clip, 1.0) for i, clip in enumerate(clips))
    placed = place(FitRequest(lines, 6.5))
    assert any(Flag.SHORTEN in p.flags for p in placed)
    assert all((Flag.SHORTEN in p.flags) == (p.rate > 1.2501) for p in placed)
    assert all((Flag.LATE in p.flags) == (p.start_s - line.start_s > 0.6) for p, line in zip(placed, lines, strict=True))


def test_placements_come_in_the_order_of_the_lines(tmp_path: Path) -> None:
    clip = _clip(tmp_path, "a", lead_s=0, sound_s=0.5, tail_s=0)
    lines = tuple(Line(f"{start}", start, start + 1, "", clip, 1.0) for start in (5.0, 1.0, 3.0))
    assert [(p.segment_id, p.start_s) for p in place(FitRequest(lines, 10.0))] == [("5.0", 5.0), ("1.0", 1.0), ("3.0", 3.0)]


def test_what_cannot_fit_is_named(tmp_path: Path) -> None:
    short, long = (_clip(tmp_path, name, lead_s=0, sound_s=s, tail_s=0) for name, s in (("short", 0.5), ("long", 45.0)))
    lines = (Line("first", 0.0, 0.6, "", short, 1.0), Line("second", 1.0, 2.0, "", long, 1.0))
    with pytest.raises(DubError) as raised:
        place(FitRequest(lines, 2.0))
    assert raised.value.problem is DOES_NOT_FIT
    assert raised.value.detail == "Line 2."
    assert raised.value.extra["segments"] == ["second"]


def test_a_line_after_the_video_is_named(tmp_path: Path) -> None:
    clip = _clip(tmp_path, "a", lead_s=0, sound_s=0.5, tail_s=0)
    with pytest.raises(DubError) as raised:
        place(FitRequest((Line("in", 0.0, 1.0, "", clip, 1.0), Line("out", 12.0, 13.0, "", clip, 1.0)), 10.0))
    assert raised.value.extra["segments"] == ["out"]


def test_the_child_hears_that_it_is_done(tmp_path: Path) -> None:
    said: list[float] = []
    place_task(FitRequest((), 1.0), said.append)
    assert said == [1.0]
