"""ASS and SSA -> what is spoken, and when. Styles, positions, drawings, fonts and pictures inside are not read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from app.domain.errors import SUBTITLES_INVALID, DubError
from app.domain.media import MAX_TEXT_CHARACTERS
from app.dubbing.cues import Cue

# The fields of a line where the file does not name them: http://www.tcax.org/docs/ass-specs.htm, section 10
_FIELDS: Final = ("layer", "start", "end", "style", "name", "marginl", "marginr", "marginv", "effect", "text")
_FIRST: Final = re.compile(r"\[\s*(?:script info|v4\+?\+? styles|events)\s*\]\s*$", re.I)
_SECTION: Final = re.compile(r"\[[^\[\]]{1,40}\]$")
_CLOCK: Final = re.compile(r"(\d{1,3})\s*:\s*(\d{1,2})\s*:\s*(\d{1,2})(?:\s*[.:,]\s*(\d{1,3}))?$")
# An escaped brace, a block of overrides or a comment, an escape, or a piece of text. A brace that never closes is text.
_PIECE: Final = re.compile(r"\\[{}]|\\\u2060|\{[^{}]*\}|\\[Nnh]|[^\\{]+|.", re.S)
_DRAWING: Final = re.compile(r"\\p\s*(\d+)")
_BREAKS: Final = {r"\N": "\n", r"\n": "\n", r"\h": "\u00a0", r"\{": "{", r"\}": "}", "\\\u2060": "\\"}
_MAX_TIME_S: Final = 100 * 3600.0


def is_ass(lines: Sequence[str]) -> bool:
    """True when the first line that says something opens a section of an ASS or SSA file."""
    first = next((line.strip() for line in lines[:200] if line.strip() and not line.lstrip().startswith((";", "!:"))), "")
    return _FIRST.match(first) is not None


def cues(lines: Sequence[str]) -> Iterator[Cue]:
    """The dialogue, in the file's order, without what is written twice (glow and shadow are drawn by copies of a line).

    Raises SUBTITLES_INVALID, which names the line.
    """
    in_events = False
    fields: tuple[str, ...] = _FIELDS
    seen: set[Cue] = set()
    for number, line in enumerate(lines, 1):
        if _SECTION.match(line.strip()):
            in_events = line.strip()[1:-1].strip().lower() == "events"
        if not in_events:
            continue
        kind, _, rest = line.partition(":")
        match kind.strip().lower():
            case "format":
                fields = _fields(rest, number)
            case "dialogue":
                cue = _dialogue(rest, fields, number)
                if cue is not None and cue not in seen:
                    seen.add(cue)
                    yield cue


def _fields(text: str, number: int) -> tuple[str, ...]:
    fields = tuple(field.strip().lower() for field in text.split(","))
    if not {"start", "end", "text"} <= set(fields) or fields[-1] != "text":
        raise DubError(SUBTITLES_INVALID, f"Line {number}: the format must name Start, End and, last, Text.")
    return fields


def _dialogue(text: str, fields: tuple[str, ...], number: int) -> Cue | None:
    values = text.split(",", len(fields) - 1)
    if len(values) < len(fields):
        raise DubError(SUBTITLES_INVALID, f"Line {number}: it has {len(values)} of {len(fields)} fields.")
    start_s = _seconds(values[fields.index("start")], number)
    end_s = _seconds(values[fields.index("end")], number)
    if end_s < start_s:
        raise DubError(SUBTITLES_INVALID, f"Line {number}: the cue ends before it starts.")
    if end_s > _MAX_TIME_S:
        raise DubError(SUBTITLES_INVALID, f"Line {number}: the cue is later than {_MAX_TIME_S / 3600:.0f} hours.")
    spoken = plain(values[-1])
    if len(spoken) > MAX_TEXT_CHARACTERS:
        raise DubError(SUBTITLES_INVALID, f"Line {number}: the cue has more than {MAX_TEXT_CHARACTERS} characters.")
    return Cue(start_s, end_s, spoken) if spoken and end_s > start_s else None


def _seconds(text: str, number: int) -> float:
    found = _CLOCK.match(text.strip())
    if found is None:
        raise DubError(SUBTITLES_INVALID, f"Line {number}: the times cannot be read.")
    hours, minutes, seconds, fraction = found.groups()
    return int(hours) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction or 0}")


def plain(text: str) -> str:
    """What a line says: no overrides, no comments, no drawings (vectors behind `\\p1`), no control characters."""
    said, drawing = [], False
    for piece in _PIECE.findall(text):
        if piece.startswith("{") and piece.endswith("}") and len(piece) > 1:
            for scale in _DRAWING.findall(piece):
                drawing = int(scale[:4]) != 0
        elif not drawing:
            said.append(_BREAKS.get(piece, piece))
    lines = ("".join(c for c in line if c.isprintable() or c in "\u200c\u200d\u200e\u200f\u00a0\u00ad").strip() for line in "".join(said).split("\n"))
    return "\n".join(line for line in lines if line)
