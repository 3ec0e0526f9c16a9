"""Ordinal numbers and decades in words."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from app.dubbing.normalization.spelling import MOST_DIGITS, Speller
from app.dubbing.normalization.words import names

# German: an article or preposition before it tells that "3." is no end of a sentence, and which form it takes
_GERMAN: Final = re.compile(
    r"\b(?P<before>der|die|das|dem|den|des|im|am|zum|zur|vom|beim|jede[rsnm]?) (?P<n>\d{1,4})\. ?(?=[^\W\d_])",
    re.IGNORECASE,
)
_GERMAN_E: Final = frozenset(names("der die das jeder jede jedes"))
_SIGNED: Final = re.compile(r"(?<![\w.,])(\d{1,4})\.?([ºª])(?!\s?[CF]\b)")
_SPANISH: Final = re.compile(r"(?<![\w.,])(\d{0,3}[13])\.?er\b")
_FRENCH: Final = re.compile(r"(?<![\w.,])(\d{1,4})(ers?|è?res?|èmes?|es?|nde?s?)(?!\w)")
_ENGLISH: Final = re.compile(r"(?<![\w.])(\d[\d,]*)(?:st|nd|rd|th)\b")
_ENGLISH_DECADE: Final = re.compile(r"(?<![\w.,])['’]?(\d{2}|\d{4})(?<=0)(?:['’]?s)\b")
_GERMAN_DECADE: Final = re.compile(r"(?<![\w.,])['’]?(\d{2}|\d{4})(?<=0)er(n?)\b")


def ordinals_said(text: str, speller: Speller) -> str:
    """The text with its ordinals and decades in words, of a language with tables."""
    return _OF[speller.language](text, speller)


def _english(text: str, speller: Speller) -> str:
    def ordinal(found: re.Match[str]) -> str:
        digits = found[1].replace(",", "")
        return speller.ordinal(int(digits)) if len(digits) <= MOST_DIGITS else found[0]

    def decade(found: re.Match[str]) -> str:
        number = int(found[1])
        said = speller.year(number) if number >= 1000 else speller.cardinal(number)
        return f"{said[:-1]}ies" if said.endswith("y") else f"{said}s"

    return _ENGLISH.sub(ordinal, _ENGLISH_DECADE.sub(decade, text))


def _german(text: str, speller: Speller) -> str:
    def ordinal(found: re.Match[str]) -> str:
        form = "" if found["before"].lower() in _GERMAN_E else "n"
        return f"{found['before']} {speller.ordinal(int(found['n']), form)} "

    text = _GERMAN_DECADE.sub(lambda found: f"{speller.year(int(found[1]))}er{found[2]}", text)
    return _GERMAN.sub(ordinal, text)


def _signed(text: str, speller: Speller) -> str:
    """The little letters of the Romance languages."""
    return _SIGNED.sub(
        lambda found: speller.ordinal(int(found[1]), "feminine" if found[2] == "ª" else "masculine"), text
    )


def _spanish(text: str, speller: Speller) -> str:
    return _signed(_SPANISH.sub(lambda found: speller.ordinal(int(found[1]), "masculine-adjective"), text), speller)


def _french(text: str, speller: Speller) -> str:
    def ordinal(found: re.Match[str]) -> str:
        number, end = int(found[1]), found[2]
        if end.startswith("nd"):
            return f"second{end[2:]}" if number == 2 else found[0]
        if (number == 1) != (end.startswith(("er", "re", "ère")) and end != "es"):
            return found[0]
        said = speller.ordinal(number, "masculine" if end.startswith("er") else "feminine")
        return f"{said}s" if end.endswith("s") else said

    return _FRENCH.sub(ordinal, text)


_OF: Final[dict[str, Callable[[str, Speller], str]]] = {
    "en": _english,
    "de": _german,
    "es": _spanish,
    "fr": _french,
    "it": _signed,
    "pt": _signed,
}
