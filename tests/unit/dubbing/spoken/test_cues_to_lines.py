"""From subtitles, or what was recognised, to the lines that are spoken."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import msgspec
import pytest

from app.domain.dub_options import JoinShortCues, changed
from app.domain.job import Joined
from app.domain.segment import LeftOut, LeftOutKind, Placement, Segment, Word
from app.dubbing.casting import VoiceChoice, speakable, spoken_lines
from app.dubbing.context import Context
from app.dubbing.pipeline import original_spans
from app.dubbing.spoken.cues_to_lines import lines_of, recognised
from app.dubbing.subtitles.cues import Cue, cues_for, source_subtitles_for, subtitles_for
from app.dubbing.subtitles.srt_vtt import parse
from app.dubbing.transcribe import transcribe
from app.jobs import editing
from app.jobs.schemas import SegmentChanges, SegmentEdit
from app.speech.ports import Recognised, SpeedLimits
from app.speech.registry import Registry
from tests.unit.jobs.house import MEDIA
from tests.unit.jobs.test_options import OPTIONS

SDH = b"""1
00:00:01,000 --> 00:00:02,000
[door slams]

2
00:00:02,200 --> 00:00:04,000
JOHN: (sighs) We should go.

3
00:00:04,200 --> 00:00:06,000
- Hi.
- Hello.

4
00:00:06,200 --> 00:00:07,000
\xe2\x99\xaa \xe2\x99\xaa

5
00:00:07,200 --> 00:00:09,000
\xe2\x99\xaa La la la \xe2\x99\xaa

