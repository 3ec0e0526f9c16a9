"""Lines become subtitles that can be read: two lines each, long enough, at the time that they are said."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.segment import Placement, Segment, Word
from app.dubbing.subtitles.cues import (
    MIN_SHOWN_S,
    Cue,
    cues_for,
    flatten,
    reading_speed,
    source_subtitles_for,
    subtitles_for,
)
from app.dubbing.subtitles.line_breaks import break_lines, parts

LONG = (
    "When it had rained all day long, we stayed at home and read. Then the sun came out, and everybody in the whole "
    "street went down to the river, "
    "where the boats were."
)


def line(name: str, start_s: float, end_s: float, text: str, **more: object) -> Segment:
    values = {"source_text": text, "speaker": "", "skip": False, "words": (), **more}
    return Segment(id=name, start_s=start_s, end_s=end_s, text=text, **values)  # type: ignore[arg-type]


def placed(name: str, start_s: float, duration_s: float) -> Placement:
    return Placement(name, start_s, duration_s, 1.0, 0.0, 0.0, ())


def words(text: str, *starts_s: float, end_s: float) -> tuple[Word, ...]:
    return tuple(
        Word(f" {word}", start, end)
        for word, start, end in zip(text.split(), starts_s, [*starts_s[1:], end_s], strict=True)
    )


def test_subtitles_follow_the_placed_clips() -> None:
    lines = (line("a", 1.0, 3.0, "Hello."), line("b", 4.0, 6.0, "Kept.", skip=True), line("c", 7.0, 8.0, " "))
    assert subtitles_for(lines, (placed("a", 1.25, 1.5),), 10.0) == (Cue(1.25, 2.75, "Hello."), Cue(4.0, 6.0, "Kept."))


def test_what_a_person_edits_is_one_cue_for_every_line() -> None:
    assert cues_for((line("a", 1.0, 9.0, LONG),), ()) == (Cue(1.0, 9.0, LONG),)


def test_a_long_line_becomes_several_subtitles_of_two_lines() -> None:
    cues = subtitles_for((line("a", 0.0, 12.0, LONG),), (placed("a", 2.0, 10.0),), 20.0)
    assert [cue.text for cue in cues] == [
        "When it had rained all day long, we stayed at home and read. Then the sun came out,",
        "and everybody in the whole street went down to the river, where the boats were.",
    ]
    assert cues[0].start_s == 2.0 and cues[-1].end_s == 12.0
    assert all(before.end_s == after.start_s for before, after in itertools.pairwise(cues))
    share = (cues[0].end_s - cues[0].start_s) / 10
    assert share == pytest.approx(len(cues[0].text) / len(LONG), abs=0.02)


def test_they_change_when_the_word_is_said() -> None:
    """The first half is spoken slowly; by length it would end at 5 s."""
    text = "one two three four five six seven eight nine ten, " * 2
    text = text.strip()
    starts = [*(0.8 * n for n in range(10)), *(8.0 + 0.2 * n for n in range(10))]
    said = line("a", 0.0, 10.0, text, words=words(text, *starts, end_s=10.0))
    first, second = subtitles_for((said,), (placed("a", 20.0, 5.0),), 60.0)
    assert first.text.endswith("ten,")
    assert first.end_s == second.start_s == pytest.approx(20.0 + 8.0 / 2)  # the new voice says it in half the time
    changed = line("a", 0.0, 10.0, text.replace("one", "eins"), source_text=text, words=said.words)
    first, _ = subtitles_for((changed,), (placed("a", 20.0, 5.0),), 60.0)
    assert first.end_s == pytest.approx(22.5, abs=0.2)


def test_words_that_make_no_sense_are_not_believed() -> None:
    text = ("one two three four five six seven eight nine ten, " * 2).strip()
    wrong = words(text, *([9.9] * 20), end_s=10.0)
    first, second = subtitles_for((line("a", 0.0, 10.0, text, words=wrong),), (), 60.0)
    assert first.end_s == second.start_s == pytest.approx(5.0, abs=0.2)


def test_a_short_line_stays_long_enough_to_be_read_unless_another_follows() -> None:
    lines = (
        line("a", 1.0, 1.2, "Yes."),
        line("b", 5.0, 5.2, "No."),
        line("c", 5.5, 7.0, "Or yes."),
        line("d", 9.9, 10.0, "End."),
    )
    shown = [(cue.start_s, round(cue.end_s, 3)) for cue in subtitles_for(lines, (), 10.0)]
    assert shown == [(1.0, round(1 + MIN_SHOWN_S, 3)), (5.0, 5.5), (5.5, 7.0), (9.9, 10.0)]


def test_lines_of_one_speaker_never_overlap_and_those_of_two_may() -> None:
    lines = (
        line("a", 1.0, 4.0, "A", speaker="x"),
        line("b", 3.0, 5.0, "B", speaker="x"),
        line("c", 3.5, 6.0, "C", speaker="y"),
    )
    assert subtitles_for(lines, (), 10.0) == (Cue(1.0, 3.0, "A"), Cue(3.0, 5.0, "B"), Cue(3.5, 6.0, "C"))


def test_lines_that_begin_together_are_shown_together() -> None:
    lines = (line("a", 1.0, 2.0, "- Who is there?"), line("b", 1.0, 3.0, "- It is me."))
    assert subtitles_for(lines, (), 10.0) == (Cue(1.0, 3.0, "- Who is there?\n- It is me."),)


def test_the_originals_subtitles_say_what_was_said_when_it_was_said() -> None:
    lines = (line("a", 1.0, 3.0, "Hola.", source_text="Hello."), line("b", 4.0, 6.0, "Nuevo.", source_text=""))
    assert source_subtitles_for(lines, 10.0) == (Cue(1.0, 3.0, "Hello."),)


def test_overlapping_cues_are_flattened() -> None:
    assert flatten((Cue(0, 4, "a"), Cue(1, 2, "b"), Cue(6, 7, "c"))) == (
        Cue(0, 1, "a"),
        Cue(1, 2, "a\nb"),
        Cue(2, 4, "a"),
        Cue(6, 7, "c"),
    )


@pytest.mark.parametrize(
    ("text", "duration_s", "speed"),
    [("Hello there", 1.0, 11.0), ("Hello\n there", 2.0, 5.5), ("नमस्ते", 1.0, 4.0), ("", 1.0, 0.0)],
)
def test_reading_speed_counts_what_is_read(text: str, duration_s: float, speed: float) -> None:
    assert reading_speed(text, duration_s) == pytest.approx(speed)


SPANS = st.tuples(st.integers(0, 60_000), st.integers(50, 20_000))
TEXTS = st.text(st.characters(categories=["L", "N", "P", "Zs", "Mn"]), min_size=1, max_size=400).filter(str.strip)


@settings(deadline=None)  # a busy machine is not slow code
@given(st.lists(st.tuples(SPANS, TEXTS, st.sampled_from("xy")), min_size=1, max_size=8))
def test_whatever_is_said_can_be_read_in_order(raw: list[tuple[tuple[int, int], str, str]]) -> None:
    lines = [
        line(str(n), at / 1000, (at + long) / 1000, text, speaker=who) for n, ((at, long), text, who) in enumerate(raw)
    ]
    for who in "xy":
        cues = subtitles_for([each for each in lines if each.speaker == who], (), 100.0)
        assert all(cue.start_s < cue.end_s for cue in cues)
        assert all(before.end_s <= after.start_s for before, after in itertools.pairwise(cues))
        assert sorted("".join("".join(cue.text for cue in cues).split())) == sorted(
            "".join("".join(each.text for each in lines if each.speaker == who).split())
        )
    assert all(len(break_lines(cue.text)) <= 2 for cue in subtitles_for(lines, (), 100.0))


@settings(deadline=None)  # a busy machine is not slow code
@given(TEXTS)
def test_parts_lose_nothing_and_fit(text: str) -> None:
    found = parts(text)
    assert "".join("".join(found).split()) == "".join(text.split())
    assert all(len(break_lines(part)) <= 2 for part in found)
