"""What Whisper says becomes lines within the speech, without what it makes up."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.speech.whisper.cleanup import RecognisedLine, settle
from app.speech.whisper.heard import Heard


def said(start_s: float, end_s: float, text: str, **changes: float) -> Heard:
    usual = {"no_speech": 0.01, "log_probability": -0.2, "compression": 1.2}
    return Heard(start_s=start_s, end_s=end_s, text=text, words=(), **(usual | changes))


def same(second: float, *, end: bool = False) -> float:
    return second


def shifted(second: float, *, end: bool = False) -> float:
    return second + 100.0


def test_times_move_to_the_recordings_timeline_and_to_the_edges_of_speech() -> None:
    lines = settle(
        [said(0.0, 2.3, " Hello there."), said(2.3, 5.0, " Goodbye.")], shifted, [(100.4, 102.0), (103.0, 104.8)]
    )
    assert lines == [RecognisedLine(100.4, 102.0, "Hello there."), RecognisedLine(103.0, 104.8, "Goodbye.")]


def test_a_time_within_speech_stays() -> None:
    assert settle([said(0.0, 2.0, "One,"), said(2.0, 4.0, "two.")], same, [(0.0, 4.0)]) == [
        RecognisedLine(0.0, 2.0, "One,"),
        RecognisedLine(2.0, 4.0, "two."),
    ]


def test_a_line_just_beside_its_speech_is_kept_there() -> None:
    (line,) = settle([said(3.0, 3.4, "Yes.")], same, [(0.0, 1.0), (3.5, 3.9)])
    assert line.start_s == 3.5 and 3.5 < line.end_s <= 3.9


@pytest.mark.parametrize(
    "made_up",
    [
        said(0.0, 1.0, "  "),
        said(0.0, 1.0, "..."),
        said(0.0, 1.0, "♪♪"),
        said(6.0, 8.0, "Thanks for watching!"),
        said(0.0, 1.0, "you", no_speech=0.9, log_probability=-1.0),
        said(1.0, 1.0, "Gone."),
    ],
)
def test_what_is_made_up_goes(made_up: Heard) -> None:
    assert settle([made_up], same, [(0.0, 4.0)]) == []


def test_a_loop_is_said_once() -> None:
    loop = " ".join(["Thank you."] * 12)
    (line,) = settle([said(0.0, 4.0, loop, compression=9.0)], same, [(0.0, 4.0)])
    assert line.text == "Thank you."
    lines = settle([said(i, i + 1, "Okay.", compression=9.0) for i in range(4)], same, [(0.0, 4.0)])
    assert [line.text for line in lines] == ["Okay."]


def test_what_people_repeat_stays() -> None:
    lines = settle(
        [said(0.0, 1.0, "No, no, no, no, no!"), said(1.0, 2.0, "Stop."), said(2.0, 3.0, "Stop.")], same, [(0.0, 4.0)]
    )
    assert [line.text for line in lines] == ["No, no, no, no, no!", "Stop.", "Stop."]


def test_text_is_one_line_without_control_characters() -> None:
    assert settle([said(0.0, 1.0, " a\n b\x00c \ufffd d ")], same, [(0.0, 1.0)])[0].text == "a b c d"


times = st.floats(0, 30, allow_nan=False)


@given(
    st.lists(st.tuples(times, times), max_size=12),
    st.lists(st.tuples(times, st.floats(0.1, 5)), min_size=1, max_size=6),
)
def test_lines_are_always_in_order_inside_the_speech_and_never_overlap(
    pairs: list[tuple[float, float]], spans: list[tuple[float, float]]
) -> None:
    speech, at = [], 0.0
    for gap, length in spans:
        speech.append((at + gap, at + gap + length))
        at += gap + length + 0.3
    lines = settle([said(min(pair), max(pair), f"Line {n}.") for n, pair in enumerate(sorted(pairs))], same, speech)
    for line in lines:
        assert 0 <= line.start_s < line.end_s
        assert speech[0][0] - 0.001 <= line.start_s and line.end_s <= speech[-1][1] + 0.001
    assert all(a.end_s <= b.start_s for a, b in itertools.pairwise(lines))
