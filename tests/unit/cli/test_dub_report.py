"""The report on the command line."""

from __future__ import annotations

import io

import msgspec
import pytest

from app.cli import dub_report
from app.domain.job import Joined
from app.domain.report import LineReport, Report
from app.domain.segment import Flag
from app.domain.subtitle_file import Fault, SubtitleReading
from app.dubbing.report import needs_a_look

GOOD = LineReport("a", "A calm line.", 1.0, 1.0, 0.0, 2.0, 1.0, 6.0, ())
BAD = LineReport(
    "b",
    "A line with [bold]brackets[/bold] that is far too long for its place in the picture.",
    3700.0,
    3700.26,
    0.26,
    2.0,
    1.38,
    35.0,
    (Flag.SHORTEN,),
)
REPORT = Report((GOOD, BAD), 0.5, 1.19, 1.38, 0.26, 1, 0, -16.04, -16.0, -1.31, 3720.0, 0.012, "copied")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(report: Report, out: io.StringIO) -> str:
    dub_report.show(report, needs_a_look, out)
    return out.getvalue()


def test_plain_text_has_the_totals_and_only_the_lines_that_need_a_look() -> None:
    lines = shown(REPORT, io.StringIO()).splitlines()
    assert lines[:8] == [
        "lines              2",
        "faster than 1.25x  50.0% (mean 1.19x, highest 1.38x)",
        "to shorten         1",
        "late               0 (worst offset +0.260 s)",
        "loudness           -16.0 LUFS (target -16 LUFS)",
        "true peak          -1.3 dBTP",
        "length             1:02:00.0 (+0.012 s to the source)",
        "picture            copied",
    ]
    assert lines[9].split() == ["start", "offset", "rate", "char/s", "flags", "line"]
    assert lines[10].startswith("1:01:40.3  +0.26 s  1.38x  35.0    shorten  A line with [bold]brackets[/bold]")
    assert len(lines) == 11


def test_what_was_joined_and_what_was_left_out_is_told() -> None:
    text = shown(msgspec.structs.replace(REPORT, joined=Joined(42, 2), left_out=3), io.StringIO())
    assert (
        "short cues         42 joined to 2 lines\nnot spoken         3 (sounds, music, names, credits, addresses)\n"
        in text
    )


def test_how_brought_subtitles_were_read_and_what_was_faulty_is_told() -> None:
    faults = (
        Fault(6, "the cue ends before it starts", "ends at 4.2 s, by its length", False),
        Fault(9, "the times cannot be read", "left out", True),
    )
    found = SubtitleReading("srt", "cp1250", True, "Öröm [b]", 12, False, 8, 1, faults)
    for out in (io.StringIO(), Terminal()):
        text = shown(msgspec.structs.replace(REPORT, subtitles=found), out)
        assert "srt (cp1250, guessed), 12 cues; 1 repaired, 8 left out" in " ".join(text.split())
        assert "line 6: the cue ends before it starts; ends at 4.2 s, by its length" in text
        assert "line 9: the times cannot be read; left out" in text
        assert "and 7 more" in text and "reads “Öröm [b]”" in text
    clean = msgspec.structs.replace(
        found, encoding="utf-8", guessed=False, rolling=True, faults=(), left_out=0, repaired=0
    )
    lines = shown(msgspec.structs.replace(REPORT, subtitles=clean), io.StringIO()).splitlines()
    assert lines[0] == "subtitles          srt (utf-8), 12 cues; rolling captions, each phrase once"
    assert not any("left out" in line for line in lines)


def test_a_terminal_gets_the_same_as_a_table() -> None:
    text = shown(REPORT, Terminal())
    assert "-16.0 LUFS" in text and "lines that need a look" in text and "shorten" in text and "calm" not in text
    assert "[bold]" in text, "what is spoken is no markup"


@pytest.mark.parametrize("out", [io.StringIO(), Terminal()])
def test_a_good_dub_says_so(out: io.StringIO) -> None:
    silent = Report((GOOD,), 0.0, 1.0, 1.0, 0.0, 0, 0, None, None, None, 59.96, 0.0, None)
    text = shown(silent, out)
    assert (
        "o line needs a look" in text
        and "silent (left as it was)" in text
        and "1:00.0" in text
        and "picture" not in text
    )
