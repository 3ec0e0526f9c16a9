"""Money, percentages and units in words, and the noun that a number counts."""

from __future__ import annotations

import re
from functools import lru_cache

from app.dubbing.normalization.spelling import Figure, Speller, number_pattern
from app.dubbing.normalization.words import FEMININE, MASCULINE, Unit, Words

_RANGE = r"(?:\s?[\u2013\u2014]\s?|-)"
_SPACE = "[ \u00a0\u202f]?"


def money_said(text: str, words: Words, speller: Speller) -> str:
    """The text with its prices in words."""
    signs = _signs(words.currencies)
    if not any(sign in text for sign in words.currencies):
        return text
    amount = _amount(words)
    scale = rf"(?:\s(?P<scale>{_alternatives(words.magnitudes)})(?!\w))?" if words.magnitudes else "(?P<scale>(?!))?"
    glued = rf"(?:(?P<glued>{'|'.join(words.glued)})(?!\w))?" if words.glued else "(?P<glued>(?!))?"

    def said(found: re.Match[str]) -> str:
        unit = words.currencies[found["sign"]]
        return _price(
            found["a"], found["b"], words.glued.get(found["glued"] or "", found["scale"]), unit, words, speller
        )

    text = re.sub(rf"(?<!\w)(?P<sign>{signs}){_SPACE}{amount}{glued}(?!\w){scale}", said, text)
    return re.sub(rf"{amount}{glued}{scale}{_SPACE}(?P<sign>{signs})(?!\w)", said, text)


def _price(first: str, second: str | None, scale: str | None, unit: Unit, words: Words, speller: Speller) -> str:
    figure = Figure(second or first, words)
    if scale:
        number = _span(first, second, "", words, speller)
        return " ".join(part for part in (number, _scale(scale), words.of if scale != "mil" else "", unit.many) if part)
    if second is None and len(figure.fraction) == 2 and not figure.negative:
        part = int(figure.fraction)
        whole = f"{_counted(figure.whole, unit.gender, speller)} {unit.one if figure.whole == 1 else unit.many}"
        if not part:
            return whole
        hundredths = f"{_counted(part, MASCULINE, speller)} {unit.part[part != 1]}"
        if not figure.whole:
            return hundredths
        return words.cents.format(whole=whole, part=hundredths, number=speller.cardinal(part))
    return f"{_span(first, second, unit.gender, words, speller)} {unit.one if figure.is_one(words) else unit.many}"


def _scale(word: str) -> str:
    return {"Mio.": "Millionen", "Mrd.": "Milliarden"}.get(word, word)


def _counted(number: int, gender: str, speller: Speller) -> str:
    return speller.cardinal(number, gender if speller.language != "en" else "")


def measures_said(text: str, words: Words, speller: Speller) -> str:
    """The text with its percentages and units in words."""
    amount = _amount(words)
    text = re.sub(
        rf"{amount}{_SPACE}%",
        lambda found: f"{_span(found['a'], found['b'], '', words, speller)} {words.percent}",
        text,
    )

    def said(found: re.Match[str]) -> str:
        unit, last = words.units[found["unit"]], Figure(found["b"] or found["a"], words)
        name = unit.one if last.is_one(words) else unit.many
        return f"{_span(found['a'], found['b'], unit.gender, words, speller)} {name}"

    return re.sub(rf"{amount}{_SPACE}(?P<unit>{_signs(words.units)})(?![\w/²³])", said, text)


def _span(first: str, second: str | None, gender: str, words: Words, speller: Speller) -> str:
    """A number, or one to another."""
    gender = "" if speller.language == "en" else gender
    parts = [Figure(each, words) for each in (first, second) if each]
    if speller.language == "en" and len(parts) == 1 and parts[0].is_year:
        return speller.cardinal(parts[0].whole)  # 1500 km is no year
    return f" {words.to} ".join(part.said(words, speller, gender) for part in parts)


def numbers_said(text: str, words: Words, speller: Speller) -> str:
    """The text with the numbers that are left in words; they agree with a noun behind them, as far as it tells its
    gender."""

    def said(found: re.Match[str]) -> str:
        figures = [Figure(each, words) for each in (found["a"], found["b"]) if each]
        gender = _gender(figures[-1], found["noun"] or "", words)
        return f" {words.to} ".join(figure.said(words, speller, gender) for figure in figures)

    return re.sub(rf"{_amount(words)}(?!\w)(?=(?:\s(?P<noun>[^\W\d_]+))?)", said, text)


def _gender(figure: Figure, noun: str, words: Words) -> str:
    """The gender of a noun that is counted; "" where the word is none, or nothing is known."""
    if not noun or words.feminine is None or figure.is_year or figure.fraction or noun in words.stops:
        return ""
    if words.capital_nouns and noun[0].islower():
        return ""
    if figure.whole != 1 and not (words.plural_s and noun.endswith("s")):
        return ""
    if words.feminine.match(noun) and not (words.masculine and words.masculine.match(noun)):
        return FEMININE
    return MASCULINE


@lru_cache(maxsize=16)
def _amount_of(number: str) -> str:
    return rf"(?P<a>{number})(?:{_RANGE}(?P<b>{number})(?!-\d))?"


def _amount(words: Words) -> str:
    return _amount_of(number_pattern(words))


def _signs(units: dict[str, Unit]) -> str:
    return _alternatives("|".join(units))


def _alternatives(signs: str) -> str:
    return "|".join(re.escape(sign) for sign in sorted(signs.split("|"), key=len, reverse=True))
