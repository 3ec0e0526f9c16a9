"""What may be done to the lines."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.errors import DubError
from app.domain.problems.lines import SEGMENT_NOT_FOUND, TEXT_INVALID, TIMES_INVALID
from app.domain.problems.requests import INVALID_REQUEST
from app.domain.segment import Segment, Word
from app.jobs import editing
from app.jobs.schemas import SegmentChanges, SegmentEdit, SegmentNew


def line(id: str, start_s: float, end_s: float, text: str = "one two", words: tuple[Word, ...] = ()) -> Segment:
    return Segment(id, start_s, end_s, text, text, "", False, words)


LINES = (line("a", 0, 2), line("b", 2, 4, "three"), line("c", 5, 9, "four five six"))


def test_an_edit_changes_only_its_line_and_keeps_what_was_heard() -> None:
    after = editing.apply(SegmentChanges(edit=(SegmentEdit("b", text="  drei \n vier "),)), LINES, 10)
    assert after[0] == LINES[0] and after[2] == LINES[2]
    assert after[1].text == "drei vier" and after[1].source_text == "three"


def test_new_words_lose_the_times_of_the_old_ones() -> None:
    words = (Word("one", 0, 1), Word("two", 1, 2))
    lines = (line("a", 0, 2, "one two", words),)
    assert editing.apply(SegmentChanges(edit=(SegmentEdit("a", start_s=0.5),)), lines, 10)[0].words == words
    assert editing.apply(SegmentChanges(edit=(SegmentEdit("a", text="uno dos"),)), lines, 10)[0].words == ()


def test_lines_are_added_and_removed() -> None:
    after = editing.apply(SegmentChanges(add=(SegmentNew("new", 4, 5),), remove=("a",)), LINES, 10)
    assert [s.text for s in after] == ["three", "four five six", "new"]
    assert len({s.id for s in after}) == 3


@pytest.mark.parametrize("start_s, end_s", [(-0.1, 1), (1, 1), (2, 1), (9, 10.1), (float("nan"), 1), (0, float("inf"))])
def test_times_outside_the_video_or_backwards_are_refused(start_s: float, end_s: float) -> None:
    with pytest.raises(DubError) as caught:
        editing.apply(SegmentChanges(edit=(SegmentEdit("a", start_s=start_s, end_s=end_s),)), LINES, 10)
    assert caught.value.problem is TIMES_INVALID


def test_an_unknown_line_is_refused() -> None:
    for changes in (SegmentChanges(edit=(SegmentEdit("x", text="y"),)), SegmentChanges(remove=("x",))):
        with pytest.raises(DubError) as caught:
            editing.apply(changes, LINES, 10)
        assert caught.value.problem is SEGMENT_NOT_FOUND


def test_control_characters_are_refused() -> None:
    with pytest.raises(DubError) as caught:
        editing.clean("bell \x07")
    assert caught.value.problem is TEXT_INVALID


def test_a_split_divides_time_by_length() -> None:
    after = editing.split("c", 5, LINES)
    assert [s.text for s in after] == ["one two", "three", "four", "five six"]
    assert after[2].start_s == 5 and after[3].end_s == 9 and after[2].end_s == after[3].start_s
    assert after[2].end_s == pytest.approx(5 + 4 * 4 / 13)
    assert (after[2].source_text, after[3].source_text) == ("four", "five six")


def test_a_split_follows_the_words_when_their_times_are_known() -> None:
    words = (Word("four", 5, 5.5), Word("five", 7.5, 8), Word("six", 8, 9))
    after = editing.split("c", 5, (line("c", 5, 9, "four five six", words),))
    assert after[0].end_s == 6.5
    assert after[0].words == words[:1] and after[1].words == words[1:]


@pytest.mark.parametrize("at", [13, 99])
def test_a_split_needs_two_halves(at: int) -> None:
    with pytest.raises(DubError) as caught:
        editing.split("c", at, LINES)
    assert caught.value.problem is INVALID_REQUEST


def test_a_merge_joins_with_the_next() -> None:
    after = editing.merge("a", LINES)
    assert [s.id for s in after] == ["a", "c"]
    assert (after[0].text, after[0].start_s, after[0].end_s) == ("one two three", 0, 4)
    with pytest.raises(DubError) as caught:
        editing.merge("c", LINES)
    assert caught.value.problem is SEGMENT_NOT_FOUND


@given(st.text(min_size=2), st.integers(1, 60))
def test_split_then_merge_keeps_the_words(text: str, at: int) -> None:
    try:
        text = editing.clean(text)
        halves = editing.split("a", at, (line("a", 0, 3, text),))
    except DubError:
        return
    joined = editing.merge("a", halves)
    assert joined[0].text.replace(" ", "") == text.replace(" ", "")
    assert (joined[0].start_s, joined[0].end_s) == (0, 3)


def test_a_lock_is_set_and_taken_away_by_an_edit() -> None:
    locked = editing.apply(SegmentChanges(edit=(SegmentEdit("b", start_locked=True, locked_rate=1.1),)), LINES, 10)
    assert (locked[1].start_locked, locked[1].locked_rate, locked[0], locked[1].text) == (True, 1.1, LINES[0], "three")
    assert editing.apply(
        SegmentChanges(edit=(SegmentEdit("b", start_locked=False, locked_rate=None),)), locked, 10
    ) == list(LINES)


@pytest.mark.parametrize("rate", [0.4, 2.1, "1"])
def test_a_rate_that_nobody_would_follow_cannot_be_locked(rate: object) -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({"id": "a", "locked_rate": rate}, SegmentEdit)


def test_a_split_line_keeps_its_start_in_the_first_half_and_its_rate_in_both() -> None:
    locked = msgspec.structs.replace(LINES[2], start_locked=True, locked_rate=0.9)
    first, second = editing.split("c", 5, (locked,))
    assert (first.start_s, first.start_locked, first.locked_rate) == (5, True, 0.9)
    assert (second.start_locked, second.locked_rate) == (False, 0.9)
    assert editing.merge("c", (first, second)) == [locked]


def test_a_merge_keeps_a_rate_only_where_both_had_it() -> None:
    a, b = (msgspec.structs.replace(line, locked_rate=rate) for line, rate in zip(LINES, (1.1, 1.2), strict=False))
    assert editing.merge("a", (a, b))[0].locked_rate is None
    assert editing.merge("a", (a, LINES[1]))[0].locked_rate is None
