"""Subtitles as the world writes them: what is faulty is repaired or left out, and named; the rest is read."""

import contextlib
import time

import pytest

from app.domain.errors import DubError
from app.domain.problems.lines import SUBTITLES_INVALID
from app.dubbing.subtitles.srt_vtt import read


def shown(text: str) -> list[tuple[float, float, str]]:
    return [(cue.start_s, cue.end_s, cue.text) for cue in read(text.encode()).cues]


def said(text: str) -> list[str]:
    return [cue.text for cue in read(text.encode()).cues]


def faults(text: str) -> list[tuple[int, str, bool]]:
    return [(fault.line, fault.what, fault.left_out) for fault in read(text.encode()).faults]


def srt(*bodies: str) -> str:
    return "\n".join(
        f"{n}\n00:00:{2 * n:02},000 --> 00:00:{2 * n + 1:02},000\n{body}\n" for n, body in enumerate(bodies, 1)
    )


# ---- lines


def test_an_empty_line_inside_a_cue_is_of_the_cue_and_named() -> None:
    text = srt("I am stuck,\n\nten minutes.", "Traffic.")
    assert said(text) == ["I am stuck,\nten minutes.", "Traffic."]
    assert faults(text) == [(5, "an empty line inside the cue", False)]


def test_a_line_of_one_space_is_of_its_cue_and_no_fault() -> None:
    text = "WEBVTT\n\n00:01.000 --> 00:02.000\n \nHello\n \nthere\n\n00:03.000 --> 00:04.000\nBye\n"
    assert said(text) == ["Hello\nthere", "Bye"]
    assert faults(text) == []


@pytest.mark.parametrize("end", ["\r\r\n", "\r\n", "\r", "\n"])
def test_every_line_end_is_one_line_end(end: str) -> None:
    text = srt("Hello there.", "Again.").replace("\n", end)
    assert said(text) == ["Hello there.", "Again."]
    assert faults(text) == []


def test_a_file_with_an_empty_line_after_every_line_is_read() -> None:
    text = srt("Hello there.\nFriend.", "Again.", "And on.", "The end.").replace("\n", "\n\n")
    assert said(text) == ["Hello there.\nFriend.", "Again.", "And on.", "The end."]


def test_text_before_the_first_cue_is_named_and_not_spoken() -> None:
    text = "Subtitles by Somebody\nhttp://example.org\n\n" + srt("Hello there.")
    assert said(text) == ["Hello there."]
    assert faults(text) == [(1, "text before the first cue", True)]


@pytest.mark.parametrize(
    ("end", "line", "what"),
    [
        ("\n2\n", 5, "the file ends inside a cue"),
        ("\n2\n00:00:04,000 --> 00:00:05,000", 6, "the file ends inside a cue"),
        ("\n2\n00:00:04,0", 6, "the times cannot be read"),
        ("\n2\n00:00:04", 6, "the times cannot be read"),
        ("\n00:00:04,000 -->", 5, "end"),
    ],
)
def test_an_unfinished_end_is_named_and_left_out(end: str, line: int, what: str) -> None:
    text = srt("Hello there.") + end
    assert said(text) == ["Hello there."]
    ((number, found, left_out),) = faults(text)
    assert (number, left_out) == (line, True)
    assert what in found


@pytest.mark.parametrize("tail", [b"\0" * 500, b"\n\x1a"])
def test_what_an_interrupted_writer_or_dos_leaves_behind_is_not_text(tail: bytes) -> None:
    assert [cue.text for cue in read(srt("Hello there.").encode() + tail).cues] == ["Hello there."]


def test_a_number_that_is_said_is_not_taken_for_a_counter() -> None:
    assert said("00:00:01,000 --> 00:00:02,000\n42\n\n00:00:03,000 --> 00:00:04,000\nx\n") == ["42", "x"]
    assert said(srt("9", "8", "7")) == ["9", "8", "7"]
    assert said("1\n00:00:01,000 --> 00:00:02,000\nIn\n1984\n2\n00:00:03,000 --> 00:00:04,000\nb") == ["In\n1984", "b"]


