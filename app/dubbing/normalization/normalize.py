"""Writes a line out for a voice, in its language: numbers, dates, times, money, units and abbreviations in words.

What is not understood stays as it is, so do Roman numerals, and words that hold digits ("MP3"). A language without
tables has its whole numbers spelled, one that the library does not know is left alone.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from app.domain.glossary import parted
from app.dubbing.normalization.abbreviations import short_forms_said
from app.dubbing.normalization.amounts import measures_said, money_said, numbers_said
from app.dubbing.normalization.dates import dates_said, times_said
from app.dubbing.normalization.ordinals import ordinals_said
from app.dubbing.normalization.spelling import Speller, speller_of
from app.dubbing.normalization.words import Words, names, words_of

# where words have no spaces, or numbers other forms than the library's rules give; their voices read digits themselves
_LEFT: Final = frozenset(names("ja zh yue ko th km lo my ar fa he hi ne ta"))
_WHOLE: Final = re.compile(r"(?<![\w.,:/\u2212-])\d{1,15}(?![\w:/-]|[.,]\d)")
_PHONE: Final = re.compile(
    r"(?<![\w.,:+-])(?<!\d[ \u00a0\u202f])(?:\+\d[\d ()/-]{6,}\d|\(\d{3}\) ?\d{3}-\d{4}"
    r"|\d{1,4}(?:-\d{1,4}){2,}|555-\d{4}|\d{3}-0\d{3}"
    r"|0\d{1,4}(?:[ /-]\d{2,})+|0\d{2,}|\d{16,})(?![\w-]|[.,:]\d)"
)
_POINTS: Final = re.compile(r"(?<![\w.,:])\d{1,5}(?:\.\d{1,5}){2,}(?![\w:]|[.,]\d)")
_SLASH: Final = re.compile(r"(?<![\w.,/])(\d+)/(\d+)(?![\w/]|[.,]\d)")
_FRACTIONS: Final = {"1/2": "½", "1/4": "¼", "3/4": "¾", "1/3": "⅓", "2/3": "⅔"}
_MIXED: Final = re.compile(r"(?P<whole>\d+\s?)?(?P<part>[½¼¾⅓⅔])")
_TIMES: Final = re.compile(r"(?<=\d)\s?[×x]\s?(?=\d)")
_RATIO: Final = re.compile(r"(?<=\d):(?=\d)")


def normalized(text: str, language: str | None, leave: Sequence[str] = ()) -> str:
    """The text as it is said in the language (ISO 639, None: nothing is changed). `leave` are words of it that stay as
    they are. The first line of a language reads its rules, which takes some 50 ms."""
    primary = (language or "").lower().replace("_", "-").partition("-")[0]
    if not primary or primary in _LEFT:
        return text
    if not leave:
        return _normalized(text, primary)
    return "".join(part if kept else _normalized(part, primary) for part, kept in parted(text, leave))


@lru_cache(maxsize=4096)
def _normalized(text: str, language: str) -> str:
    words, digits = words_of(language), any(map(str.isdecimal, text))
    if words is not None:
        text = short_forms_said(text, words)
        digits = digits or any(sign in text for sign in words.fractions)
    speller = speller_of(language) if digits else None
    if speller is None:
        return text
    if words is None:
        return _WHOLE.sub(lambda found: speller.cardinal(int(found[0])), text)
    text = dates_said(text, words, speller)
    text = _digits_said(text, words, speller)
    text = money_said(times_said(text, words, speller), words, speller)
    text = measures_said(ordinals_said(text, speller), words, speller)
    text = _fractions_said(text, words, speller)
    text = _TIMES.sub(f" {words.times} ", _RATIO.sub(f" {words.to} ", text))
    return numbers_said(text, words, speller)


def _digits_said(text: str, words: Words, speller: Speller) -> str:
    """Numbers that are names, such as a telephone's: digit by digit. "1.2.3" is said with its points."""

    def phone(found: re.Match[str]) -> str:
        groups = re.findall(r"\d+", found[0])
        said = ", ".join(map(speller.digits, groups))
        return f"{words.plus} {said}" if found[0].startswith("+") else said

    def points(found: re.Match[str]) -> str:
        if re.fullmatch(r"\d{1,3}(?:\.\d{3})+", found[0]) and "." in words.groups:
            return found[0]
        return f" {words.dot} ".join(speller.cardinal(int(part)) for part in found[0].split("."))

    return _PHONE.sub(phone, _POINTS.sub(points, text))


def _fractions_said(text: str, words: Words, speller: Speller) -> str:
    text = _SLASH.sub(lambda found: _FRACTIONS.get(found[0], f"{found[1]} {found[2]}"), text)

    def said(found: re.Match[str]) -> str:
        part = words.fractions[found["part"]]
        return f"{found['whole'].strip()} {words.joint} {part}" if found["whole"] else part

    return _MIXED.sub(said, text)
