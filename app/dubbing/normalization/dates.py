"""Dates and times of day in words."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from app.dubbing.normalization.spelling import Speller
from app.dubbing.normalization.words import FEMININE, MASCULINE, Words, names

_ISO: Final = re.compile(r"(?<![\w-])(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])(?![\w-])")
_NUMERIC: Final = re.compile(r"(?<![\w./-])(\d{1,2})(?:\. |([./-]))(\d{1,2})(?:\. |\2)(\d{4})(?![\w/-]|\.\d)")
_TIME: Final = re.compile(
    r"(?<![\w:.,])([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?(?![\w:])(?P<mark>\s?(?:Uhr|hs?|horas?)\b)?"
)
_HALF_DAY: Final = re.compile(r"(?<![\w:.,])(1[0-2]|0?[1-9])(?::([0-5]\d))?\s?([ap])(?:\.\s?m\.|m\b\.?)", re.IGNORECASE)
_HOURS: Final = re.compile(r"(?<![\w:.,])([01]?\d|2[0-3])\s?h(?:\s?([0-5]\d))(?!\w)")
_GERMAN_DATIVE: Final = frozenset(names("am vom zum dem den beim bis seit ab des"))


def dates_said(text: str, words: Words, speller: Speller) -> str:
    """The text with its dates in words."""
    if not any(map(str.isdecimal, text)):
        return text

    def iso(found: re.Match[str]) -> str:
        return _date(found, int(found[3]), int(found[2]), int(found[1]), words, speller) or found[0]

    def numeric(found: re.Match[str]) -> str:
        first, second, year = int(found[1]), int(found[3]), int(found[4])
        american = speller.language == "en" and first <= 12
        day, month = (second, first) if american else (first, second)
        return _date(found, day, month, year, words, speller) or found[0]

    text = _NUMERIC.sub(numeric, _ISO.sub(iso, text))
    months = "|".join(sorted((*words.months, *(rf"{each}\b\.?" for each in words.short_months)), key=len, reverse=True))
    return _NAMED[speller.language](text, months, words, speller)


def _date(found: re.Match[str], day: int, month: int, year: int, words: Words, speller: Speller) -> str:
    if not (1 <= day <= 31 and 1 <= month <= 12):
        return ""
    name, said_year = words.months[month - 1], speller.year(year)
    match speller.language:
        case "en":
            return f"{name} {speller.ordinal(day)}, {said_year}"
        case "de":
            return f"{_german_day(found, day, speller)} {name} {said_year}"
        case "es" | "pt":
            return f"{_first(day, speller)} de {name} de {said_year}"
        case _:
            return f"{_first(day, speller)} {name} {said_year}"


def _first(day: int, speller: Speller) -> str:
    """The first of a month is an ordinal, the other days are none."""
    return speller.ordinal(1, "masculine") if day == 1 else speller.cardinal(day)


def _german_day(found: re.Match[str], day: int, speller: Speller) -> str:
    before = found.string[: found.start()].split()
    word = before[-1].lower() if before else ""
    form = "n" if word in _GERMAN_DATIVE else "" if word in ("der", "die", "das") else "r"
    return speller.ordinal(day, form)


def _full(month: str, words: Words) -> str:
    short = month.rstrip(".")
    return words.months[words.short_months.index(short)] if short in words.short_months else month


def _english(text: str, months: str, words: Words, speller: Speller) -> str:
    def year(found: str | None) -> str:
        return f", {speller.year(int(found))}" if found else ""

    def month_first(found: re.Match[str]) -> str:
        return f"{_full(found[1], words)} {speller.ordinal(int(found[2]))}{year(found[3])}"

    def day_first(found: re.Match[str]) -> str:
        return f"{speller.ordinal(int(found[1]))} of {_full(found[2], words)}{year(found[3])}"

    day = r"(0?[1-9]|[12]\d|3[01])"
    text = re.sub(rf"\b({months}) {day}(?:st|nd|rd|th)?\b(?![:.,]\d)(?:,? (\d{{4}})\b(?![:.,]\d))?", month_first, text)
    return re.sub(rf"(?<![\w.,:]){day}(?:st|nd|rd|th)? (?:of )?({months})(?!\w)(?:,? (\d{{4}})\b)?", day_first, text)


def _german(text: str, months: str, words: Words, speller: Speller) -> str:
    def said(found: re.Match[str]) -> str:
        year = f" {speller.year(int(found[3]))}" if found[3] else ""
        return f"{_german_day(found, int(found[1]), speller)} {_full(found[2], words)}{year}"

    return re.sub(rf"(?<![\w.,:])(\d{{1,2}})\. ?({months})(?!\w)(?: (\d{{4}})\b)?", said, text)


def _day_of(text: str, months: str, words: Words, speller: Speller) -> str:
    first = speller.ordinal(1, "masculine")
    return re.sub(rf"(?<![\w.,:])1(?:\.?º|°|er)? de ({months})(?!\w)", rf"{first} de \1", text, flags=re.IGNORECASE)


def _french(text: str, months: str, words: Words, speller: Speller) -> str:
    return re.sub(rf"(?<![\w.,:])1(?:er)? ({months})(?!\w)", r"premier \1", text, flags=re.IGNORECASE)


def _italian(text: str, months: str, words: Words, speller: Speller) -> str:
    text = re.sub(rf"\b(l|dell|all|nell)['’]1[°º]? ({months})(?!\w)", _italian_article, text, flags=re.IGNORECASE)
    return re.sub(rf"(?<![\w.,:])1[°º]? ({months})(?!\w)", r"primo \1", text, flags=re.IGNORECASE)


def _italian_article(found: re.Match[str]) -> str:
    article = {"l": "il", "dell": "del", "all": "al", "nell": "nel"}[found[1].lower()]
    return f"{article.capitalize() if found[1][0].isupper() else article} primo {found[2]}"


_NAMED: Final[dict[str, Callable[[str, str, Words, Speller], str]]] = {
    "en": _english,
    "de": _german,
    "es": _day_of,
    "pt": _day_of,
    "fr": _french,
    "it": _italian,
}


def times_said(text: str, words: Words, speller: Speller) -> str:
    """The text with its times of day in words."""
    if speller.language == "en":
        text = _HALF_DAY.sub(
            lambda found: f"{_english_time(int(found[1]), int(found[2] or 0), speller)} {found[3].lower()}.m.", text
        )
    if speller.language in ("fr", "pt"):
        text = _HOURS.sub(lambda found: _of_day(int(found[1]), int(found[2]), speller), text)

    def said(found: re.Match[str]) -> str:
        hour, minute = int(found[1]), int(found[2])
        if found[3] is not None:
            parts = ((hour, "h"), (minute, "min"), (int(found[3]), "s"))
            return " ".join(
                f"{speller.cardinal(n, words.units[unit].gender if speller.language != 'en' else '')} "
                f"{words.units[unit].one if n == 1 else words.units[unit].many}"
                for n, unit in parts
                if n
            )
        if speller.language == "en":
            if minute:
                return _english_time(hour, minute, speller)
            return f"{speller.cardinal(hour)} {'hundred' if hour > 12 else 'o’clock'}" if hour else "midnight"
        return _of_day(hour, minute, speller)

    return _TIME.sub(said, text)


def _english_time(hour: int, minute: int, speller: Speller) -> str:
    if not minute:
        return speller.cardinal(hour)
    return f"{speller.cardinal(hour)} {'oh ' if minute < 10 else ''}{speller.cardinal(minute)}"


def _of_day(hour: int, minute: int, speller: Speller) -> str:
    minutes = speller.cardinal(minute)
    match speller.language:
        case "de":
            return f"{speller.cardinal(hour, MASCULINE)} Uhr{f' {minutes}' if minute else ''}"
        case "fr":
            hours = f"{speller.cardinal(hour, FEMININE)} {'heure' if hour < 2 else 'heures'}"
            return f"{hours} {minutes}" if minute else hours
        case "pt":
            hours = speller.cardinal(hour, FEMININE)
            return f"{hours} e {minutes}" if minute else f"{hours} {'hora' if hour == 1 else 'horas'}"
        case "es":
            hours = speller.cardinal(hour, FEMININE)
            return f"{hours} y {minutes}" if minute else hours
        case _:
            hours = "una" if hour == 1 else speller.cardinal(hour)
            return f"{hours} e {minutes}" if minute else hours
