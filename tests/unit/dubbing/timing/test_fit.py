from pathlib import Path

import numpy as np
import pytest

from app.domain.errors import DubError
from app.domain.problems.lines import DOES_NOT_FIT
from app.domain.segment import Flag
from app.dubbing.timing.fit import place, place_task, schedule_lines
from app.dubbing.timing.weights import WEIGHTS
from app.dubbing.worker.tasks import FitLine, FitRequest
from tests.unit.dubbing.sounds import noise, write_wav

TOLERANCE_S = 2e-6


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


# ---------------------------------------------------------------- place: with clips


def _clip(folder: Path, name: str, *, lead_s: float, sound_s: float, tail_s: float, rate_hz: int = 24_000) -> str:
    parts = [np.zeros(round(lead_s * rate_hz)), noise(sound_s, rate_hz), np.zeros(round(tail_s * rate_hz))]
    return str(write_wav(folder / f"{name}.wav", np.concatenate(parts), rate_hz))


def test_a_placement_is_the_clip_without_its_silent_edges(tmp_path: Path) -> None:
    line = FitLine("a", 1.0, 3.0, "", _clip(tmp_path, "a", lead_s=0.5, sound_s=1.0, tail_s=0.5), 1.0)
    (placed,) = place(FitRequest((line,), 10.0))
    assert (placed.segment_id, placed.start_s, placed.rate, placed.flags) == ("a", 1.0, 1.0, ())
    assert placed.duration_s == pytest.approx(2.0 - placed.trim_start_s - placed.trim_end_s, abs=1e-9)
    assert placed.duration_s == pytest.approx(1.05, abs=0.02)


def test_silence_with_a_constant_offset_is_silence(tmp_path: Path) -> None:
    sound = np.concatenate([np.zeros(12_000), noise(1.0, 24_000), np.zeros(12_000)])
    shifted = write_wav(tmp_path / "shifted.wav", sound + 0.05, 24_000)
    (placed,) = place(FitRequest((FitLine("a", 1.0, 3.0, "", str(shifted), 1.0),), 10.0))
    assert placed.duration_s == pytest.approx(1.05, abs=0.02)


@pytest.mark.parametrize("samples", [1, 24, 240])
def test_the_shortest_clips_are_placed(tmp_path: Path, samples: int) -> None:
    clip = str(write_wav(tmp_path / "a.wav", noise(samples / 24_000, 24_000), 24_000))
    lines = tuple(FitLine(f"{i}", i * 0.5, i * 0.5 + 0.4, "", clip, 1.0) for i in range(3))
    for line, placed in zip(lines, place(FitRequest(lines, 10.0)), strict=True):
        assert placed.start_s == line.start_s
        assert 0 < placed.duration_s < 0.02


@pytest.mark.parametrize("speed", [0.7, 0.9, 1.2])
def test_the_wished_speed_is_part_of_the_rate(tmp_path: Path, speed: float) -> None:
    line = FitLine("a", 1.0, 4.0, "", _clip(tmp_path, "a", lead_s=0.1, sound_s=1.0, tail_s=0.2), speed)
    (placed,) = place(FitRequest((line,), 10.0))
    assert placed.rate == pytest.approx(speed)
    assert placed.duration_s == pytest.approx((1.3 - placed.trim_start_s - placed.trim_end_s) / placed.rate, abs=1e-9)
    assert placed.start_s == 1.0


def test_what_is_rushed_or_late_is_shown(tmp_path: Path) -> None:
    clips = [_clip(tmp_path, f"{i}", lead_s=0, sound_s=3.0, tail_s=0) for i in range(3)]
    lines = tuple(FitLine(f"{i}", 2.0 * i, 2.0 * i + 1.9, "", clip, 1.0) for i, clip in enumerate(clips))
    placed = place(FitRequest(lines, 6.5))
    assert any(Flag.SHORTEN in p.flags for p in placed)
    assert all((Flag.SHORTEN in p.flags) == (p.rate > 1.2501) for p in placed)
    assert all(
        (Flag.LATE in p.flags) == (p.start_s - line.start_s > 0.6) for p, line in zip(placed, lines, strict=True)
    )


def test_placements_come_in_the_order_of_the_lines(tmp_path: Path) -> None:
    clip = _clip(tmp_path, "a", lead_s=0, sound_s=0.5, tail_s=0)
    lines = tuple(FitLine(f"{start}", start, start + 1, "", clip, 1.0) for start in (5.0, 1.0, 3.0))
    assert [(p.segment_id, p.start_s) for p in place(FitRequest(lines, 10.0))] == [
        ("5.0", 5.0),
        ("1.0", 1.0),
        ("3.0", 3.0),
    ]


def test_what_cannot_fit_is_named(tmp_path: Path) -> None:
    short, long = (_clip(tmp_path, name, lead_s=0, sound_s=s, tail_s=0) for name, s in (("short", 0.5), ("long", 45.0)))
    lines = (FitLine("first", 0.0, 0.6, "", short, 1.0), FitLine("second", 1.0, 2.0, "", long, 1.0))
    with pytest.raises(DubError) as raised:
        place(FitRequest(lines, 2.0))
    assert raised.value.problem is DOES_NOT_FIT
    assert raised.value.detail == "Line 2."
    assert raised.value.extra["segments"] == ["second"]


