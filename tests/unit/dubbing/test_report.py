"""The truth about a render, from its parts."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.dub_options import DubOptions, changed
from app.domain.media import Artifact, ArtifactKind
from app.domain.report import Report
from app.domain.segment import Flag, Placement, Segment
from app.dubbing.finish import Finished
from app.dubbing.pipeline import Mixed
from app.dubbing.report import needs_a_look, report_of

OPTIONS = changed(DubOptions(), model="tiny", audio_track=0)
AUDIO = Artifact(ArtifactKind.AUDIO, "artifacts/a.m4a", 1, "a", "audio/mp4", "m4a")
MIXED = Mixed(AUDIO, AUDIO, -16.0234, -1.26)


def segment(id: str, start_s: float, text: str) -> Segment:
    return Segment(id, start_s, start_s + 2, text, text, "", False, ())


def placed(id: str, start_s: float, rate: float = 1.0, duration_s: float = 2.0, *flags: Flag) -> Placement:
    return Placement(id, start_s, duration_s, rate, 0.0, 0.0, flags)


def made(
    *placements: Placement, segments: tuple[Segment, ...] = (), mixed: Mixed = MIXED, duration_s: float = 20.0
) -> Report:
    lines = segments or tuple(segment(p.segment_id, 1.0, "Ten signs.") for p in placements)
    return report_of(lines, placements, mixed, Finished((), duration_s, "copied"), OPTIONS, 20.0)


def test_every_spoken_line_says_how_it_came_out() -> None:
    lines = (segment("a", 1.0, "Hello  there,\nyou."), segment("kept", 4.0, "Original."), segment("b", 6.0, "Bye."))
    report = made(placed("b", 5.9), placed("a", 1.25, 1.3, 2.0, Flag.SHORTEN), segments=lines)
    first, second = report.lines
    assert (first.segment_id, first.text, first.start_s, first.placed_s, first.offset_s) == (
        "a",
        "Hello there, you.",
        1.0,
        1.25,
        0.25,
    )
    assert (first.rate, first.duration_s, first.characters_per_s, first.flags) == (1.3, 2.0, 8.5, (Flag.SHORTEN,))
    assert (second.segment_id, second.offset_s) == ("b", -0.1)


def test_the_whole_is_summed_up() -> None:
    report = made(
        placed("a", 1.0, 1.5, 2.0, Flag.SHORTEN),
        placed("b", 1.7, 1.0, 2.0, Flag.LATE),
        placed("c", 0.1, 1.25),
        placed("d", 1.0, 1.26),
    )
    assert (report.share_over_125, report.highest_rate, report.to_shorten, report.late) == (0.5, 1.5, 1, 1)
    assert report.mean_rate == pytest.approx(1.2525)
    assert report.worst_offset_s == -0.9, "the largest, whichever way"
    assert (report.loudness_lufs, report.target_lufs, report.true_peak_db, report.picture) == (
        -16.02,
        -16.0,
        -1.26,
        "copied",
    )


def test_the_length_is_compared_with_the_sources() -> None:
    assert made(placed("a", 1.0), duration_s=20.021).duration_difference_s == 0.021
    assert made(placed("a", 1.0), duration_s=19.9).duration_difference_s == -0.1


def test_silence_and_nothing_spoken_are_no_numbers() -> None:
    report = made(mixed=Mixed(AUDIO, AUDIO, None, None), segments=(segment("a", 1.0, "x"),))
    assert (report.lines, report.share_over_125, report.mean_rate, report.worst_offset_s) == ((), 0.0, 1.0, 0.0)
    assert (report.loudness_lufs, report.true_peak_db) == (None, None)


@pytest.mark.parametrize(
    "placement, look",
    [
        (placed("a", 1.0), False),
        (placed("a", 1.0, 1.25), False),
        (placed("a", 1.0, 1.251), True),
        (placed("a", 1.0, 1.0, 2.0, Flag.LATE), True),
        (placed("a", 1.0, 1.0, 0.4), True),  # 25 characters per second
    ],
)
def test_a_line_needs_a_look_when_it_is_flagged_rushed_or_too_quick_to_read(placement: Placement, look: bool) -> None:
    (line,) = made(placement).lines
    assert needs_a_look(line) is look


times = st.floats(0, 1e5, allow_nan=False)


@given(st.lists(st.tuples(times, times, st.floats(0.5, 20), st.floats(0.001, 1e4), st.text(max_size=20)), max_size=30))
def test_any_render_has_a_report_that_survives_json(lines: list[tuple[float, float, float, float, str]]) -> None:
    segments = tuple(segment(str(i), start_s, text) for i, (start_s, _, _, _, text) in enumerate(lines))
    placements = tuple(placed(str(i), at_s, rate, duration_s) for i, (_, at_s, rate, duration_s, _) in enumerate(lines))
    report = report_of(segments, placements, MIXED, Finished((), 20.0, None), OPTIONS, 20.0)
    assert msgspec.json.decode(msgspec.json.encode(report), type=Report) == report
    assert len(report.lines) == len(lines)
    assert 0 <= report.share_over_125 <= 1 and all(
        abs(line.offset_s) <= abs(report.worst_offset_s) for line in report.lines
    )
