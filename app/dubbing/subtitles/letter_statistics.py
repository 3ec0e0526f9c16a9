"""Scores how likely a text is in a language, from frequencies of letters and pairs of letters."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Final

TABLE: Final = Path(__file__).with_name("letter_statistics.txt")
LEVELS: Final = "abcdefghijklmnopqrstuvwxyz"

# Letters that old encodings write as one: Romanian's comma below as a cedilla, Persian's letters as the Arabic ones.
FOLDED: Final = {"ș": "ş", "ț": "ţ", "ی": "ي", "ک": "ك"}

UNKNOWN: Final = 13.0  # nats: a letter that the language does not have
_UNSEEN: Final = 4.0  # more than the letter alone costs: a pair that was not counted
_WRONG: Final = 13.0  # a control character, or a byte that is nothing
_QUOTES: Final = frozenset("«»“”„‘’‚‹›…–—¿¡·°€♪♫\u00a0\u00ad،؟؛「」『』。、！？・〜～（）《》　…─")  # noqa: RUF001
_QUOTE: Final = 4.5
_SYMBOL: Final = 8.0
_ACCENT: Final = 11.0  # one that stands for itself
_CASE: Final = 4.0  # a capital right after a small letter
_MARK: Final = 3.0  # a vowel or a tone that is no letter of its own: these were not counted
_FOREIGN: Final = 0.5  # more for English in a text of another script
_LATIN: Final = 7.0  # a language where an e costs less is written in Latin letters
_PLAIN: Final = frozenset(map(chr, (9, 10, 13, *range(32, 127))))
_INSIDE: Final = 3.0  # a symbol inside a word

Pairs = Mapping[tuple[str, str], float]


def level_of(nats: float) -> int:
    return min(max(round(2 * nats), 0), len(LEVELS) - 1)


@cache
def _tables() -> dict[str, tuple[dict[str, float], dict[str, float]]]:
    tables: dict[str, tuple[dict[str, float], dict[str, float]]] = {}
    for row in TABLE.read_text(encoding="utf-8").splitlines():
        if row.startswith("#"):
            continue
        language, kind, level, ngrams = row.split(" ", 3)
        size = int(kind)
        table = tables.setdefault(language, ({}, {}))[size - 1]
        for at in range(0, len(ngrams), size):
            table[ngrams[at : at + size]] = LEVELS.index(level) / 2
    return tables


def languages() -> tuple[str, ...]:
    """Those that are known, by ISO 639-1."""
    return tuple(_tables())


def is_letter(c: str) -> bool:
    return c.isalpha() or unicodedata.category(c) == "Mn"


def cost(pairs: Pairs, language: str) -> float:
    """How unlikely a text is in the language, in nats: the sum over its pairs of neighbouring characters. ASCII that is
    no letter costs nothing.

    Where another script than Latin is written, ASCII is English, which stands in such files too.
    """
    alone, after = _tables()[language]
    total = 0.0
    for (before, c), count in pairs.items():
        if c.isascii() and not c.isalpha() and c in _PLAIN:
            continue
        total += count * _cost(before, c, alone, after, language)
    return total


def _cost(before: str, c: str, alone: Mapping[str, float], after: Mapping[str, float], language: str) -> float:
    if not is_letter(c):
        if c in _QUOTES:
            return _QUOTE
        kind = unicodedata.category(c)
        nats = _WRONG if kind in ("Cc", "Co", "Cn", "Cs") or c == "\ufffd" else _ACCENT if kind == "Sk" else _SYMBOL
        return nats + _INSIDE if is_letter(before) else nats
    if c.isascii() and before.isascii() and not _is_latin(language):
        return _FOREIGN + _letter(before, c, *_tables()["en"])
    if not c.isalpha() and ord(c) >> 7 in _blocks(language):  # vowels and tones above and below the letters
        return _MARK
    nats = _letter(before, c, alone, after)
    if not (c.isascii() and before.isascii()):
        if before.islower() and c.isupper():
            nats += _CASE
        if not before.isascii() and not is_letter(before) and before not in _QUOTES:
            nats += _INSIDE
    return nats


def _letter(before: str, c: str, alone: Mapping[str, float], after: Mapping[str, float]) -> float:
    small = _small(c)
    inside = bool(after) and is_letter(before)
    found = after.get(_small(before) + small) if inside else None
    if found is not None:
        return found
    nats = alone.get(small, UNKNOWN if after else _rare(c))
    return min(nats + _UNSEEN, UNKNOWN) if inside and before.isalpha() else nats


@cache
def _is_latin(language: str) -> bool:
    return _tables()[language][0].get("e", UNKNOWN) < _LATIN


@cache
def _blocks(language: str) -> frozenset[int]:
    return frozenset(ord(letter) >> 7 for letter in _tables()[language][0] if not letter.isascii())


def _small(c: str) -> str:
    small = c.lower()
    return FOLDED.get(small, small) if len(small) == 1 else small[0]


def _rare(c: str) -> float:
    """A character that a language of thousands does not have among its usual ones: less strange where it is of the
    first 3755 or 5401 of the old standards, which are ordered by use."""
    for codec, first, last in (("gb2312", b"\xb0\xa1", b"\xd7\xf9"), ("big5", b"\xa4\x40", b"\xc6\x7e")):
        try:
            code = c.encode(codec)
        except UnicodeEncodeError:
            continue
        if first <= code <= last and len(code) == 2:
            return 9.0
    return UNKNOWN