def test_a_missing_counter_or_a_repeated_one_does_not_matter() -> None:
    text = srt("a", "b", "c", "d").replace("\n2\n", "\n").replace("\n4\n", "\n3\n")
    assert said(text) == ["a", "b", "c", "d"]
    assert faults(text) == []


# ---- times


def test_a_cue_that_ends_before_it_starts_ends_by_its_length_before_the_next() -> None:
    text = "1\n00:00:03,000 --> 00:00:02,900\nThis one is broken.\n\n2\n00:00:03,800 --> 00:00:05,000\nFine.\n"
    assert shown(text) == [(3.0, 3.8, "This one is broken."), (3.8, 5.0, "Fine.")]
    assert faults(text) == [(2, "the cue ends before it starts", False)]
    assert shown(text.replace("03,800", "30,000").replace("05,000", "31,000"))[0][1] == pytest.approx(
        3 + len("This one is broken.") / 15, abs=0.001
    )


def test_negative_times_are_cut_at_the_start_or_left_out() -> None:
    text = (
        "1\n-00:00:03,000 --> -00:00:02,000\nGone\n\n2\n-00:00:01,000 --> 00:00:01,500\nCut\n\n3\n00:00:02,000 "
        "--> 00:00:03,000\nFine\n"
    )
    assert shown(text) == [(0.0, 1.5, "Cut"), (2.0, 3.0, "Fine")]
    assert faults(text) == [
        (2, "the cue is before the video's start", True),
        (6, "the cue starts before the video", False),
    ]


@pytest.mark.parametrize(
    "arrow",
    ["→", "-&gt;", "--&gt;", "-> ", " —> ", " –> ", "−−>", " - -> ", "=>", " ==> ", " ➔ ", "--->", "->", " > ", "»"],
)
def test_an_arrow_of_any_shape_is_an_arrow(arrow: str) -> None:
    text = f"1\n00:00:01,000{arrow}00:00:02,500\nHi\n"
    assert shown(text) == [(1.0, 2.5, "Hi")]
    assert faults(text) == []


@pytest.mark.parametrize("arrow", [" - ", " -- ", " — ", "-", " – ", ","])
def test_a_dash_between_two_whole_clocks_is_an_arrow_and_no_other(arrow: str) -> None:
    assert shown(f"1\n00:00:01,000{arrow}00:00:02,500\nHi\n") == [(1.0, 2.5, "Hi")]
    assert said(srt(f"Open\n10:30{arrow}18:00", "Later")) == [f"Open\n10:30{arrow}18:00", "Later"]


@pytest.mark.parametrize(
    ("clocks", "times"),
    [
        ("0:00:01.00,0:00:02.50", (1.0, 2.5)),
        ("1:02.5 --> 1:03", (62.5, 63.0)),
        ("00:00:01;000 --> 00:00:02;500", (1.0, 2.5)),
        ("00.00.01,000 --> 00.00.02,500", (1.0, 2.5)),
        ("00：00：01，000 --> 00：00：02，500", (1.0, 2.5)),
        ("00:00:01:12 --> 00:00:02:00", (1.48, 2.0)),
        ("٠٠:٠٠:٠١,٠٠٠ --> ٠٠:٠٠:٠٢,٥٠٠", (1.0, 2.5)),
        ("\u200e00:00:01,000 --> 00:00:02,500\u200f", (1.0, 2.5)),
        ("0:0:1 --> 0:0:2", (1.0, 2.0)),
        ("[00:00:01.000 --> 00:00:02.500]", (1.0, 2.5)),
        ("00:00:01,000 --> 00:00:02,500  X1:1 Y1:2", (1.0, 2.5)),
        ("1:100:01 --> 1:100:02", (9601.0, 9602.0)),
    ],
)
def test_clocks_of_other_programs_are_read(clocks: str, times: tuple[float, float]) -> None:
    ((start_s, end_s, text),) = shown(f"1\n{clocks}\nHi\n")
    assert ((start_s, end_s), text) == (pytest.approx(times), "Hi")


