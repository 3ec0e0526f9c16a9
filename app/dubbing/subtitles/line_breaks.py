"""Breaks subtitle text into rows of at most 42 columns: two rows if they suffice, else several subtitles."""

from __future__ import annotations

import functools
import itertools
import re
import unicodedata
from typing import Final

LINE_CHARACTERS: Final = 42  # the usual limit of broadcasters and streaming services
# Latin, Chinese and Japanese, Arabic, Hindi, Armenian
_SENTENCE_ENDS: Final = tuple(".!?\u2026\u3002\uff01\uff1f\u061f\u0964\u0589")
_PAUSES: Final = tuple(",;:\u2013\u2014\u3001\uff0c\uff1b\uff1a\u060c\u061b")
_CLOSING: Final = "\"'\u201d\u2019\u00bb)\u300d\u300f"
# What a subtitle costs, and what it costs more when it ends within a sentence or within a phrase; a subtitle as long as
# two lines costs up to 1 for being longer or shorter than its brothers. The fewest win, then the better places to part,
# then the most even ones.
_PART, _IN_SENTENCE, _IN_PHRASE = 10.0, 0.5, 1.0
_AFTER_PAUSE, _AFTER_SENTENCE = 8, 14  # how many columns of difference between two lines a break there is worth


def break_lines(text: str, limit: int = LINE_CHARACTERS) -> list[str]:
    """`text` in lines of at most `limit` columns, two whenever they suffice, of similar length; breaks that do not fit
    are dropped.

    Chinese, Japanese and Korean characters count twice and may be parted anywhere; other words are parted only when one
    alone is too long.
    """
    given = [line for line in (" ".join(part.split()) for part in text.split("\n")) if line]
    if len(given) <= 2 and all(columns(line) <= limit for line in given):
        return given
    atoms = _atoms(" ".join(given), limit)
    total = columns("".join(atoms))
    if total <= limit:
        return ["".join(atoms).strip()]
    if total <= 2 * limit and (halves := _halves(atoms, limit)):
        return halves
    lines, line = [], ""
    for atom in atoms:
        if line and columns(line + atom.rstrip()) > limit:
            lines.append(line.strip())
            line = ""
        line += atom
    return [*lines, line.strip()] if line.strip() else lines


def parts(text: str, limit: int = LINE_CHARACTERS) -> list[str]:
    """`text` in the fewest pieces that `break_lines` shows in two lines each, parted where sentences or phrases end if
    that can be.

    Nothing but white space is lost. Time grows with the length alone.
    """
    if len(break_lines(text, limit)) <= 2:
        return [text]
    atoms = _atoms(" ".join(text.split()), limit)
    widths = [columns(atom) for atom in atoms]
    bare = [columns(atom.rstrip()) for atom in atoms]
    line_end = _line_ends(widths, bare, limit)  # one line from this atom holds the atoms before this one
    even = sum(widths) / max(1, -(-sum(widths) // (2 * limit)))
    before = [0, *itertools.accumulate(widths)]
    cost = [0.0] + [float("inf")] * len(atoms)
    came_from = [0] * (len(atoms) + 1)
    for start in range(len(atoms)):
        for end in range(start + 1, line_end[line_end[start]] + 1):
            uneven = (before[end] - before[start] - even) / (2 * limit)
            price = cost[start] + _PART + uneven * uneven + (_parting(atoms[end - 1]) if end < len(atoms) else 0.0)
            if price < cost[end]:
                cost[end], came_from[end] = price, start
    ends = [len(atoms)]
    while ends[-1]:
        ends.append(came_from[ends[-1]])
    return ["".join(atoms[start:end]).strip() for start, end in itertools.pairwise(reversed(ends))]


def _line_ends(widths: list[int], bare: list[int], limit: int) -> list[int]:
    ends, end, width = [], 0, 0
    for start in range(len(widths)):
        if end <= start:
            end, width = start + 1, widths[start]
        while end < len(widths) and width + bare[end] <= limit:
            width += widths[end]
            end += 1
        ends.append(end)
        width -= widths[start]
    return [*ends, len(widths)]


def _parting(last: str) -> float:
    """What it costs to end a subtitle after this atom."""
    word = last.rstrip().rstrip(_CLOSING)
    return 0.0 if word.endswith(_SENTENCE_ENDS) else _IN_SENTENCE if word.endswith(_PAUSES) else _IN_PHRASE


def _halves(atoms: list[str], limit: int) -> list[str] | None:
    best: tuple[float, list[str]] | None = None
    for at in range(1, len(atoms)):
        first, second = "".join(atoms[:at]).strip(), "".join(atoms[at:]).strip()
        width, other = columns(first), columns(second)
        if not first or not second or max(width, other) > limit:
            continue
        price = _parting(first)
        cost = abs(width - other) - (_AFTER_SENTENCE if price == 0 else _AFTER_PAUSE if price == _IN_SENTENCE else 0)
        if best is None or cost < best[0]:
            best = (cost, [first, second])
    return best[1] if best else None


def _atoms(text: str, limit: int) -> list[str]:
    """The smallest pieces between which a line may break: words with their space, single wide characters, pieces of an
    endless word."""
    atoms: list[str] = []
    for word in re.findall(r"\S+\s?", text):
        if word.isascii() and len(word) <= limit:
            atoms.append(word)
            continue
        piece = ""
        for character in word:
            wide = _is_wide(character)
            if (
                piece
                and not _stays(character)
                and ((wide or _is_wide(piece[-1])) or columns(piece + character) > limit)
                and character != " "
            ):
                atoms.append(piece)
                piece = ""
            piece += character
        atoms.append(piece)
    return atoms


def _stays(character: str) -> bool:
    """No line begins with it: closing marks, and the kana that belong to the sound before them."""
    return unicodedata.category(character) in ("Pe", "Pf", "Po", "Mn") or character in "ー々っゃゅょッャュョ"


def columns(text: str) -> int:
    """How wide the text is in columns; combining marks have no width."""
    return len(text) if text.isascii() else sum(map(_width, text))


@functools.lru_cache(maxsize=1 << 16)
def _width(character: str) -> int:
    if unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if _is_wide(character) else 1


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in ("W", "F")
