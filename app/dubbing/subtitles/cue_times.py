"""Parses the line with a cue's times, as any program writes it: two times, and the text after them."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

import msgspec

MAX_TIME_S: Final = 100 * 3600.0

_LONGEST: Final = 400  # characters of a line of times with all its settings; longer ones are text
_SIGN = "-\u2010-\u2015\u2212"  # hyphens and dashes
_GAP = r"[ \t]*"
_CLOCK = (
    rf"([{_SIGN}]?){_GAP}(?:(?:(\d{{1,4}}){_GAP}:{_GAP})?([{_SIGN}]?\d{{1,3}}){_GAP}:{_GAP}([{_SIGN}]?\d{{1,3}})"
    rf"|(\d{{1,2}})\.(\d{{2}})\.(\d{{2}})(?=[.,:;])){_GAP}(?:([.,:;]){_GAP}([{_SIGN}]?\d{{1,9}}))?"
)
_POINTED = r"(?:[-\u2010-\u2015\u2212=~\s]{0,12}(?:>|&gt;|[\u2190-\u21ff\u2794-\u27bf\u203a\u00bb])[>\s]{0,6})"
_PLAIN = rf"\s*[{_SIGN}][{_SIGN}\s]{{0,12}}"
_POINTED_LINE: Final = re.compile(rf"[\[(]?{_CLOCK}{_POINTED}{_CLOCK}([\])]?)(.*)$")
_PLAIN_LINE: Final = re.compile(rf"[\[(]?{_CLOCK}(?:{_PLAIN}|,){_CLOCK}([\])]?)(.*)$")
_OPEN_LINE: Final = re.compile(rf"{_CLOCK}{_POINTED}(.*)$")
_POINTS: Final = re.compile(rf"{_POINTED}")
_SOME_CLOCK: Final = re.compile(r"\d\s*[:.,]\s*\d")
_FULL_CLOCK: Final = re.compile(r"\d{1,3}\s*:\s*\d{1,2}\s*:\s*\d{1,2}(?:[.,:]\d{1,3})?\s*$")
_PARTS = 9  # groups of _CLOCK


class Times(msgspec.Struct, frozen=True):
    """When a cue is shown, in seconds; negative where the file says so. `end_s` is None where it cannot be read.

    `rest` is what stands behind the times: settings, or the text, where a program writes it in the same line.
    """

    start_s: float
    end_s: float | None
    rest: str


def times_of(line: str) -> Times | None:
    """The times in a line that holds a cue's; None for every other line.

    An arrow of any shape parts them. A dash or a comma does where both clocks are whole (hours, minutes, seconds), and
    nothing follows.
    """
    if len(line) > _LONGEST:
        return None
    line = _folded(line)
    if not _SOME_CLOCK.search(line):
        return None
    found = _POINTED_LINE.match(line)
    if found is None:
        found = _PLAIN_LINE.match(line)
        if found is not None and (
            not _is_whole(found, 1) or not _is_whole(found, 1 + _PARTS) or found[2 * _PARTS + 2].strip()
        ):
            found = None
    if found is not None:
        bracket, rest = found[2 * _PARTS + 1], found[2 * _PARTS + 2]
        if not rest or not rest[0].isdigit() or bracket:
            return Times(_seconds(found, 1), _seconds(found, 1 + _PARTS), rest.strip())
        return None
    found = _OPEN_LINE.match(line)
    if found is not None and _is_whole(found, 1) and not any(c.isalpha() for c in found[_PARTS + 1]):
        return Times(_seconds(found, 1), None, "")
    return None


def are_broken_times(line: str) -> bool:
    """Whether a line was meant to say when a cue is shown: an arrow beside something like a clock."""
    if len(line) > _LONGEST:
        return False
    line = _folded(line)
    return _POINTS.search(line) is not None and _SOME_CLOCK.search(line) is not None


def is_clock(line: str) -> bool:
    """Whether a line is one whole clock and nothing else: times of which the end is missing."""
    return len(line) <= 40 and _FULL_CLOCK.match(_folded(line)) is not None


def _folded(line: str) -> str:
    """Full-width digits and colons as plain ones; no invisible marks of direction."""
    if not line.isascii():
        line = "".join(c for c in unicodedata.normalize("NFKC", line) if unicodedata.category(c) != "Cf")
    return line.strip()


def _is_whole(found: re.Match[str], first: int) -> bool:
    return found[first + 1] is not None or found[first + 4] is not None


def _seconds(found: re.Match[str], first: int) -> float:
    sign, hours, minutes, seconds, dotted_hours, dotted_minutes, dotted_seconds, point, fraction = (
        found[n] for n in range(first, first + _PARTS)
    )
    if dotted_hours is not None:
        hours, minutes, seconds = dotted_hours, dotted_minutes, dotted_seconds
    numbers = [part or "0" for part in (hours, minutes, seconds, fraction)]
    negative = bool(sign) or any(not part[0].isdigit() for part in numbers)
    whole_hours, whole_minutes, whole_seconds, digits = (part if part[0].isdigit() else part[1:] for part in numbers)
    pictures = point == ":" and len(digits) == 2  # as editing programs count them
    part_s = int(digits) / (25 if int(digits) < 25 else 30) if pictures else float(f"0.{int(digits):0{len(digits)}}")
    value_s = int(whole_hours) * 3600 + int(whole_minutes) * 60 + int(whole_seconds) + part_s
    return -value_s if negative else value_s
