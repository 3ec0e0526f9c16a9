"""Suggests terms for a glossary from the lines: names, and words that are written in an unusual way or come again and
again."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from app.domain.glossary import Suggestion, Term
from app.domain.segment import Segment
from app.dubbing.translate import source_of

_MOST: Final = 40
_WORD: Final = re.compile(r"[^\W_]+(?:['\u2019.&-][^\W_]+)*")
_ENDS: Final = re.compile(
    r"[.!?\u2026:\u3002\uff01\uff1f][\"'\u201d\u2019)\]]*\s*$|^\s*$|[-\u2013\u2014\"\u201c\u00ab(]\s*$"
)
_LONG: Final = 9  # letters: a shorter word that comes again is mostly a common one
_OFTEN: Final = 3
_NONE: Final = frozenset(
    f"I{rest}" for rest in ("", "'m", "'ll", "'ve", "'d", "\u2019m", "\u2019ll", "\u2019ve", "\u2019d")
)


def suggestions(lines: Sequence[Segment], known: Iterable[Term], language: str | None) -> tuple[Suggestion, ...]:
    """The likeliest first, without those that are known. German nouns are no names for being written as such."""
    names, words, examples = Counter[str](), Counter[str](), dict[str, str]()
    small = Counter[str]()
    initial = Counter[str]()
    for line in lines:
        text = source_of(line)
        for term, kind in _terms(text):
            {"name": names, "word": words, "small": small, "initial": initial}[kind][term] += 1
            examples.setdefault(term, text)
    every_noun = (language or "").partition("-")[0].lower() in ("de", "lb")
    found: dict[str, int] = {}
    for term, count in names.items():
        count += initial[term]
        alone = " " not in term
        unusual = any(map(str.isdigit, term)) or any(map(str.isupper, term[1:])) or not alone
        if every_noun and not unusual:
            continue
        if unusual or count >= 2 or not small[term.casefold()]:
            found[term] = 3 * count if unusual else 2 * count
    found |= {word: n for word, n in words.items() if n >= _OFTEN and not every_noun}
    given = {term.term.casefold() for term in known}
    ranked = sorted((term for term in found if term.casefold() not in given), key=lambda term: (-found[term], term))
    counted = names + words
    return tuple(Suggestion(term, counted[term] + initial[term], examples[term]) for term in ranked[:_MOST])


def _terms(text: str) -> Iterable[tuple[str, str]]:
    """Runs of words with a capital, each as a "name" (or "initial" where a sentence begins with it), and long "word"s
    in small letters; every small word also as "small"."""
    run: list[str] = []
    begins, end = False, 0
    for found in _WORD.finditer(text):
        word, between = found[0], text[end : found.start()]
        end = found.end()
        starts = _ENDS.search(text[: found.start()]) is not None
        if run and (between != " " or not word[0].isupper()):
            yield from _named(run, begins)
            run = []
        if word[0].isupper() and word not in _NONE:
            begins = starts if not run else begins
            run.append(word)
        elif word[0].isupper() and run:
            yield from _named(run, begins)
            run = []
        elif any(map(str.isupper, word[1:])):  # iPhone
            yield word, "name"
        else:
            yield word.casefold(), "small"
            if len(word) >= _LONG:
                yield word, "word"
    if run:
        yield from _named(run, begins)


def _named(run: Sequence[str], begins: bool) -> Iterable[tuple[str, str]]:
    """A run at a sentence's beginning may begin with any word: only what follows is a name for sure."""
    unusual = any(map(str.isupper, run[0][1:])) or any(map(str.isdigit, run[0]))
    if not begins or unusual:
        yield " ".join(run), "name"
        return
    yield run[0], "initial"
    if len(run) > 1:
        yield " ".join(run), "initial"
        yield " ".join(run[1:]), "name"
