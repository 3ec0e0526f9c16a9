"""Recognised speech is cut anew: lines are sentences that fit, and no word is lost."""

from __future__ import annotations

import itertools
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.domain.segment import Segment, Word
from app.dubbing.spoken.sentences import LONGEST_S, PAUSE_S, recut, unfinished
from app.dubbing.subtitles.line_breaks import break_lines
from app.dubbing.transcribe import Sentences
from app.speech.ports import Recognised

WORD_S = 0.35


def segments(*texts: str, start_s: float = 0.0, spaceless: bool = False) -> list[Segment]:
    """Raw segments, word after word; a number in the text ("<0.5>") is a pause. Segments follow at once."""
    made, at = [], start_s
    for text in texts:
        words: list[Word] = []
        for found in re.finditer(r"<([\d.]+)>|" + (r"\S" if spaceless else r"\S+"), text):
            if found[1]:
                at += float(found[1])
                continue
            gap = " " if words and not spaceless else ""
            words.append(Word(gap + found[0], round(at, 3), round(at + WORD_S, 3)))
            at += WORD_S
        said = "".join(word.text for word in words)
        made.append(Segment("raw", words[0].start_s, words[-1].end_s, said, said, "", False, tuple(words)))
    return made


def texts(lines: tuple[Segment, ...]) -> list[str]:
    return [line.text for line in lines]


def test_a_sentence_over_two_segments_is_one_line_and_each_sentence_its_own() -> None:
    raw = segments(
        "please bring the printed report in your", "notes. Nobody has complained about the", "noise since then."
    )
    lines = recut(raw, "en")
    assert texts(lines) == [
        "please bring the printed report in your notes.",
        "Nobody has complained about the noise since then.",
    ]
    assert lines[0].end_s == lines[1].start_s == raw[1].words[0].end_s
    assert "".join(word.text for word in lines[1].words) == lines[1].text == lines[1].source_text


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("en", "Dr. Miller paid 3.5 million dollars. Then he left us.", 2),
        ("en", "J. R. R. Tolkien wrote it in 1937. Nobody knew him then.", 2),
        ("en", "It opens at 9 a.m. in the summer months. Come early, please.", 2),
        ("en", "“Stop right there!” he said to the driver. She did not stop.", 2),
        ("en", "Well... maybe we should go home now. It is rather late.", 2),
        ("en", "What happened to you? Nothing at all happened! Really, nothing at all.", 3),
        ("de", "Am 3. Oktober ist hier alles geschlossen. Dann fahren wir weg.", 2),
        ("de", "Das kostet z.B. drei Euro im Laden. Das ist zu viel.", 2),
        ("es", "¿Te acuerdas de aquel día? ¡Claro que me acuerdo! Llovía mucho aquel día.", 3),
        ("fr", "M. Martin a acheté la maison. Elle est très grande.", 2),
        ("hi", "बैठक नौ बजे शुरू होती है। कृपया रिपोर्ट लाइए।", 2),
    ],
)
def test_full_stops_that_end_nothing_are_told_apart(language: str, text: str, expected: int) -> None:
    lines = recut(segments(text), language)
    assert len(lines) == expected and " ".join(texts(lines)) == text


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        (
            "zh",
            "会议九点开始。请带上打印好的报告。你还记得我们吗？",
            ["会议九点开始。", "请带上打印好的报告。", "你还记得我们吗？"],
        ),
        (
            "ja",
            "会議は九時に始まります。報告書を持ってきてください。",
            ["会議は九時に始まります。", "報告書を持ってきてください。"],
        ),
    ],
)
def test_scripts_without_spaces_end_sentences_with_their_own_marks(
    language: str, text: str, expected: list[str]
) -> None:
    assert texts(recut(segments(text, spaceless=True), language)) == expected
    bare = Segment("raw", 0.0, 12.0, text, text, "", False, ())
    assert texts(recut([bare], language)) == expected  # a recogniser that gives no words' times


def test_a_long_text_without_marks_or_spaces_is_cut_at_its_pauses() -> None:
    lines = recut(
        segments("今天天气很好我们一起去公园<0.4>散步然后在湖边吃饭聊天<0.4>一直到太阳下山才回家", spaceless=True), "zh"
    )
    assert texts(lines) == ["今天天气很好我们一起去公园散步然后在湖边吃饭聊天", "一直到太阳下山才回家"] or texts(
        lines
    ) == [
        "今天天气很好我们一起去公园",
        "散步然后在湖边吃饭聊天一直到太阳下山才回家",
    ]


def test_thai_is_cut_at_its_spaces() -> None:
    text = "การประชุมเริ่มเก้าโมงเช้าวันพฤหัสบดีหน้า กรุณานำรายงานฉบับพิมพ์มาด้วยทุกคน ขอบคุณมากครับที่มาร่วมงานกับเราในวันนี้"
    lines = recut([Segment("raw", 0.0, 16.0, text, text, "", False, ())], "th")
    assert len(lines) > 1 and set(texts(lines)[0].split()) <= set(text.split())
    assert " ".join(texts(lines)) == text


def test_a_pause_ends_a_line_inside_a_sentence() -> None:
    lines = recut(
        segments(f"and so my fellow Americans <{PAUSE_S + 0.1}> ask not what your country can do for you"), "en"
    )
    assert texts(lines) == ["and so my fellow Americans", "ask not what your country can do for you"]


