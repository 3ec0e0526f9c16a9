"""SRT, WebVTT and ASS in, SRT and WebVTT out (`app.dubbing.ass` writes ASS). Light: the server imports it.

No library: those that read these formats guess where a file is broken, and do not tell the line. Tests compare with FFmpeg's reader.
"""

from __future__ import annotations

import codecs
import html
import itertools
import math
import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from app.domain.brought import Fault
from app.domain.errors import SUBTITLES_EMPTY, SUBTITLES_INVALID, DubError
from app.domain.media import MAX_TEXT_CHARACTERS
from app.dubbing import ass_reading
from app.dubbing.cues import Cue as Cue
from app.dubbing.linebreaks import break_lines

MAX_BYTES: Final = 16 << 20
MAX_CUES: Final = 50_000
MAX_TIME_S: Final = 100 * 3600.0

_MAX_LINE_CHARACTERS: Final = 1 << 20  # drawings in ASS are long; nothing else comes near

_TIME = r"(?:(\d{1,4})\s*:\s*)?(\d{1,2})\s*:\s*(\d{1,2})(?:\s*[.,:]\s*(\d{1,6}))?"
_ARROW = re.compile(rf"^\s*{_TIME}\s*-{{1,3}}>\s*{_TIME}(?:\s.*)?$")
_TAG = re.compile(r"</?(?:b|i|u|s|c|v|font|ruby|rt|lang|span|em|strong|br)\b[^<>]{0,200}>|<\d+:[\d:.]+>|</?c\.[^<>]{0,200}>", re.I)
_HAS_ARROW = re.compile(r"-{1,3}>")
_ASS_TAG = re.compile(r"\{\\[^{}]{0,200}\}")
_VTT_BLOCK = re.compile(r"^(?:NOTE|STYLE|REGION)(?:\s|$)")


class Subtitles(msgspec.Struct, frozen=True):
    """A file that was read: its cues, sorted by time, and what in it was not right. `encoding` is Python's name of it."""

    cues: tuple[Cue, ...]
    encoding: str
    faults: tuple[Fault, ...] = ()


def read(data: bytes) -> Subtitles:
    """The file as it was read. Raises SUBTITLES_INVALID and SUBTITLES_EMPTY."""
    return Subtitles(parse(data), "utf-8")


def parse(data: bytes) -> tuple[Cue, ...]:
    """The cues of an SRT, WebVTT, ASS or SSA file in any usual encoding, sorted by time, markup stripped, empty ones left out.

    A cue that ends before it starts or has no arrow where one must be is an error, never a guess. Raises SUBTITLES_INVALID (the
    detail names the line) and SUBTITLES_EMPTY.
    """
    if len(data) > MAX_BYTES:
        raise DubError(SUBTITLES_INVALID, f"It is larger than {MAX_BYTES >> 20} MB.")
    lines = [line.rstrip() for line in re.split(r"\r\n|\r|\n", decode(data))]
    long = next((number for number, line in enumerate(lines, 1) if len(line) > _MAX_LINE_CHARACTERS), None)
    if long is not None:
        raise DubError(SUBTITLES_INVALID, f"Line {long} has more than {_MAX_LINE_CHARACTERS} characters.")
    is_vtt = lines[0].startswith("WEBVTT") and lines[0][6:7].strip() == ""
    found = ass_reading.cues(lines) if ass_reading.is_ass(lines) else _cues(lines, 1 if is_vtt else 0, is_vtt)
    cues = list(itertools.islice(found, MAX_CUES + 1))
    if not cues:
        raise DubError(SUBTITLES_EMPTY)
    if len(cues) > MAX_CUES:
        raise DubError(SUBTITLES_INVALID, f"It has more than {MAX_CUES} cues.")
    return tuple(sorted(cues, key=lambda cue: (cue.start_s, cue.end_s)))


def decode(data: bytes) -> str:
    """Text from bytes: by its BOM, as UTF-8, as UTF-16 where every second byte is zero, else by the best guess. Raises SUBTITLES_INVALID."""
    for bom, name in ((codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF16_LE, "utf-16"),
                      (codecs.BOM_UTF16_BE, "utf-16")):  # fmt: skip
        if data.startswith(bom):
            return _decode_as(data, "utf-8-sig" if name == "utf-8" else name)
    if b"\0" in data:
        head = data[:2000]
        if head[1::2].count(0) > len(head) // 4:
            return _decode_as(data, "utf-16-le")
        if head[::2].count(0) > len(head) // 4:
            return _decode_as(data, "utf-16-be")
        line = data[: data.index(0)].count(b"\n") + 1
        raise DubError(SUBTITLES_INVALID, f"Line {line} holds bytes that are no text.")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return _guessed(data)


