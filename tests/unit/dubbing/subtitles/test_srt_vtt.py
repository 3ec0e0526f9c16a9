"""Subtitles in any usual shape, read without guessing and written so that nothing in them is taken for markup."""

import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from app.domain.errors import DubError
from app.domain.problems.lines import SUBTITLES_EMPTY, SUBTITLES_INVALID
from app.domain.segment import Word
from app.dubbing.subtitles.ass_writer import escape_ass, write_ass
from app.dubbing.subtitles.cues import Cue
from app.dubbing.subtitles.line_breaks import break_lines, columns
from app.dubbing.subtitles.srt_vtt import parse, write_srt, write_vtt

SRT = "1\n00:00:01,000 --> 00:00:02,500\nHello there\nsecond line\n\n2\n00:01:00,250 --> 01:00:00,000\nBye\n"
VTT = (
    "WEBVTT - a title\nKind: captions\nLanguage: en\n\nNOTE a comment\nover two lines\n\nSTYLE\n::cue { color: red "
    "}\n\nREGION\nid:x\n\n"
)
VTT += "intro\n00:01.000 --> 00:02.500 align:start position:10%\n<v Ann>Hello <00:01.500><b>there</b>\n\n"
VTT += "01:00:00.000 --> 01:00:01.000\nA &amp; B &lt;C&gt;\n"


def invalid(data: bytes) -> str:
    with pytest.raises(DubError) as caught:
        parse(data)
    assert caught.value.problem is SUBTITLES_INVALID
    return caught.value.detail


def test_an_srt_file_is_read() -> None:
    assert parse(SRT.encode()) == (Cue(1.0, 2.5, "Hello there\nsecond line"), Cue(60.25, 3600.0, "Bye"))


def test_a_vtt_file_is_read() -> None:
    assert parse(VTT.encode()) == (
        Cue(1.0, 2.5, "Hello there", (Word("Hello", 1.0, 1.5), Word(" there", 1.5, 2.15)), "Ann"),
        Cue(3600.0, 3601.0, "A & B <C>"),
    )


@pytest.mark.parametrize("ends", ["\n", "\r\n", "\r"])
def test_any_line_end_will_do(ends: str) -> None:
    assert len(parse(SRT.replace("\n", ends).encode())) == 2


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
def test_unicode_in_any_form_is_read(encoding: str) -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\nÇa va? Привет 你好\n"
    assert parse(text.encode(encoding))[0].text == "Ça va? Привет 你好"


OLD = {
    "cp1252": "Ça va très bien, merci. Où êtes-vous allé hier soir? À la fenêtre.",
    "cp1251": "Привет, как дела? Мы давно не виделись, расскажи что-нибудь.",
    "cp1250": "Dziękuję bardzo, jestem już gotów. Źle się stało, że już poszłaś.",
    "gb18030": "你好世界。这是一个测试文件、用于检测编码是否正确。",
    "shift_jis": "こんにちは、世界。これは文字コードを確認するための字幕です。",
    "cp1256": "مرحبا بالعالم، كيف حالك اليوم؟ هذا ملف ترجمة قديم للتجربة.",
}


@pytest.mark.parametrize("encoding", OLD)
def test_old_encodings_are_guessed(encoding: str) -> None:
    text = "".join(f"{n}\n00:00:{n:02},000 --> 00:00:{n:02},900\n{OLD[encoding]}\n\n" for n in range(1, 9))
    assert parse(text.encode(encoding))[0].text == OLD[encoding]


