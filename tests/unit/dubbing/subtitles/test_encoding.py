"""The encoding of a subtitle file: what its bytes say, and what its language is usually written in. `bench.encodings`
measures on much more."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from app.domain.errors import DubError
from app.domain.problems.lines import SUBTITLES_INVALID
from app.dubbing.subtitles import letter_statistics
from app.dubbing.subtitles.code_pages import NAMES, known, pages_of
from app.dubbing.subtitles.encoding import decode
from app.dubbing.subtitles.reading_report import subtitle_reading
from app.dubbing.subtitles.srt_vtt import read
from bench.encodings import ENCODINGS, encoded

ROWS = [
    row.split("\t")
    for row in Path("tests/fixtures/declaration.txt").read_text(encoding="utf-8").splitlines()
    if not row.startswith("#")
]
LINES = {
    language: [text for name, text in ROWS if name == language] for language in dict.fromkeys(name for name, _ in ROWS)
}
CASES = [(language, encoding) for language in LINES for encoding in ENCODINGS[language]]


def srt(lines: list[bytes]) -> bytes:
    return b"\r\n".join(
        b"%d\r\n00:00:%02d,000 --> 00:00:%02d,900\r\n%s\r\n" % (n, 2 * n, 2 * n, line)
        for n, line in enumerate(lines, 1)
    )


def old_file(language: str, encoding: str) -> bytes:
    """A file of some lines, at least six of them with letters that tell."""
    made: list[bytes] = []
    for text in LINES[language]:
        try:
            made.append(encoded(text, encoding))
        except UnicodeEncodeError:
            continue
    return srt(made)


def test_there_are_real_sentences_of_more_than_twenty_languages() -> None:
    assert len(LINES) > 30 and all(len(lines) >= 6 for lines in LINES.values())


@pytest.mark.parametrize(("language", "encoding"), CASES)
def test_a_few_lines_are_read_right_with_the_language_and_without(language: str, encoding: str) -> None:
    data = old_file(language, encoding)
    want = [cue.text for cue in read(data, encoding=encoding).cues]
    assert len(want) >= 6
    for given in (language.partition("-")[0], None):
        found = read(data, language=given)
        assert [cue.text for cue in found.cues] == want
        assert found.guessed is not data.isascii()


def test_the_language_that_is_given_chooses_between_code_pages() -> None:
    data = srt([encoded(f"{word} {word}!", "cp1252") for word in ("Måke", "Så", "Gå")])
    assert read(data, language="nb").cues[0].text == "Måke Måke!"
    data = srt(["Şu ışık çok iyi.".encode("cp1254"), "Ağaç".encode("cp1254")])
    assert read(data, language="tr").cues[0].text == "Şu ışık çok iyi."
    data = srt(["Şi aşa mai departe.".encode("cp1250"), "Ţară".encode("cp1250")])
    assert read(data, language="ro").cues[0].text == "Şi aşa mai departe."
    assert read(data, language="ro-RO").encoding == "cp1250"


def test_a_language_that_is_given_wrongly_does_not_spoil_what_is_clear() -> None:
    for language, encoding in (
        ("ru", "cp1251"),
        ("ja", "cp932"),
        ("el", "cp1253"),
        ("th", "cp874"),
        ("ko", "cp949"),
        ("pl", "cp1250"),
    ):
        data = old_file(language, encoding)
        assert read(data, language="en").cues == read(data, encoding=encoding).cues, language


def test_a_wrong_byte_here_and_there_spoils_neither_utf_8_nor_a_guess_and_is_named() -> None:
    lines = [text.encode() for text in LINES["cs"]]
    data = srt(lines).replace(lines[3][:8], lines[3][:7] + b"\xff", 1)
    found = read(data)
    assert (found.encoding, found.guessed) == ("utf-8", False)
    assert [fault.line for fault in found.faults] == [15]
    assert [cue.text for cue in found.cues][4:] == [text for text in LINES["cs"]][4:]
    polish = old_file("pl", "cp1250").replace(b" w ", b" \x81w ", 2)
    assert read(polish).encoding == "cp1250"
    assert len(read(polish).faults) in (1, 2)


def test_a_person_may_choose_and_what_does_not_fit_is_named() -> None:
    data = old_file("ru", "cp1251")
    assert read(data, encoding="koi8-r").cues != read(data).cues
    assert read(data, encoding="windows-1251").cues == read(data).cues
    assert not read(data, encoding="windows-1251").guessed
    assert "no text in utf-8" in read(data, encoding="utf-8").faults[0].what
    assert read(srt([b"plain"]), encoding="cp1250").cues[0].text == "plain"


def test_what_is_likely_begins_with_the_guess_and_the_sample_shows_it() -> None:
    data = srt([b"Yes.", *(encoded(text, "cp1250") for text in LINES["hu"])])
    found = read(data, language="hu")
    assert found.likely[0] == found.encoding == "cp1250"
    assert set(pages_of("hu")) <= set(found.likely[:5])
    assert len(subtitle_reading(found).sample) > 10 and not subtitle_reading(found).sample.isascii()


@pytest.mark.parametrize(
    ("name", "ours"),
    [
        ("windows-1250", "cp1250"),
        ("Latin1", "iso8859-1"),
        ("GBK", "gb18030"),
        ("Big5", "big5hkscs"),
        ("shift_jis", "cp932"),
        ("euc-kr", "cp949"),
        ("UTF-8", "utf-8"),
        ("utf8-sig", None),
        ("rot13", None),
        ("unicode_escape", None),
        ("idna", None),
        ("hex", None),
        ("", None),
        ("\0", None),
        ("no such thing", None),
        ("utf-7", None),
    ],
)
def test_encodings_are_named_as_people_do_and_others_are_not_taken(name: str, ours: str | None) -> None:
    assert known(name) == ours


def test_every_encoding_that_is_offered_can_read_and_every_language_has_one() -> None:
    for name in NAMES:
        assert known(name) == name
        assert isinstance("a".encode(name).decode(name), str)
    for language in letter_statistics.languages():
        assert set(pages_of(language)) <= set(NAMES)


def test_iso_2022_jp_is_seen_although_it_is_ascii() -> None:
    data = srt([text.encode("iso2022_jp") for text in LINES["ja"]])
    assert [cue.text for cue in read(data).cues] == LINES["ja"]


def test_utf_16_without_a_mark_is_read_and_so_is_a_cut_one() -> None:
    text = srt([b"Hello there.", b"Again."]).decode()
    assert len(read(text.encode("utf-16-le")).cues) == 2
    assert len(read(text.encode("utf-16-be")).cues) == 2
    assert len(read(text.encode("utf-16")[:-3]).cues) == 2


def test_bytes_that_are_no_text_are_refused_by_line() -> None:
    with pytest.raises(DubError) as caught:
        decode(b"1\n00:00:01,000 --> 00:00:02,000\n" + bytes(range(32)) * 20)
    assert caught.value.problem is SUBTITLES_INVALID
    assert caught.value.detail.startswith("Line 3 ")


def test_the_tables_are_read_only_when_something_must_be_guessed() -> None:
    script = (
        "from app.dubbing.subtitles import letter_statistics; from app.dubbing.subtitles.srt_vtt import read\n"
        "read('1\\n00:00:01,000 --> 00:00:02,000\\nÇa va?\\n'.encode())\n"
        "print(letter_statistics._tables.cache_info().misses)"
    )
    assert (
        subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.strip() == "0"
    )
