"""Spells numbers out by the rules of Unicode's CLDR, which the package unicode-rbnf reads and applies.

It is imported, and a language's rules are read, when a number of that language is first spelled.
"""

from __future__ import annotations

import importlib.util
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from app.dubbing.normalization.words import FEMININE, MASCULINE, NEUTER, Words

if TYPE_CHECKING:
    from unicode_rbnf import RbnfEngine

MOST_DIGITS: Final = 15  # of a number; a longer one is read digit by digit
_FIRST_YEAR: Final = 1100
_LAST_YEAR: Final = 2099
_YEARS: Final = ("de", "en")  # other languages say "one thousand nine hundred", whatever the rules have
_RULES: Final = {MASCULINE: "masculine", FEMININE: "feminine", NEUTER: "neuter"}


class Speller:
    """The numbers of one language (ISO 639-1)."""

    def __init__(self, language: str) -> None:
        self.language = language
        self._engine = _engine(language)

    def cardinal(self, number: int, gender: str = "") -> str:
        """In words; `gender` is that of what is counted, "" where nothing is."""
        return self._said(number, f"spellout-cardinal-{_RULES[gender]}" if gender else "spellout-numbering")

    def ordinal(self, number: int, form: str = "") -> str:
        """ "third"; `form` is the end of a rule's name: "feminine", "n" of German."""
        return self._said(number, f"spellout-ordinal-{form}" if form else "spellout-ordinal")

    def year(self, number: int) -> str:
        """As a year is read, where that is another way."""
        return self._said(number, "spellout-numbering-year" if self.language in _YEARS else "spellout-numbering")

    def digits(self, digits: str) -> str:
        """Digit by digit; what is no digit is a space."""
        return " ".join(self.cardinal(int(each)) for each in digits if each.isdecimal())

    def _said(self, number: int, rule: str) -> str:
        rules = self._engine.rulesets
        for name in (rule, rule.replace("neuter", "masculine"), "spellout-numbering", "spellout-cardinal"):
            if name in rules:
                return self._engine.format_number(number, ruleset_names=[name]).text
        return self._engine.format_number(number).text


class Figure:
    """A number as it is written, of a language with tables."""

    def __init__(self, text: str, words: Words) -> None:
        negative = text[:1] in ("-", "\u2212")
        text = text[1:] if negative else text
        self.negative = negative
        self.grouped = bool(
            re.fullmatch(rf"\d{{1,3}}(?:[{words.groups}]\d{{3}})+(?:{re.escape(words.decimal)}\d+)?", text)
        )
        if self.grouped:
            text = re.sub(f"[{words.groups}](?=\\d{{3}})", "", text)
        whole, _, self.fraction = text.replace(",", ".").partition(".")
        self.whole = int(whole)
        self.long = len(whole) > MOST_DIGITS

    @property
    def is_year(self) -> bool:
        """Whether it may be one: four digits, without a sign between."""
        return not (self.grouped or self.fraction or self.negative) and _FIRST_YEAR <= self.whole <= _LAST_YEAR

    def is_one(self, words: Words) -> bool:
        """Whether what it counts is in the singular."""
        if words.singular_below_2:
            return self.whole < 2
        return self.whole == 1 and not self.fraction

    def said(self, words: Words, speller: Speller, gender: str = "") -> str:
        """In words, after which stands something of this gender ("": nothing that is counted)."""
        if self.long:
            said = speller.digits(str(self.whole))
        elif self.is_year and not gender:
            said = speller.year(self.whole)
        else:
            said = speller.cardinal(self.whole, "" if self.fraction else gender)
        if self.fraction:
            said = f"{said} {words.point} {speller.digits(self.fraction)}"
        return f"{words.minus} {said}" if self.negative else said


def number_pattern(words: Words) -> str:
    """A regular expression for a number, with neither a letter nor a digit before it."""
    grouped = rf"\d{{1,3}}(?:[{words.groups}]\d{{3}})+(?!\d)"
    other = "," if words.decimal == "." else r"\."
    # a point in a language that writes commas is a decimal one too, where it can be no thousands'
    fraction = rf"{re.escape(words.decimal)}\d+" + (rf"|{other}\d{{1,2}}(?!\d)" if words.decimal == "," else "")
    return rf"(?:(?<![\w\u2212])[\u2212]|(?<![\w.,:/-])-)?(?<![^\W_])(?<!\d[.,])(?:{grouped}|\d+)(?:{fraction})?"


@lru_cache(maxsize=16)
def speller_of(language: str) -> Speller | None:
    """Of a language (ISO 639-1) whose numbers are known; None of another, and where the package is not installed."""
    if importlib.util.find_spec("unicode_rbnf") is None:
        return None
    from unicode_rbnf import RbnfEngine

    return Speller(language) if language in RbnfEngine.get_supported_languages() else None


def _engine(language: str) -> RbnfEngine:
    from unicode_rbnf import RbnfEngine

    return RbnfEngine.for_language(language)
