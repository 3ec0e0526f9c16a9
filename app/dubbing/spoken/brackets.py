"""Finds text in brackets of any script. Quotation marks are not brackets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from app.dubbing.spoken.unspeakable import Span

_BRACKETS: Final = {
    "[": "]",
    "(": ")",
    "{": "}",
    "（": "）",
    "［": "］",
    "｛": "｝",
    "【": "】",
    "〔": "〕",
    "﹝": "﹞",
}  # not « », 《 》, 「 」: words are in those
_CLOSERS: Final = frozenset(_BRACKETS.values())


def half_open(text: str) -> tuple[tuple[str, int] | None, tuple[str, int] | None]:
    """A bracket that opens and does not close in this text, and one that closes without having been opened, each with
    its place. Both are named by the closing half.
    """
    open_: list[tuple[str, int]] = []
    closing = None
    for at, character in enumerate(text):
        if character in _BRACKETS:
            open_.append((_BRACKETS[character], at))
        elif character in _CLOSERS:
            while open_ and open_[-1][0] != character:
                open_.pop()
            if open_:
                open_.pop()
            elif closing is None:
                closing = character, at
    return open_[0] if open_ else None, closing


def bracketed(text: str) -> Iterator[Span]:
    """Outermost pairs of brackets, over lines too. One without its other half is none."""
    open_: list[tuple[str, int]] = []
    found: list[Span] = []
    for at, character in enumerate(text):
        if character in _BRACKETS:
            open_.append((_BRACKETS[character], at))
        elif character in _CLOSERS and any(closer == character for closer, _ in open_):
            while open_[-1][0] != character:
                open_.pop()
            start = open_.pop()[1]
            found = [span for span in found if span[0] < start]
            found.append((start, at + 1))
    return iter(found)