def _decode_as(data: bytes, encoding: str) -> str:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError as error:
        line = data[: error.start].decode(encoding, errors="ignore").count("\n") + 1
        raise DubError(SUBTITLES_INVALID, f"Line {line} is not valid {encoding.upper()}.") from error


def _guessed(data: bytes) -> str:
    from charset_normalizer import from_bytes  # only for old files

    matches = from_bytes(data[:200_000])
    best = matches.best()
    if best is None:
        raise DubError(SUBTITLES_INVALID, "Its encoding is not known; save it as UTF-8.")
    # cp1250 is as likely for French by the measure, and wrong; by number of files Western European is the better bet.
    western = (match for match in matches if match.encoding == "cp1252" and match.chaos <= best.chaos and match.coherence >= best.coherence)
    return _decode_as(data, next(western, best).encoding)


def _cues(lines: list[str], at: int, is_vtt: bool) -> Iterator[Cue]:
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        if is_vtt and (_VTT_BLOCK.match(lines[at]) or at == 1):  # a comment, a style sheet, or the header's second line
            while at < len(lines) and lines[at].strip() and not _HAS_ARROW.search(lines[at]):
                at += 1
            if at >= len(lines) or not lines[at].strip():
                continue
        head = at
        if not _HAS_ARROW.search(lines[at]):  # a number (SRT) or a name (WebVTT)
            at += 1
        if at >= len(lines) or not _HAS_ARROW.search(lines[at]):
            raise DubError(SUBTITLES_INVALID, f"Line {head + 1}: a cue's times are missing.")
        start_s, end_s = _times(lines[at], at + 1)
        at += 1
        spoken = []
        while at < len(lines) and lines[at].strip() and not _starts_cue(lines, at, is_vtt):
            spoken.append(lines[at])
            at += 1
        text = plain("\n".join(spoken), is_vtt=is_vtt)
        if len(text) > MAX_TEXT_CHARACTERS:
            raise DubError(SUBTITLES_INVALID, f"Line {head + 1}: the cue has more than {MAX_TEXT_CHARACTERS} characters.")
        if text and end_s > start_s:
            yield Cue(start_s, end_s, text)


def _starts_cue(lines: list[str], at: int, is_vtt: bool) -> bool:
    """A file that forgot the empty line between two cues: times, or (SRT) a number right before times."""
    if _ARROW.match(lines[at]):
        return True
    return not is_vtt and lines[at].strip().isdigit() and at + 1 < len(lines) and _ARROW.match(lines[at + 1]) is not None


def _times(line: str, number: int) -> tuple[float, float]:
    found = _ARROW.match(line)
    if found is None:
        raise DubError(SUBTITLES_INVALID, f"Line {number}: the times cannot be read.")
    start_s, end_s = _seconds(found.groups()[:4]), _seconds(found.groups()[4:])
    if end_s < start_s:
        raise DubError(SUBTITLES_INVALID, f"Line {number}: the cue ends before it starts.")
    if end_s > MAX_TIME_S:
        raise DubError(SUBTITLES_INVALID, f"Line {number}: the cue is later than {MAX_TIME_S / 3600:.0f} hours.")
    return start_s, end_s


def _seconds(parts: Sequence[str | None]) -> float:
    hours, minutes, seconds, fraction = parts
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + int(seconds or 0) + float(f"0.{fraction or 0}")


def plain(text: str, *, is_vtt: bool = False) -> str:
    """Spoken words only: no tags, no ASS overrides, no control characters, no empty lines."""
    text = _TAG.sub("", text)
    if not is_vtt:  # what programs leave behind that turn ASS into SRT
        text = _ASS_TAG.sub("", text).replace("\\N", "\n").replace("\\h", " ")
    text = html.unescape(text)
    lines = ("".join(c for c in line if c.isprintable() or c in "\u200c\u200d\u200e\u200f\u00a0\u00ad").strip() for line in text.split("\n"))
    return "\n".join(line for line in lines if line)


# ---- writing


def write_srt(cues: Sequence[Cue]) -> str:
    """SubRip, UTF-8 to be: lines of at most 42 characters."""
    blocks = (f"{n}\n{_clock(c.start_s, ',')} --> {_clock(c.end_s, ',')}\n{_srt_text(c.text)}\n" for n, c in enumerate(cues, 1))
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