def test_a_long_sentence_is_parted_between_clauses_and_never_inside_a_phrase() -> None:
    text = (
        "We moved the old server into the basement last winter and nobody has complained about the noise since then "
        "although the cooling of the room was switched off twice"
    )
    lines = recut(segments(text), "en")
    assert texts(lines) == [
        "We moved the old server into the basement last winter",
        "and nobody has complained about the noise since then",
        "although the cooling of the room was switched off twice",
    ]
    name = "yesterday morning everybody in the village thought that the new school was opened by Queen Elizabeth Windsor herself today"
    assert all(not re.search(r"\b(the|by|that|Queen)$", line) for line in texts(recut(segments(name), "en")))


def test_short_lines_join_what_is_near_and_stand_alone_where_nothing_is() -> None:
    assert texts(recut(segments("Yes. <0.2> I know that very well."), "en")) == ["Yes. I know that very well."]
    assert texts(recut(segments("I know that very well. <0.2> Yes. <2> Where are you going now?"), "en")) == [
        "I know that very well. Yes.",
        "Where are you going now?",
    ]
    assert texts(recut(segments("Where are you going now? <2> Home. <2> You should not do that."), "en"))[1] == "Home."


def test_what_is_described_stays_a_line_of_its_own() -> None:
    raw = segments("So we went home", "[Music]", "and slept.")
    assert texts(recut(raw, "en")) == ["So we went home", "[Music]", "and slept."]


def test_segments_that_tell_nothing_of_words_and_sentences_stay_as_they_came() -> None:
    raw = [Segment(str(n), float(n), n + 1.0, f"Beat {n}", f"Beat {n}", "", False, ()) for n in range(3)]
    assert recut(raw, "en") == tuple(raw)


def test_speakers_are_never_joined() -> None:
    first, second = segments("Where are", "you going?")
    lines = recut([first, Segment(**{**_fields(second), "speaker": "Ann"})], "en")
    assert [(line.text, line.speaker) for line in lines] == [("Where are", ""), ("you going?", "Ann")]


def _fields(segment: Segment) -> dict[str, object]:
    return {name: getattr(segment, name) for name in segment.__struct_fields__}


words = st.sampled_from(
    ["the", "house", "is", "and,", "red.", "Dr.", "3.5", "7.", "why?", "—", "don't", "e.g.", "München", "东西"]
)


@given(st.lists(st.tuples(words, st.sampled_from([0.0, 0.1, 0.3, 0.9])), min_size=1, max_size=60), st.integers(1, 9))
def test_every_word_is_kept_once_in_order_and_every_line_fits(said: list[tuple[str, float]], per_segment: int) -> None:
    groups = [said[n : n + per_segment] for n in range(0, len(said), per_segment)]
    raw = segments(*(" ".join(f"{word} <{pause_s}>" for word, pause_s in group) for group in groups))
    lines = recut(raw, "en")
    assert "".join("".join(texts(lines)).split()) == "".join("".join(line.text for line in raw).split())
    for before, after in itertools.pairwise(lines):
        assert before.start_s < before.end_s <= after.start_s
    for line in lines:
        assert line.end_s - line.start_s <= LONGEST_S and len(break_lines(line.text)) <= 2
        assert line.words[0].start_s == line.start_s and line.words[-1].end_s == line.end_s
        assert "".join(word.text for word in line.words) == line.text


# ---------------------------------------------------------------- over chunks


def chunk(done_s: float, *said: Segment) -> Recognised:
    return Recognised(said, "en", done_s)


def test_a_sentence_that_a_chunk_cut_waits_for_its_rest_and_would_be_heard_again() -> None:
    first, second = segments("Good morning to you all. The meeting starts at", "nine o'clock.")
    lines = Sentences()
    kept = lines.take(chunk(first.end_s, first))
    assert texts(kept.segments) == ["Good morning to you all."]
    assert kept.segments[0].end_s <= kept.done_s <= first.words[5].start_s
    assert texts(lines.take(chunk(second.end_s + 5, second)).segments) == ["The meeting starts at nine o'clock."]
    assert lines.rest() is None


def test_what_waits_at_the_end_is_kept() -> None:
    (only,) = segments("The meeting starts at")
    lines = Sentences()
    assert lines.take(chunk(only.end_s, only)).segments == ()
    rest = lines.rest()
    assert rest is not None and texts(rest.segments) == ["The meeting starts at"] and rest.done_s == only.end_s


def test_recognition_never_goes_on_before_what_is_kept() -> None:
    lines, reached = Sentences(10.0), 10.0
    for raw in segments(*["we go on and on"] * 12, start_s=10.1):
        kept = lines.take(chunk(raw.end_s, raw))
        assert kept.done_s >= reached and all(line.end_s <= kept.done_s for line in kept.segments)
        reached = kept.done_s


def test_a_pause_after_a_chunk_finishes_it() -> None:
    lines = recut(segments("and so my fellow Americans"), "en")
    assert unfinished(lines, lines[-1].end_s, "en") and not unfinished(lines, lines[-1].end_s + PAUSE_S + 0.01, "en")
