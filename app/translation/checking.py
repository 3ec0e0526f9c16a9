"""What is wrong with a translated line, and which of its wordings is spoken in the line's time."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Sequence
from typing import Final

from app.domain.glossary import Term, within

# Characters that a voice speaks in a second at its natural pace: dictation rates, rounded. Others are taken as 14.5.
_RATES: Final = {"en": 15.5, "es": 16.0, "fr": 16.0, "de": 15.0, "it": 15.5, "pt": 15.5, "nl": 15.0, "pl": 14.5}
_DENSE_RATES: Final = {"ja": 7.5, "zh": 4.7, "ko": 6.5}
_RATE: Final = 14.5
SLOWEST: Final = 0.9  # of natural pace
FASTEST: Final = 1.2

_NAME: Final = re.compile(r"(?<=[\w,;] )[A-Z\u00c0-\u00de][a-z\u00df-\u00ff]{2,}")  # not at a sentence's beginning
_NO_NAMES: Final = frozenset(  # English writes these with a capital, other languages do not, or in their own words
    [
        "Monday",
        "Tuesday",
        "Wednesday",
        "Thursday",
        "Friday",
        "Saturday",
        "Sunday",
        "January",
        "February",
        "March",
        "April",
        "May",
        "June",
        "July",
        "August",
        "September",
        "October",
        "November",
        "December",
        "English",
        "French",
        "German",
        "Spanish",
        "Italian",
        "God",
        "Mister",
        "Miss",
        "Mum",
        "Dad",
        "Mom",
        "Sir",
    ]
)
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
    return nearest(wordings, lambda text: pace(text, most_characters))


def nearest(wordings: Sequence[str], pace_of: Callable[[str], float]) -> str:
    """As `best`, by the paces that are foreseen."""

    def away(text: str) -> float:
        found = pace_of(text)
        return max(0.0, found - FASTEST, SLOWEST - found)

    return min(wordings, key=away)


def fault(source: str, text: str, source_language: str | None, target: str, terms: Sequence[Term] = ()) -> str:
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
    if missing := next((each for each in terms if within(each.term, source) and not _has(each, text)), None):
        return f"The glossary's term “{missing.term}” is lost; write “{missing.wanted}”."
    return ""


def _has(term: Term, text: str) -> bool:
    """Whether what is wanted is there: a term that is kept as it is written, a translation in any inflection that keeps
    the beginnings of its words."""
    if term.keep:
        return within(term.wanted, text)
    there = text.casefold()
    return all(word[: max(4, len(word) - 2)] in there for word in term.wanted.casefold().split())


def name_lost(source: str, text: str, source_language: str | None) -> str:
    """A name of the source that is nowhere in the translation, "" without. Names are words with a capital inside a
    sentence; only their beginnings are compared, as Londres is London. German writes every noun so: it is not
    looked at, nor is a translation in other letters."""
    if (source_language or "").partition("-")[0].lower() in ("", "de", "lb") or not _latin(text):
        return ""
    there = _plain_letters(text)
    names = (found[0] for found in _NAME.finditer(source) if found[0] not in _NO_NAMES)
    return next((name for name in names if _plain_letters(name)[:3] not in there), "")


def _latin(text: str) -> bool:
    letters = [character for character in text if character.isalpha()]
    return bool(letters) and all(character < "\u0250" for character in letters)


def _plain_letters(text: str) -> str:
    """In small letters without accents."""
    split = unicodedata.normalize("NFKD", text.casefold())
    return "".join(character for character in split if not unicodedata.combining(character))


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
