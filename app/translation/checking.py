"""What is wrong with a translated line, and which of its wordings is spoken in the line's time."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Final

# Characters that a voice speaks in a second at its natural pace: dictation rates, rounded. Others are taken as 14.5.
_RATES: Final = {"en": 15.5, "es": 16.0, "fr": 16.0, "de": 15.0, "it": 15.5, "pt": 15.5, "nl": 15.0, "pl": 14.5}
_DENSE_RATES: Final = {"ja": 7.5, "zh": 4.7, "ko": 6.5}
_RATE: Final = 14.5
SLOWEST: Final = 0.9  # of natural pace
FASTEST: Final = 1.2

_DIGITS: Final = re.compile(r"\d+")
_GROUPED: Final = re.compile(r"(?<=\d)[.,' \u00a0\u202f](?=\d{3}(?!\d))")
_NOTE: Final = re.compile(r"\s*[(\[]?\s*(note|translation|translated|here is|here's)\b.{0,40}:", re.IGNORECASE)
_NEGATIONS: Final = {
    "en": r"\b(not|no|never|nobody|nothing|none|cannot|nor|neither)\b|n['\u2019]t\b",
    "es": r"\b(no|nunca|jamás|nadie|nada|ningun[oa]?|ningún|ni|tampoco)\b",
    "fr": r"\b(ne|pas|jamais|rien|personne|aucune?|non|ni)\b|\bn['\u2019]",
    "de": r"\b(nicht|kein\w*|nie|niemals|niemand|nichts|nein|weder)\b",
    "it": r"\b(non|no|mai|nessun\w*|niente|nulla|né|neanche)\b",
    "pt": r"\b(não|nunca|jamais|ninguém|nada|nenhum\w*|nem)\b",
}
_TAG: Final = re.compile(r",\s*¿?\s*(no|não|nicht|non|isn['\u2019]t it)\s*\?", re.IGNORECASE)  # asks for a yes
_PLAIN_NEGATION: Final = {
    "en": r"\b(not|never|nobody|nothing|cannot)\b|n['\u2019]t\b(?!\s+(you|we|they|it|he|she|i)\b[^.]*\?)",
}


def budget(duration_s: float, language: str, speed: float = 1.0) -> int:
    """How many characters are spoken in this time at a natural pace."""
    return max(4, round(duration_s * rate(language) * speed))


def rate(language: str) -> float:
    """Characters in a second."""
    primary = language.partition("-")[0].lower()
    return _DENSE_RATES.get(primary) or _RATES.get(primary, _RATE)


def pace(text: str, most_characters: int) -> float:
    """How many times faster than natural the text has to be spoken."""
    return len(text) / most_characters


def best(wordings: Sequence[str], most_characters: int) -> str:
    """The wording that is nearest to a natural pace; of several that are, the first."""

    def away(text: str) -> float:
        found = pace(text, most_characters)
        return max(0.0, found - FASTEST, SLOWEST - found)

    return min(wordings, key=away)


def fault(source: str, text: str, source_language: str | None, target: str) -> str:
    """Why this cannot be the line's translation, for the translator to read; "" where it can."""
    if not text.strip():
        return "It is empty."
    if "\n" in text.strip() or "\r" in text.strip():
        return "It has more than one line."
    if any(unicodedata.category(character) in ("Cc", "Cs") for character in text.strip()):
        return "It has control characters."
    if _NOTE.match(text) and not _NOTE.match(source):
        return "It has a comment; give the translation only."
    if len(text) > 4 * len(source) + 60:
        return "It is far too long; give the translation only."
    if _same(source, text):
        return "It is not translated."
    if lost := sorted(_numbers(source) - _numbers(text)):
        return f"The number {lost[0]} is lost; write it in digits."
    if negation_lost(source, text, source_language, target):
        return "A negation is lost."
    return ""


def negation_lost(source: str, text: str, source_language: str | None, target: str) -> bool:
    """Whether the source denies something plainly and the translation denies nothing. Only for languages whose words of
    denial are known."""
    of, to = (source_language or "").partition("-")[0].lower(), target.partition("-")[0].lower()
    if of not in _NEGATIONS or to not in _NEGATIONS:
        return False
    plain = _PLAIN_NEGATION.get(of, _NEGATIONS[of])
    source = _TAG.sub("", source)
    return bool(re.search(plain, source, re.IGNORECASE)) and not re.search(_NEGATIONS[to], text, re.IGNORECASE)


def _same(source: str, text: str) -> bool:
    """Names and single words may stay as they are; a sentence may not."""
    words = _words(source)
    return len(words) >= 3 and words == _words(text)


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", unicodedata.normalize("NFKC", text).casefold())


def _numbers(text: str) -> set[str]:
    """Numbers of two digits and more; a single one may well be written as a word."""
    return {number for number in _DIGITS.findall(_GROUPED.sub("", text)) if len(number) > 1}
