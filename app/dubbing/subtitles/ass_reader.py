"""ASS and SSA -> what is spoken, and when. Styles, positions, drawings, fonts and pictures inside are not read."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from app.dubbing.subtitles.cue_repair import FileFaults, RawCue

# The fields of a line where the file does not name them: http://www.tcax.org/docs/ass-specs.htm, section 10
_FIELDS: Final = ("layer", "start", "end", "style", "name", "marginl", "marginr", "marginv", "effect", "text")
_FIRST: Final = re.compile(r"\[\s*(?:script info|v4\+?\+? styles|events)\s*\]\s*$", re.I)
_SECTION: Final = re.compile(r"\[[^\[\]]{1,40}\]$")
_CLOCK: Final = re.compile(r"(-?)(\d{1,3})\s*:\s*(\d{1,2})\s*:\s*(\d{1,2})(?:\s*[.:,]\s*(\d{1,3}))?$")
# An escaped brace, a block of overrides or a comment, an escape, or a piece of text. A brace that never closes is text.
_PIECE: Final = re.compile(r"\\[{}]|\\\u2060|\{[^{}]*\}|\\[Nnh]|[^\\{]+|.", re.S)
_DRAWING: Final = re.compile(r"\\p\s*(\d+)")
_BREAKS: Final = {r"\N": "\n", r"\n": "\n", r"\h": "\u00a0", r"\{": "{", r"\}": "}", "\\\u2060": "\\"}


def is_ass(lines: Sequence[str]) -> bool:
    """True when the first line that says something opens a section of an ASS or SSA file."""
    first = next(
        (line.strip() for line in lines[:200] if line.strip() and not line.lstrip().startswith((";", "!:"))), ""
    )
    return _FIRST.match(first) is not None


def cues(lines: Sequence[str], notes: FileFaults) -> Iterator[RawCue]:
    """The dialogue, in the file's order, without what is written twice (glow and shadow are drawn by copies of a
    line)."""
    in_events = False
    fields: tuple[str, ...] = _FIELDS
    seen: set[tuple[float, float, str]] = set()
    for number, line in enumerate(lines, 1):
        if _SECTION.match(line.strip()):
            in_events = line.strip()[1:-1].strip().lower() == "events"
        if not in_events:
            continue
        kind, _, rest = line.partition(":")
        match kind.strip().lower():
            case "format":
                fields = _fields(rest, number, notes) or fields
            case "dialogue":
                raw = _dialogue(rest, fields, number, notes)
                if raw is not None and (raw.start_s, raw.end_s or 0.0, raw.text) not in seen:
                    seen.add((raw.start_s, raw.end_s or 0.0, raw.text))
                    yield raw


def _fields(text: str, number: int, notes: FileFaults) -> tuple[str, ...] | None:
    fields = tuple(field.strip().lower() for field in text.split(","))
    if {"start", "end", "text"} <= set(fields) and fields[-1] == "text":
        return fields
    notes.repaired(number, "the format must name Start, End and, last, Text", "the usual fields are taken")
    return None


def _dialogue(text: str, fields: tuple[str, ...], number: int, notes: FileFaults) -> RawCue | None:
    values = text.split(",", len(fields) - 1)
    if len(values) < len(fields):
        notes.left_out(number, f"it has {len(values)} of {len(fields)} fields")
        return None
    start_s, end_s = _seconds(values[fields.index("start")]), _seconds(values[fields.index("end")])
    if start_s is None:
        notes.left_out(number, "the times cannot be read")
        return None
    if end_s == start_s:  # notes of those who made the file
        notes.empty += 1
        return None
    speaker = " ".join(values[fields.index("name")].split()) if "name" in fields else ""
    return RawCue(number, start_s, end_s, plain(values[-1]), speaker)


def _seconds(text: str) -> float | None:
    found = _CLOCK.match(text.strip())
    if found is None:
        return None
    sign, hours, minutes, seconds, fraction = found.groups()
    value_s = int(hours) * 3600 + int(minutes) * 60 + int(seconds) + float(f"0.{fraction or 0}")
    return -value_s if sign else value_s


def plain(text: str) -> str:
    """What a line says: no overrides, no comments, no drawings (vectors behind `\\p1`), no control characters."""
    said, drawing = [], False
    for piece in _PIECE.findall(text):
        if piece.startswith("{") and piece.endswith("}") and len(piece) > 1:
            for scale in _DRAWING.findall(piece):
                drawing = int(scale[:4]) != 0
        elif not drawing:
            said.append(_BREAKS.get(piece, piece))
    lines = (
        "".join(c for c in line if c.isprintable() or c in "\u200c\u200d\u200e\u200f\u00a0\u00ad").strip()
        for line in "".join(said).split("\n")
    )
    return "\n".join(line for line in lines if line)
