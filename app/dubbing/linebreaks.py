"""Subtitle text in lines that can be read: at most 42 columns, two lines when they suffice."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

LINE_CHARACTERS: Final = 42  # the usual limit of broadcasters and streaming services
_AFTER_PUNCTUATION: Final = 8  # how many columns of difference a break after a comma is worth


def break_lines(text: str, limit: int = LINE_CHARACTERS) -> list[str]:
    """`text` in lines of at most `limit` columns, two whenever they suffice, of similar length; breaks that do not fit are dropped.

    Chinese, Japanese and Korean characters count twice and may be parted anywhere; other words are parted only when one alone is too long.
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


def _halves(atoms: list[str], limit: int) -> list[str] | None:
    best: tuple[float, list[str]] | None = None
    for at in range(1, len(atoms)):
        first, second = "".join(atoms[:at]).strip(), "".join(atoms[at:]).strip()
        width, other = columns(first), columns(second)
        if not first or not second or max(width, other) > limit:
            continue
        cost = abs(width - other) - (_AFTER_PUNCTUATION if unicodedata.category(first[-1]) == "Po" else 0)
        if best is None or cost < best[0]:
            best = (cost, [first, second])
    return best[1] if best else None


def _atoms(text: str, limit: int) -> list[str]:
    """The smallest pieces between which a line may break: words with their space, single wide characters, pieces of an endless word."""
    atoms: list[str] = []
    for word in re.findall(r"\S+\s?", text):
        piece = ""
        for character in word:
            wide = _is_wide(character)
            if piece and not _stays(character) and ((wide or _is_wide(piece[-1])) or columns(piece + character) > limit) and character != " ":
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
    return sum(0 if unicodedata.category(c) in ("Mn", "Me", "Cf") else 2 if _is_wide(c) else 1 for c in text)


def _is_wide(character: str) -> bool:
    return unicodedata.east_asian_width(character) in ("W", "F")