6
00:00:09,100 --> 00:00:09,900
>> Thank you.
"""
WORDS = [
    "this",
    "is",
    "a",
    "file",
    "with",
    "one",
    "word",
    "in",
    "every",
    "cue",
    "as",
    "some",
    "programs",
    "write",
    "it",
    "for",
    "short",
    "videos",
    "on",
    "a",
    "phone",
] * 2


def one_word_cues() -> list[Cue]:
    return [Cue(round(n * 0.2, 3), round(n * 0.2 + 0.18, 3), word) for n, word in enumerate(WORDS)]


def line(text: str, words: tuple[Word, ...] = ()) -> Segment:
    return Segment("a", 1.0, 3.0, text, text, "", False, words)


def test_descriptions_are_kept_and_not_spoken() -> None:
    lines = lines_of(parse(SDH), 20.0).segments
    assert [(each.text, each.speaker, each.skip) for each in lines] == [
        ("[door slams]", "", True),
        ("We should go.", "JOHN", False),
        ("Hi. Hello.", "", False),
        ("♪ ♪", "", True),
        ("♪ La la la ♪", "", True),
        ("Thank you.", "", False),
    ]
    assert [each.source_text for each in lines] == [" ".join(cue.text.split()) for cue in parse(SDH)]
    assert [part.kind for each in lines for part in each.left_out] == ["sound", "label", "sound", "music", "music"]
    assert [(each.start_s, each.end_s) for each in lines] == [(cue.start_s, cue.end_s) for cue in parse(SDH)]
    assert [each.text for each in speakable(lines)] == ["We should go.", "Hi. Hello.", "Thank you."]


def test_as_wished_all_of_it_is_spoken() -> None:
    lines = lines_of(parse(SDH), 20.0, speak_sounds=True).segments
    assert [each.text for each in speakable(lines)] == [
        "[door slams]",
        "JOHN: (sighs) We should go.",
        "Hi. Hello.",
        "La la la",
        "Thank you.",
    ]
    assert lines[1].speaker == "JOHN"


def test_one_word_a_cue_is_one_line_with_every_words_time() -> None:
    made = lines_of(one_word_cues(), 20.0)
    assert made.joined == Joined(42, 1)
    (only,) = made.segments
    assert (only.start_s, only.end_s, only.text) == (0.0, 8.38, " ".join(WORDS))
    assert only.words == tuple(
        Word(f" {cue.text}" if n else cue.text, cue.start_s, cue.end_s) for n, cue in enumerate(one_word_cues())
    )


def test_whether_short_cues_are_joined_can_be_chosen() -> None:
    assert lines_of(one_word_cues(), 20.0, join_short_cues=JoinShortCues.OFF).joined is None
    assert len(lines_of(one_word_cues(), 20.0, join_short_cues=JoinShortCues.OFF).segments) == 42
    halves = [Cue(0, 2, "I have a printed report in your"), Cue(2.1, 4, "notes."), Cue(4.1, 6, "Thank you for that.")]
    assert lines_of(halves, 20.0).joined is None
    joined = lines_of(halves, 20.0, join_short_cues=JoinShortCues.ON)
    assert joined.joined == Joined(3, 2)
    assert [each.text for each in joined.segments] == ["I have a printed report in your notes.", "Thank you for that."]


def test_what_is_left_out_of_joined_words_takes_its_time_with_it() -> None:
    cues = [Cue(n, n + 0.9, text) for n, text in enumerate(["JOHN:", "[door", "slams]", "Go", "home", "(now)."])]
    (only,) = lines_of(cues, 20.0, join_short_cues=JoinShortCues.ON).segments
    assert (only.text, only.speaker, only.start_s, only.end_s) == ("Go home.", "JOHN", 3.0, 5.9)
    assert only.source_text == "JOHN: [door slams] Go home (now)."
    assert only.words == (Word("Go", 3, 3.9), Word(" home", 4, 4.9), Word(".", 5, 5.9))


def test_two_who_speak_in_one_cue_are_two_lines() -> None:
    first, second = lines_of([Cue(1.0, 4.0, "- JOHN: Where are you going?\n- MARY: Out.")], 20.0).segments
    assert (first.speaker, first.text, second.speaker, second.text) == ("JOHN", "Where are you going?", "MARY", "Out.")
    assert first.start_s == 1.0 and first.end_s == second.start_s and second.end_s == 4.0
    assert first.end_s - first.start_s > second.end_s - second.start_s > 0.5
    assert f"{first.source_text} {second.source_text}" == "- JOHN: Where are you going? - MARY: Out."


def test_a_cue_too_short_for_two_stays_one_line() -> None:
    (only,) = lines_of([Cue(1.0, 1.1, "- JOHN: Going?\n- MARY: Out.")], 20.0).segments
    assert (only.speaker, only.text) == ("JOHN", "Going? Out.")


@pytest.mark.parametrize(
    "gap_s, spoken", [(0.1, ["Hello there.", "What?"]), (5.0, ["Hello there. [a very", "long crash] What?"])]
)
def test_brackets_go_on_in_the_next_cue_if_it_comes_soon(gap_s: float, spoken: list[str]) -> None:
    cues = [Cue(0, 2, "Hello there. [a very"), Cue(2 + gap_s, 4 + gap_s, "long crash] What?")]
    assert [each.text for each in lines_of(cues, 20.0).segments] == spoken


def test_the_words_that_a_file_gives_stay_with_what_is_spoken() -> None:
    words = (Word("(sighs)", 0.1, 0.4), Word("Go", 0.5, 0.8), Word("home.", 0.9, 1.5))
    (only,) = lines_of([Cue(0, 2, "(sighs) Go home.", words)], 20.0).segments
    assert (only.text, only.words) == ("Go home.", (Word("Go", 0.5, 0.8), Word(" home.", 0.9, 1.5)))


def test_what_is_not_within_the_video_is_not_a_line() -> None:
    lines = lines_of([Cue(0, 2, "In."), Cue(9, 12, "Half."), Cue(11, 13, "Out.")], 10.0).segments
    assert [(each.text, each.end_s) for each in lines] == [("In.", 2.0), ("Half.", 10.0)]


def test_what_recognition_makes_up_is_not_spoken() -> None:
    words = (Word(" [Music]", 1.0, 2.0), Word(" Welcome.", 2.2, 3.0))
    said = recognised(
        [
            line("Hello."),
            line("[Music]"),
            line("(Applause)"),
            line("[Music] Welcome.", words),
            line("Untertitel der Amara.org-Community"),
            line("♪♪"),
        ]
    )
    assert [(each.text, each.skip) for each in said] == [
        ("Hello.", False),
        ("[Music]", True),
        ("(Applause)", True),
        ("Welcome.", False),
        ("Untertitel der Amara.org-Community", True),
        ("♪♪", True),
    ]
    assert said[0] == line("Hello.")
    assert said[3].words == (Word("Welcome.", 2.2, 3.0),) and said[3].source_text == "[Music] Welcome."
    assert [each.text for each in recognised([line("[Music]")], speak_sounds=True)] == ["[Music]"]


def test_every_recognised_chunk_is_told_apart(tmp_path: Path) -> None:
    class Listening:
        name = "listening"
        key_name = ""

        async def transcribe(self, request: object, on_event: Callable[[Recognised], None]) -> str:
            on_event(Recognised((line("[Music]"), line("Hello.")), "en", 5.0))
            return "en"

    class Engines:
        def recognizer(self, name: str) -> Listening:
            return Listening()

    def kept(speak_sounds: bool) -> list[tuple[str, bool]]:
        options = changed(OPTIONS, speak_sounds=speak_sounds)
        chunks: list[Recognised] = []
        context = cast(Context, SimpleNamespace(engines=Engines(), blobs=None))
        asyncio.run(
            transcribe(
                context,
                tmp_path,
                options,
                9.0,
                language=None,
                resume_at_s=0.0,
                on_chunk=chunks.append,
                report=lambda fraction, message: None,
                info=MEDIA,
            )
        )
        assert [chunk.done_s for chunk in chunks] == [5.0]
        return [(each.text, each.skip) for chunk in chunks for each in chunk.segments]

    assert kept(False) == [("[Music]", True), ("Hello.", False)]
    assert kept(True) == [("[Music]", False), ("Hello.", False)]


def test_no_emoji_and_no_address_reaches_a_voice_whoever_wrote_it() -> None:
    lines = [
        line("Go 😀 to www.example.com now."),
        line("👍"),
        line("https://example.org"),
        line("me@example.org, you"),
    ]
    engines = cast(Registry, SimpleNamespace(voice=lambda name: (SimpleNamespace(speeds=SpeedLimits(0.5, 2.0)), "a")))
    requests = [each.request for each in spoken_lines(lines, VoiceChoice("v:a", "", 1.0, "en"), engines)]
    assert [request.text for request in requests] == ["Go to now.", "you"]
    assert [request.previous_text + request.next_text for request in requests] == ["you", "Go to now."]


def test_subtitles_of_the_dub_have_what_is_spoken_and_those_of_the_original_all() -> None:
    lines = lines_of(parse(SDH), 20.0).segments
    placements = [Placement(each.id, each.start_s, 1.0, 1.0, 0.0, 0.0, ()) for each in speakable(lines)]
    assert [cue.text for cue in subtitles_for(lines, placements, 20.0)] == ["We should go.", "Hi. Hello.", "Thank you."]
    assert "[door slams]" in [cue.text for cue in source_subtitles_for(lines, 20.0)]
    assert cues_for(lines, ())[0].text == "[door slams]"  # what a person edits has it too


def test_subtitles_change_when_the_word_is_said_also_where_something_was_left_out() -> None:
    said = [f"w{n}," for n in range(30)]
    starts = [*(n * 0.8 for n in range(15)), *(12.0 + n * 0.2 for n in range(15))]  # the first half slowly
    words = tuple(Word(word, at, at + 0.1) for word, at in zip(said, starts, strict=True))
    (line,) = lines_of([Cue(0.0, 15.0, "JOHN: " + " ".join(said), (Word("JOHN:", 0.0, 0.0), *words))], 20.0).segments
    shown = subtitles_for([line], [Placement(line.id, 0.0, 15.0, 1.0, 0.0, 0.0, ())], 20.0)
    assert len(shown) == 2
    first = shown[1].text.split()[0]
    assert shown[1].start_s == pytest.approx(starts[said.index(first)], abs=0.01)


def test_a_line_that_is_left_out_brings_no_original_sound_back_but_a_persons_choice_does() -> None:
    lines = lines_of(parse(SDH), 20.0).segments
    assert original_spans(lines) == ()
    chosen = editing.apply(SegmentChanges(edit=(SegmentEdit(lines[1].id, skip=True),)), lines, 20.0)
    assert original_spans(chosen) == ((2.2, 4.0),)


def test_a_line_that_was_left_out_can_be_spoken() -> None:
    lines = lines_of(parse(SDH), 20.0).segments
    spoken = editing.apply(SegmentChanges(edit=(SegmentEdit(lines[0].id, skip=False),)), lines, 20.0)
    assert spoken[0] == msgspec.structs.replace(lines[0], skip=False, left_out=())
    assert speakable(spoken)[0].text == "[door slams]"


def test_a_line_joined_with_one_that_was_left_out_is_spoken() -> None:
    lines = lines_of(parse(SDH), 20.0).segments
    joined = editing.merge(lines[0].id, lines)[0]
    assert (joined.text, joined.skip, joined.source_text) == (
        "We should go.",
        False,
        "[door slams] JOHN: (sighs) We should go.",
    )
    assert [part.text for part in joined.left_out] == ["[door slams]", "JOHN:", "(sighs)"]


def test_a_line_that_was_left_out_stays_so_in_both_halves() -> None:
    lines = lines_of([Cue(0, 4, "[door slams]")], 20.0).segments
    halves = editing.split(lines[0].id, 6, lines)
    assert [(each.text, each.unspoken) for each in halves] == [("[door", True), ("slams]", True)]
    assert halves[0].left_out == (LeftOut(LeftOutKind.SOUND, "[door"),)


def test_what_was_left_out_goes_with_the_half_that_it_stood_in() -> None:
    (whole,) = lines_of([Cue(0, 4, "(sighs) One two three four five [bang] six")], 20.0).segments
    first, second = editing.split(whole.id, whole.text.index("four"), [whole])
    assert [part.text for part in first.left_out] == ["(sighs)"] and [part.text for part in second.left_out] == [
        "[bang]"
    ]