@pytest.mark.parametrize(
    ("line", "times"),
    [
        ("00:00:01,000 --> 00:00:02,000", (1.0, 2.0)),
        ("0:0:1.5 --> 0:0:2", (1.5, 2.0)),
        ("00:00:01,000-->00:00:02,000", (1.0, 2.0)),
        ("00:01,000 --> 00:02,000", (1.0, 2.0)),
        ("00:00:01:000 --> 00:00:02:000", (1.0, 2.0)),
        ("00:00:01,000 -> 00:00:02,000", (1.0, 2.0)),
        ("00:00:01,000 --> 00:00:02,000  X1:100 X2:200", (1.0, 2.0)),
        ("  00:00:01,000  -->  00:00:02,000  ", (1.0, 2.0)),
        ("00: 00: 01, 000 --> 00: 00: 02, 000", (1.0, 2.0)),
        ("99:59:58,000 --> 99:59:59,000", (359_998.0, 359_999.0)),
    ],
)
def test_times_as_programs_write_them(line: str, times: tuple[float, float]) -> None:
    (cue,) = parse(f"1\n{line}\nx\n".encode())
    assert (cue.start_s, cue.end_s) == pytest.approx(times)


@pytest.mark.parametrize(
    ("written", "spoken"),
    [
        ('<i>Hi</i> <font color="#fff">you</font>', "Hi you"),
        ("{\\an8}Up {\\i1}here{\\i0}", "Up here"),
        ("a < b and c > d", "a < b and c > d"),
        ("1 <2> 3", "1 <2> 3"),
        ("Tom &amp; Jerry", "Tom & Jerry"),
        ("one\\Ntwo", "one\ntwo"),
        ("{braces} stay", "{braces} stay"),
        ("bell\x07 and \x1b[31mescape", "bell and [31mescape"),
        ("שלום \u200fרב", "שלום \u200fרב"),
        ("<c.yellow.bg_blue>c</c>", "c"),
    ],
)
def test_only_what_is_spoken_remains(written: str, spoken: str) -> None:
    assert parse(f"1\n00:00:01,000 --> 00:00:02,000\n{written}\n".encode())[0].text == spoken


def test_cues_are_sorted_and_may_overlap() -> None:
    text = "1\n00:00:05,000 --> 00:00:08,000\nb\n\n2\n00:00:01,000 --> 00:00:06,000\na\n"
    assert [cue.text for cue in parse(text.encode())] == ["a", "b"]


def test_a_missing_empty_line_between_cues_is_forgiven() -> None:
    text = "1\n00:00:01,000 --> 00:00:02,000\na\n2\n00:00:03,000 --> 00:00:04,000\nb\n00:00:05,000 --> 00:00:06,000\nc"
    assert [cue.text for cue in parse(text.encode())] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("1\n00:00:aa,000 --> 00:00:02,000\nx\n", 2),
        ("1\n500:00:00,000 --> 501:00:00,000\nx\n", 2),
        ("ffconcat version 1.0\nfile /etc/passwd\n", 1),
        ("#EXTM3U\n#EXTINF:10,\nx.ts\n", 1),
        ('{"segments": []}', 1),
        ("<html></html>", 1),
        (f"1\n00:00:01,000 --> 00:00:02,000\n{'x' * 6000}\n", 2),
        ("1\n", 1),
        ("WEBVTT\n\nx\ny\n", 3),
    ],
)
def test_a_file_of_which_nothing_can_be_read_is_refused_by_line(text: str, line: int) -> None:
    assert invalid(text.encode()).startswith(f"Line {line}")


def test_bytes_that_are_no_text_are_refused() -> None:
    assert invalid(bytes(range(256)) * 4).startswith("Line 1")
    assert "larger than" in invalid(b"x" * (17 << 20))


@pytest.mark.parametrize(
    "data", [b"", b"\n\n", b"WEBVTT\n\n", b"WEBVTT\n\nNOTE nothing\n", b"1\n00:00:01,000 --> 00:00:02,000\n<i></i>\n"]
)
def test_a_file_without_lines_is_empty(data: bytes) -> None:
    with pytest.raises(DubError) as caught:
        parse(data)
    assert caught.value.problem is SUBTITLES_EMPTY


CHARACTERS = st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Co", "Cn", "Cf"])
TEXT = st.text(CHARACTERS, min_size=1, max_size=200).filter(lambda text: text.strip())


