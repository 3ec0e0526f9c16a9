"""ASS in and out: what is spoken, and nothing of what is drawn."""

import subprocess
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.dub_options import BurnPosition, BurnSize
from app.domain.errors import DubError
from app.domain.problems.lines import SUBTITLES_INVALID
from app.dubbing.subtitles.ass_writer import Style, write_ass
from app.dubbing.subtitles.cues import Cue
from app.dubbing.subtitles.line_breaks import break_lines
from app.dubbing.subtitles.srt_vtt import MAX_CUES, parse, read
from tests.unit.media.samples import FFMPEG

HEAD = """\ufeff; a comment
[Script Info]
Title: a film
ScriptType: v4.00+

[V4+ Styles]
Format: Name, Fontname, Fontsize
Style: Default,Arial,20

[Fonts]
fontname: evil_0.ttf
,1,0:00:00.00)8F=65X;&5N9P
Dialogue: 0,0:00:00.00,0:00:09.00,Default,,0,0,0,,not in the events

[Events]
Format: Layer, Start, End, Style, Name, MarginL, MarginR, MarginV, Effect, Text
"""


def dialogue(text: str, start: str = "0:00:01.00", end: str = "0:00:02.50") -> str:
    return f"Dialogue: 0,{start},{end},Default,Ann,0,0,0,,{text}\n"


def invalid(text: str) -> str:
    with pytest.raises(DubError) as caught:
        parse(text.encode())
    assert caught.value.problem is SUBTITLES_INVALID
    return caught.value.detail


def test_dialogue_is_read_and_comments_are_not() -> None:
    text = (
        HEAD
        + "Comment: 0,0:00:00.00,0:00:01.00,Default,,0,0,0,,no\n"
        + dialogue("Later, yes", "0:01:00.25", "1:00:00.00")
        + dialogue("Hello, you")
    )
    assert parse(text.encode()) == (Cue(1.0, 2.5, "Hello, you", (), "Ann"), Cue(60.25, 3600.0, "Later, yes", (), "Ann"))


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        (r"{\an8\pos(10,10)\fad(200,200)}Up {\i1}here{\i0}", "Up here"),
        (r"one\Ntwo\nthree", "one\ntwo\nthree"),
        (r"a\hb", "a\u00a0b"),
        (r"{\k20}ka{\k30}ra{\k10}oke", "karaoke"),
        ("{a comment}said", "said"),
        (r"{\p1}m 0 0 l 100 0 100 100{\p0}", ""),
        (r"before {\p4\an7}m 0 0 b 1 2 3 4 5 6{\p0}after", "before after"),
        (r"{\pos(1,2)}kept", "kept"),
        (r"\{braces\}", "{braces}"),
        ("open { brace", "open { brace"),
        ("close } brace", "close } brace"),
        ("a, b, c", "a, b, c"),
        ("bell\x07", "bell"),
        ("{}x{}", "x"),
        (r"{\pbo20}kept", "kept"),
        (r"C:\temp", r"C:\temp"),
    ],
)
def test_only_what_is_spoken_remains(written: str, spoken: str) -> None:
    cues = parse((HEAD + dialogue(written) + dialogue("last", "0:00:05.00", "0:00:06.00")).encode())
    assert [cue.text for cue in cues] == ([spoken] if spoken else []) + ["last"]


def test_ssa_and_other_orders_of_fields_are_read() -> None:
    ssa = (
        "[Script Info]\nScriptType: v4.00\n[V4 Styles]\n[Events]\nFormat: Marked, Start, End, Style, Name, "
        "MarginL, MarginR, MarginV, Effect, Text\n"
    )
    assert parse((ssa + "Dialogue: Marked=0,0:00:01.00,0:00:02.00,Default,,0,0,0,,Hi, you\n").encode()) == (
        Cue(1.0, 2.0, "Hi, you"),
    )
    assert parse(b"[Events]\nFormat: End, Start, Text\nDialogue: 0:00:02.00,0:00:01.00,a, b") == (
        Cue(1.0, 2.0, "a, b"),
    )
    assert parse(("[script info]\n[EVENTS]\n" + dialogue("no format line")).encode()) == (
        Cue(1.0, 2.5, "no format line", (), "Ann"),
    )


def test_what_is_drawn_twice_is_spoken_once() -> None:
    assert (
        len(
            parse(
                (
                    HEAD + dialogue(r"{\blur3}glow") + dialogue("glow") + dialogue("glow", "0:00:03.00", "0:00:04.00")
                ).encode()
            )
        )
        == 2
    )


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "cp1251"])
def test_any_encoding_is_read(encoding: str) -> None:
    text = HEAD.lstrip("\ufeff") + "".join(
        dialogue("Привет, как дела? Мы давно не виделись.", f"0:00:{n:02}.00", f"0:00:{n:02}.90") for n in range(20)
    )
    assert parse(text.encode(encoding))[0].text == "Привет, как дела? Мы давно не виделись."