def test_what_whisper_prints_is_read() -> None:
    text = "[00:00.000 --> 00:02.500]  Hello there.\n[00:02.500 --> 00:04.000]  Bye.\n"
    assert shown(text) == [(0.0, 2.5, "Hello there."), (2.5, 4.0, "Bye.")]


def test_sbv_and_subviewer_are_read() -> None:
    assert shown("0:00:01.000,0:00:02.500\nHello\nthere\n\n0:00:03.000,0:00:04.000\nBye\n") == [
        (1.0, 2.5, "Hello\nthere"),
        (3.0, 4.0, "Bye"),
    ]
    assert shown("[INFORMATION]\n[TITLE]x\n[END INFORMATION]\n00:00:01.00,00:00:02.50\nHello[br]there\n") == [
        (1.0, 2.5, "Hello\nthere")
    ]


def test_times_that_cannot_be_read_cost_their_cue_alone() -> None:
    text = srt("a", "b", "c").replace("00:00:04,000", "00:00:zz,000")
    assert said(text) == ["a", "c"]
    assert faults(text) == [(6, "the times cannot be read", True)]
    assert shown(srt("a", "b").replace("00:00:03,000", "?"))[0] == (2.0, 3.0, "a")


@pytest.mark.parametrize(
    "text", ["He said --> look", "A -> B is 10:30", "it was 3:1 -> 4:1 for us", "It took 00:01:30."]
)
def test_an_arrow_or_a_clock_in_the_text_is_text(text: str) -> None:
    assert said(srt(f"First\n{text}", "Second"))[0].startswith("First")
    assert "Second" in said(srt(f"First\n{text}", "Second"))


# ---- the whole


def test_a_file_is_refused_only_when_less_than_half_of_it_can_be_read() -> None:
    half = srt("a", "b", "c", "d").replace("00:00:02,000", "x:1 ").replace("00:00:04,000", "x:1 ")
    assert said(half) == ["c", "d"]
    with pytest.raises(DubError) as caught:
        read(half.replace("00:00:06,000", "x:1 ").encode())
    assert caught.value.problem is SUBTITLES_INVALID
    assert caught.value.detail == "Line 2: the times cannot be read. 3 of 4 cues cannot be read."


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("{10}{50}Hello|there\n", "MicroDVD"),
        ("[00:12.00]La la\n", "LRC"),
        ('<?xml version="1.0"?>\n<tt xmlns="x">\n', "TTML"),
        ("<SAMI>\n", "SAMI"),
        ('{"events": [{"tStartMs": 1}]}', "JSON"),
        ("<!DOCTYPE html><html>", "HTML"),
        ("[10][50]Hi\n", "MPL2"),
        ("#EXTM3U\n", "playlist"),
    ],
)
def test_a_refusal_names_the_format_that_it_is(text: str, name: str) -> None:
    with pytest.raises(DubError) as caught:
        read(text.encode())
    assert caught.value.detail.startswith("Line 1: ")
    assert name in caught.value.detail


def test_text_of_no_cue_in_vtt_is_left_out_as_browsers_do_and_named() -> None:
    text = (
        "WEBVTT\n\n00:01.000 --> 00:02.000\nHello\n\nlost\n\n00:0x.000 --> 00:04.000\ngone\n\n00:05.000 --> "
        "00:06.000\nBye\n"
    )
    assert said(text) == ["Hello", "Bye"]
    assert faults(text) == [(6, "text that belongs to no cue", True), (8, "the times cannot be read", True)]


@pytest.mark.parametrize(
    "bomb", ["00:00:01,000 " + "-" * 380, "1:1:1" * 80, "- " * 200 + "1:1", "0:0:0" + " " * 380, "0:0:0 " + "->" * 180]
)
def test_hostile_lines_of_times_cost_no_time(bomb: str) -> None:
    began_s = time.process_time()
    with contextlib.suppress(DubError):
        read((bomb + "\n").encode() * 500)
    assert time.process_time() - began_s < 2.0