@settings(deadline=None)  # a busy machine is not slow code
@given(st.lists(st.tuples(st.integers(0, 10**7), st.integers(1, 60_000), TEXT), min_size=1, max_size=5))
def test_vtt_says_again_what_was_written(raw: list[tuple[int, int, str]]) -> None:
    cues = sorted(
        (Cue(start / 1000, (start + length) / 1000, text) for start, length, text in raw),
        key=lambda cue: (cue.start_s, cue.end_s),
    )
    again = parse(write_vtt(cues).encode())
    assert [cue.start_s for cue in again] == pytest.approx([cue.start_s for cue in cues])
    assert [cue.end_s for cue in again] == pytest.approx([cue.end_s for cue in cues])
    assert sorted("".join(cue.text.split()) for cue in again) == sorted("".join(cue.text.split()) for cue in cues)


@settings(deadline=None)  # a busy machine is not slow code
@given(st.binary(max_size=400))
def test_no_bytes_break_the_reader(data: bytes) -> None:
    try:
        cues = parse(data)
    except DubError as error:
        assert error.problem in (SUBTITLES_INVALID, SUBTITLES_EMPTY)
    else:
        assert all(0 <= cue.start_s < cue.end_s and cue.text for cue in cues)


def test_srt_text_cannot_start_a_cue() -> None:
    assert [cue.text for cue in parse(write_srt((Cue(1, 2, "a --> b"), Cue(3, 4, "c"))).encode())] == ["a -> b", "c"]


def test_written_files_look_like_this() -> None:
    cue = (Cue(3661.0004, 3662.9996, "a & b <c>"),)
    assert write_srt(cue) == "1\n01:01:01,000 --> 01:01:03,000\na & b <c>\n"
    assert write_vtt(cue) == "WEBVTT\n\n01:01:01.000 --> 01:01:03.000\na &amp; b &lt;c&gt;\n"
    assert "Dialogue: 0,1:01:01.00,1:01:03.00,Default,,0,0,0,,a & b <c>\n" in write_ass(cue, 1280, 720)


def test_ass_overrides_are_text() -> None:
    assert escape_ass("{\\b1}x\\N") == "\\{\\\u2060b1\\}x\\\u2060N"
    assert write_ass((Cue(1, 2, "a\nb"),), 640, 360).count("\n") == write_ass((Cue(1, 2, "ab"),), 640, 360).count("\n")


# ---- line breaking


def test_a_line_that_fits_is_left_alone() -> None:
    assert break_lines("Two short\nlines") == ["Two short", "lines"]


def test_a_long_line_becomes_two_of_similar_length() -> None:
    first, second = break_lines("The quick brown fox jumps over the lazy dog and then it runs away.")
    assert abs(len(first) - len(second)) <= 10


def test_a_break_after_a_comma_is_liked() -> None:
    assert (
        break_lines("When it had rained all day long, we stayed at home and read.")[0]
        == "When it had rained all day long,"
    )


def test_chinese_breaks_anywhere_but_before_closing_marks() -> None:
    lines = break_lines("今天天气很好我们一起去公园散步吧。然后再去吃一顿好吃的午饭怎么样呢。")
    assert len(lines) == 2
    assert all(columns(line) <= 42 for line in lines)
    assert not lines[1].startswith("。")


@settings(deadline=None)  # a busy machine is not slow code
@given(st.text(st.characters(categories=["L", "N", "P", "Zs", "Mn"]), max_size=300))
def test_no_line_is_too_long_and_nothing_is_lost(text: str) -> None:
    lines = break_lines(text)
    assert "".join("".join(lines).split()) == "".join(text.split())
    assert all(columns(line) <= 44 for line in lines)  # a closing mark may hang over by one wide column


def test_the_server_may_import_it_lightly() -> None:
    heavy = (
        "import sys, app.dubbing.subtitles.srt_vtt; print([m for m in ('numpy', 'av', 'scipy', 'pysubs2', "
        "'charset_normalizer') if m in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", heavy], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )
