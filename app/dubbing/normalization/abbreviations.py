"""Abbreviations in words."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache
from typing import Final

from app.dubbing.normalization.words import Words, names, words_of

# before a name only: they are, or end, other words too
_TITLES: Final = frozenset(names("M. MM. Pr Dr Fr. Gen. Sen. Mt. Av. Lt. Gov. Capt. Rev. Hr. St. Ms."))
_REFUSALS: Final = frozenset(("No.", "Nos."))
_NEXT_NAME: Final = r"(?=\s[^\W\d_a-zß-ÿ])"

Rule = tuple[re.Pattern[str], Callable[[re.Match[str]], str]]


def short_forms_said(text: str, words: Words) -> str:
    """The text with its abbreviations in words. The full stop of a sentence stays."""
    for pattern, said in _rules(words.code):
        text = pattern.sub(said, text)
    return text


@lru_cache(maxsize=16)
def _rules(language: str) -> tuple[Rule, ...]:
    words = words_of(language)
    if words is None:
        return ()
    rules = []
    for short in sorted(words.before_number, key=len, reverse=True):
        # "No. 5 people came" is no number 5
        behind = r"(?!\d+ [^\W\d_A-Z]{2})" if short in _REFUSALS else ""
        pattern = re.compile(rf"(?<![\w.#]){re.escape(short)}[ \u00a0]?(?=\d){behind}")
        rules.append((pattern, _as(f"{words.before_number[short]} ")))
    for short in sorted(words.abbreviations, key=len, reverse=True):
        behind = _NEXT_NAME if short in _TITLES else "" if short.endswith(".") else r"(?!\w)"
        written = re.escape(short).replace(r"\ ", "[ \u00a0\u202f]?")
        said = words.abbreviations[short]
        rules.append(
            (re.compile(rf"(?<![\w.]){written}{behind}"), _ending(said) if short in words.ending else _as(said))
        )
    return tuple(rules)


def _as(said: str) -> Callable[[re.Match[str]], str]:
    return lambda _: said


def _ending(said: str) -> Callable[[re.Match[str]], str]:
    """One that may end a sentence, and then leaves it its full stop."""

    def put(found: re.Match[str]) -> str:
        rest = found.string[found.end() :].lstrip()
        return f"{said}." if not rest or rest[0].isupper() else said

    return put
