"""What a language says for signs and short forms; `words_of` gives the tables of a language."""

from __future__ import annotations

import importlib
import re
from functools import lru_cache
from typing import Final

import msgspec

# languages with tables of their own: app/dubbing/normalization/words_XX.py
TABLES: Final = ("de", "en", "es", "fr", "it", "pt")

MASCULINE: Final = "m"
FEMININE: Final = "f"
NEUTER: Final = "n"


class Unit(msgspec.Struct, frozen=True):
    """A unit or currency in words, for one and for several; `part` is the hundredth of a currency."""

    one: str
    many: str
    gender: str = MASCULINE
    part: tuple[str, str] = ("", "")


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """The tables of one language.

    `groups` are the signs between thousands, `decimal` the one before a fraction; `point` says it, `dot` what stands in
    "1.2.3". `singular_below_2`: 1.5 takes the singular. `feminine` matches a noun that is feminine, of a word behind a
    number, `stops` are no nouns. `glued` are short words for thousands and more. `abbreviations` are matched with their
    full stops; those in `ending` may end a sentence, those in `before_number` are short forms only there.
    """

    code: str  # ISO 639-1
    decimal: str
    groups: str
    point: str
    dot: str
    minus: str
    percent: str
    to: str
    joint: str  # "and", between an amount and its half
    months: tuple[str, ...]
    short_months: tuple[str, ...] = ()
    units: dict[str, Unit]
    currencies: dict[str, Unit]
    cents: str = "{whole} {part}"  # a price with hundredths
    magnitudes: str = ""  # a pattern of words such as "million", which stand between amount and currency
    of: str = ""  # what joins such a word and its currency
    abbreviations: dict[str, str]
    ending: frozenset[str] = frozenset()
    before_number: dict[str, str] = {}
    fractions: dict[str, str]
    singular_below_2: bool = False
    plural_s: bool = False  # nouns in the plural end in s
    capital_nouns: bool = False
    glued: dict[str, str] = {}
    plus: str
    times: str
    stops: frozenset[str] = frozenset()
    feminine: re.Pattern[str] | None = None
    masculine: re.Pattern[str] | None = None  # exceptions of `feminine`


def names(text: str) -> tuple[str, ...]:
    """The words of a text."""
    return tuple(text.split())


def units(table: str) -> dict[str, Unit]:
    """Units from lines of "sign | one | many | gender"."""
    found = {}
    for line in table.strip().splitlines():
        sign, one, many, gender = (cell.strip() for cell in line.split("|"))
        for each in sign.split():
            found[each] = Unit(one, many, gender)
    return found


def currencies(table: str) -> dict[str, Unit]:
    """Currencies from lines of "signs | one | many | gender | hundredth | hundredths"."""
    found = {}
    for line in table.strip().splitlines():
        signs, one, many, gender, part, parts = (cell.strip() for cell in line.split("|"))
        for each in signs.split():
            found[each] = Unit(one, many, gender, (part, parts))
    return found


def short_forms(table: str) -> dict[str, str]:
    """Short forms from lines of "short form | words"."""
    return {short.strip(): said.strip() for short, said in (line.split("|") for line in table.strip().splitlines())}


@lru_cache(maxsize=16)
def words_of(language: str) -> Words | None:
    """The tables of a language (ISO 639-1), None where there are none."""
    if language not in TABLES:
        return None
    found: Words = importlib.import_module(f"{__package__}.words_{language}").WORDS
    return found
