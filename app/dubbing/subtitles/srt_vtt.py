"""SRT, WebVTT and ASS in, SRT and WebVTT out (`app.dubbing.subtitles.ass_writer` writes ASS). Light: the server imports
it.

No library: what is said of a faulty file, by line, and what becomes of it is ours. `bench.subtitles` compares with
other readers.
"""

from __future__ import annotations

import html
import itertools
import math
import re
from collections.abc import Sequence
from typing import Final

import msgspec

from app.domain.errors import DubError
from app.domain.problems.lines import SUBTITLES_EMPTY, SUBTITLES_INVALID
from app.domain.subtitle_file import Fault
from app.dubbing.subtitles import ass_reader, srt_reader, vtt_reader
from app.dubbing.subtitles.code_pages import known
from app.dubbing.subtitles.cue_repair import FileFaults, RawCue, settled
from app.dubbing.subtitles.cues import Cue as Cue
from app.dubbing.subtitles.encoding import decode
from app.dubbing.subtitles.line_breaks import break_lines
from app.dubbing.subtitles.markup import plain as plain
from app.dubbing.subtitles.other_formats import kind_of
from app.dubbing.subtitles.rolling_captions import unrolled

MAX_BYTES: Final = 16 << 20
MAX_CUES: Final = 50_000

_MAX_LINE_CHARACTERS: Final = 1 << 20  # drawings in ASS are long; nothing else comes near
_MAX_WRONG_LINES: Final = 100  # that are named
_LINE_END: Final = re.compile(r"\r*\n|\r")  # some programs write \r\r\n


class Subtitles(msgspec.Struct, frozen=True):
    """A file that was read: its cues, sorted by time, and what in it was not right, by line.

    `format` is "srt", "vtt" or "ass". `encoding` is Python's name of it; `guessed`: by the text
    alone, and `likely` would do too, likeliest first. `rolling`: its captions roll, and each phrase was taken once.
    """

    cues: tuple[Cue, ...]
    format: str
    encoding: str
    guessed: bool
    likely: tuple[str, ...]
    rolling: bool
    faults: tuple[Fault, ...]


def parse(data: bytes) -> tuple[Cue, ...]:
    """The cues alone; as `read`."""
    return read(data).cues


def read(data: bytes, *, language: str | None = None, encoding: str | None = None) -> Subtitles:
    """An SRT, WebVTT, ASS or SSA file in any usual encoding: what is spoken, markup stripped, empty cues left out.

    `language` (ISO 639-1) is the one that the lines are in, where it is known: it chooses among old code pages;
    `encoding` is a person's choice. A faulty cue is repaired or left out, and named. Raises SUBTITLES_INVALID (the
    detail names the line) when less than half of the cues can be read, and SUBTITLES_EMPTY.
    """
    if len(data) > MAX_BYTES:
        raise DubError(SUBTITLES_INVALID, f"It is larger than {MAX_BYTES >> 20} MB.")
    decoded = decode(data, language=language, encoding=known(encoding) if encoding else None)
    lines = _LINE_END.split(decoded.text)
    long = next((number for number, line in enumerate(lines, 1) if len(line) > _MAX_LINE_CHARACTERS), None)
    if long is not None:
        raise DubError(SUBTITLES_INVALID, f"Line {long} has more than {_MAX_LINE_CHARACTERS} characters.")
    notes = FileFaults()
    if ass_reader.is_ass(lines):
        kind, found = "ass", ass_reader.cues(lines, notes)
    elif vtt_reader.is_vtt(lines):
        kind, found = "vtt", vtt_reader.cues(lines, notes)
    else:
        kind, found = "srt", srt_reader.cues(lines, notes)
    raws = list(itertools.islice(found, MAX_CUES + 1))
    if len(raws) > MAX_CUES:
        raise DubError(SUBTITLES_INVALID, f"It has more than {MAX_CUES} cues.")
    for line in decoded.wrong[:_MAX_WRONG_LINES]:
        notes.repaired(line, f"bytes that are no text in {decoded.encoding}", "\ufffd stands for them")
    usable = settled(raws, notes)
    _check(usable, notes, lines)
    cues, rolling = unrolled(usable)
    return Subtitles(tuple(cues), kind, decoded.encoding, decoded.guessed, decoded.likely, rolling, tuple(notes.faults))


def _check(usable: Sequence[RawCue], notes: FileFaults, lines: Sequence[str]) -> None:
    """Raises for a file of which less than half can be read, and for one that says nothing."""
    read = len(usable) + notes.empty
    if read < notes.lost or (read == 0 and notes.faults):
        first = next(fault for fault in notes.faults if fault.left_out)
        share = f" {notes.lost} of {notes.lost + read} cues cannot be read." if read else ""
        kind = kind_of(lines)
        looks = f" It looks like {kind}." if kind else ""
        raise DubError(SUBTITLES_INVALID, f"Line {first.line}: {first.what}.{share}{looks}")
    if not usable:
        raise DubError(SUBTITLES_EMPTY)


# ---- writing


def write_srt(cues: Sequence[Cue]) -> str:
    """SubRip, UTF-8 to be: lines of at most 42 characters."""
    blocks = (
        f"{n}\n{_clock(c.start_s, ',')} --> {_clock(c.end_s, ',')}\n{_srt_text(c.text)}\n"
        for n, c in enumerate(cues, 1)
    )
    return "\n".join(blocks)


def write_vtt(cues: Sequence[Cue]) -> str:
    """WebVTT: lines of at most 42 characters, markup characters escaped."""
    blocks = (f"{_clock(c.start_s, '.')} --> {_clock(c.end_s, '.')}\n{_vtt_text(c.text)}\n" for c in cues)
    return "WEBVTT\n\n" + "\n".join(blocks)


def _srt_text(text: str) -> str:
    """SRT has no escape: an arrow in the text would start a cue."""
    return "\n".join(break_lines(text)).replace("-->", "->")


def _vtt_text(text: str) -> str:
    return html.escape("\n".join(break_lines(text)), quote=False)


def _clock(seconds: float, point: str) -> str:
    ms = max(0, math.floor(seconds * 1000 + 0.5))
    return f"{ms // 3_600_000:02}:{ms // 60_000 % 60:02}:{ms // 1000 % 60:02}{point}{ms % 1000:03}"