@pytest.mark.parametrize(
    ("line", "says", "kept"),
    [
        (dialogue("x", "0:00:aa.00"), "the times cannot be read", False),
        (dialogue("x", "0:00:03.00"), "ends before it starts", True),
        (dialogue("x", "0:00:01.00", "200:00:00.00"), "later than 100 hours", False),
        ("Dialogue: 0,0:00:01.00\n", "2 of 10 fields", False),
        (dialogue("x" * 6000), "more than 5000 characters", False),
        (dialogue("x", "0:00:03.00", "soon"), "end cannot be read", True),
        (dialogue("x", "-0:00:01.00"), "starts before the video", True),
        (dialogue("x", "-0:00:02.00", "-0:00:01.00"), "before the video's start", False),
    ],
)
def test_a_faulty_line_is_named_and_the_others_are_read(line: str, says: str, kept: bool) -> None:
    found = read((HEAD + dialogue("fine") + line).encode())
    (fault,) = found.faults
    assert (fault.line, fault.left_out) == (HEAD.count("\n") + 2, not kept)
    assert says in fault.what
    assert len(found.cues) == 1 + kept
    if not kept:
        assert invalid(HEAD + line).startswith(f"Line {HEAD.count(chr(10)) + 1}: {fault.what}")


@pytest.mark.parametrize("line", ["Format: Layer, Start, Text\n", "Format: Text, Start, End\n"])
def test_a_format_that_cannot_be_is_named_and_not_followed(line: str) -> None:
    found = read((HEAD + dialogue("fine") + line + dialogue("after, too", "0:00:03.00", "0:00:04.00")).encode())
    assert [cue.text for cue in found.cues] == ["fine", "after, too"]
    assert [(fault.line, fault.what[:20]) for fault in found.faults] == [(HEAD.count("\n") + 2, "the format must name")]


def test_hostile_files_end_soon_in_a_result_or_an_error() -> None:
    bombs = [
        HEAD + dialogue("x") * 300_000,
        HEAD + "".join(dialogue(str(n), "0:00:01.00", "0:00:02.00") for n in range(MAX_CUES + 10)),
        HEAD + dialogue(r"{\b1\i1\t(0,1,\frz9)}" * 40_000),
        HEAD + dialogue("{" * 1_000_000),
        HEAD + dialogue("\\" * 1_000_000),
        HEAD + dialogue(r"{\p1}" + "m 0 0 l 1 1 " * 80_000),
        "[Script Info]\n" * 100_000,
        "1\n" + "\n".join(f"{n}\n00:00:01,000 --> 00:00:02,000\nx\n" for n in range(100_000)),
        "1\n1" + " " * 1_000_000 + ":1",
        "WEBVTT\n\n" + "<c.a>" * 200_000,
    ]
    for bomb in bombs:
        began_s = time.process_time()
        try:
            assert len(parse(bomb.encode())) <= MAX_CUES
        except DubError as error:
            assert error.problem.code.startswith("subtitles_")
        assert time.process_time() - began_s < 10.0, bomb[:60]


def test_ffmpeg_reads_the_same_from_what_we_write_and_we_from_what_it_writes(tmp_path: Path) -> None:
    cues = (Cue(1.0, 2.5, "Hello, you\nthere"), Cue(60.25, 3600.0, "Ça va? Привет 你好"))
    (tmp_path / "ours.ass").write_text(write_ass(cues, 640, 360), encoding="utf-8")
    for name in ("theirs.srt", "theirs.ass"):
        subprocess.run([FFMPEG, "-v", "error", "-i", str(tmp_path / "ours.ass"), str(tmp_path / name)], check=True)
        assert parse((tmp_path / name).read_bytes()) == cues


CHARACTERS = st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Co", "Cn", "Cf"])
TEXT = st.text(CHARACTERS, min_size=1, max_size=120).filter(lambda text: text.strip())


@settings(deadline=None)  # a busy machine is not slow code
@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(1, 6000), TEXT), min_size=1, max_size=4))
def test_what_is_written_is_read_again(raw: list[tuple[int, int, str]]) -> None:
    cues = [Cue(start / 100, (start + length) / 100, text) for start, length, text in raw]
    again = parse(write_ass(cues, 640, 360).encode())

    def seen(cue: Cue) -> tuple[int, int, str]:
        return round(cue.start_s * 100), round(cue.end_s * 100), "".join(" ".join(break_lines(cue.text)).split())

    assert {seen(cue) for cue in again} == {seen(cue) for cue in cues}


@settings(deadline=None)  # a busy machine is not slow code
@given(st.binary(max_size=300))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    try:
        cues = parse(HEAD.encode() + b"Dialogue: " + data)
    except DubError as error:
        assert error.problem.code.startswith("subtitles_")
    else:
        assert all(0 <= cue.start_s < cue.end_s and cue.text for cue in cues)


def test_the_style_says_size_place_and_box() -> None:
    def style(**wished: object) -> dict[str, str]:
        text = write_ass((Cue(1, 2, "x"),), 1280, 720, Style(**wished))  # type: ignore[arg-type]
        names = next(line for line in text.splitlines() if line.startswith("Format: Name"))
        values = next(line for line in text.splitlines() if line.startswith("Style: Default"))
        return dict(zip(names[8:].split(", "), values[7:].split(","), strict=True))

    sizes = [int(style(size=size)["Fontsize"]) for size in (BurnSize.SMALL, BurnSize.MEDIUM, BurnSize.LARGE)]
    assert sizes == [38, 48, 63]
    assert (style()["Alignment"], style(position=BurnPosition.TOP)["Alignment"]) == ("2", "8")
    assert (style()["BorderStyle"], style(box=True)["BorderStyle"]) == ("1", "3")