def test_a_line_after_the_video_is_named(tmp_path: Path) -> None:
    clip = _clip(tmp_path, "a", lead_s=0, sound_s=0.5, tail_s=0)
    with pytest.raises(DubError) as raised:
        place(FitRequest((FitLine("in", 0.0, 1.0, "", clip, 1.0), FitLine("out", 12.0, 13.0, "", clip, 1.0)), 10.0))
    assert raised.value.extra["segments"] == ["out"]


@pytest.mark.parametrize("speed", [0.8, 1.0, 1.25])
@pytest.mark.parametrize("rate", [0.5, 0.77, 1.0, 1.3, 2.0])
def test_a_locked_rate_is_the_rate_that_is_played_whatever_the_wished_speed(
    tmp_path: Path, rate: float, speed: float
) -> None:
    clip = _clip(tmp_path, "a", lead_s=0.2, sound_s=1.0, tail_s=0.2)
    lines = (FitLine("a", 1.0, 2.0, "", clip, speed, locked_rate=rate), FitLine("b", 2.1, 3.5, "", clip, speed))
    locked, other = place(FitRequest(lines, 10.0))
    assert locked.rate == rate
    assert locked.duration_s == pytest.approx((1.4 - locked.trim_start_s - locked.trim_end_s) / rate, abs=1e-9)
    assert Flag.SHORTEN not in locked.flags
    assert other.start_s >= locked.start_s + locked.duration_s + WEIGHTS.gap_s - TOLERANCE_S


def test_a_locked_start_is_kept_and_the_line_before_makes_room(tmp_path: Path) -> None:
    clip = _clip(tmp_path, "a", lead_s=0, sound_s=1.5, tail_s=0)
    lines = (FitLine("a", 1.0, 2.0, "", clip, 1.0), FitLine("b", 2.0, 3.0, "", clip, 1.0, start_locked=True))
    before, locked = place(FitRequest(lines, 10.0))
    assert locked.start_s == 2.0
    assert before.start_s + before.duration_s <= 2.0 - WEIGHTS.gap_s + TOLERANCE_S


def test_locked_lines_may_follow_each_other_without_a_breath_but_not_overlap(tmp_path: Path) -> None:
    clip = _clip(tmp_path, "a", lead_s=0, sound_s=1.0, tail_s=0)
    first, second = FitLine("a", 1.0, 2.0, "", clip, 1.0, True, 1.0), FitLine("b", 2.0, 3.0, "", clip, 1.0, True, 1.0)
    placed = place(FitRequest((first, second), 10.0))
    assert [(p.start_s, p.rate) for p in placed] == [(1.0, 1.0), (2.0, 1.0)]
    third = FitLine("c", 2.5, 3.0, "", clip, 1.0, True, 1.0)
    free = FitLine("d", 5.0, 6.0, "", clip, 1.0)
    with pytest.raises(DubError) as raised:
        place(FitRequest((first, second, third, free), 10.0))
    assert raised.value.problem is DOES_NOT_FIT
    assert raised.value.extra["segments"] == ["b", "c"]


def test_a_locked_line_that_ends_after_the_video_is_named_alone(tmp_path: Path) -> None:
    clip = _clip(tmp_path, "a", lead_s=0, sound_s=1.0, tail_s=0)
    lines = (FitLine("a", 0.0, 1.0, "", clip, 1.0), FitLine("b", 9.5, 10.0, "", clip, 1.0, True, 1.0))
    with pytest.raises(DubError) as raised:
        place(FitRequest(lines, 10.0))
    assert raised.value.extra["segments"] == ["b"]
    unlocked = place(FitRequest((lines[0], FitLine("b", 9.5, 10.0, "", clip, 1.0, True)), 10.0))
    assert unlocked[1].start_s == 9.5 and unlocked[1].start_s + unlocked[1].duration_s <= 10.0 + TOLERANCE_S


def test_a_line_that_has_no_time_between_two_locked_ones_is_named_with_them(tmp_path: Path) -> None:
    clip = _clip(tmp_path, "a", lead_s=0, sound_s=1.0, tail_s=0)
    locked = [
        FitLine(name, start_s, start_s + 1, "", clip, 1.0, True, 1.0)
        for name, start_s in (("a", 1.0), ("c", 2.001), ("d", 8.0))
    ]
    with pytest.raises(DubError) as raised:
        place(FitRequest((locked[0], FitLine("b", 1.5, 2.0, "", clip, 1.0), *locked[1:]), 10.0))
    assert raised.value.extra["segments"] == ["a", "b", "c"]
    assert raised.value.detail == "Lines 1, 2, 3."


def test_the_child_hears_that_it_is_done(tmp_path: Path) -> None:
    said: list[float] = []
    place_task(FitRequest((), 1.0), said.append)
    assert said == [1.0]
