"""The glossary of a job: terms and names, how they are written in the other language, and how they are spoken."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Annotated, Final

import msgspec

MOST_TERMS: Final = 500
_HOTWORD_CHARACTERS: Final = 600  # what a recogniser is told before it hears anything is short
_SPACELESS: Final = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u9fff\uf900-\ufaff\uff00-\uffef]")

Words = Annotated[str, msgspec.Meta(max_length=100)]
# espeak-ng's own signs: ASCII, without the brackets that begin and end them
Phonemes = Annotated[str, msgspec.Meta(max_length=100, pattern=r"^[\x20-\x5a\x5c\x5e-\x7e]*$")]


class Term(msgspec.Struct, frozen=True):
    """A term as it is written in the original. `translation` is how it is written in the other language ("": as the
    translator likes), `keep`: it is not translated. `say` is how it is spoken, in the letters of the language,
    `phonemes` the same in espeak-ng's signs, for the voices that take them; "" as it is written."""

    term: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    translation: Words = ""
    keep: bool = False
    say: Words = ""
    phonemes: Phonemes = ""

    @property
    def wanted(self) -> str:
        """What has to be in the translation of a line that has the term; "" for anything."""
        return self.term if self.keep else self.translation


class Pronounced(msgspec.Struct, frozen=True):
    """A word as it is written in a line to speak, and how it is spoken; see `Term`."""

    written: str
    say: str
    phonemes: str


class Suggestion(msgspec.Struct, frozen=True):
    """A term that may belong into the glossary, how often it is said, and a line that has it."""

    term: str
    count: int
    line: str


class KeptGlossary(msgspec.Struct, frozen=True):
    """A glossary by its name, and when it was last changed (seconds since 1970)."""

    name: str
    terms: tuple[Term, ...]
    updated_at: float


def hotwords(terms: Sequence[Term]) -> tuple[str, ...]:
    """What recognition is told, the first first."""
    told: list[str] = []
    for each in terms:
        if sum(map(len, told)) + len(each.term) > _HOTWORD_CHARACTERS:
            break
        told.append(each.term)
    return tuple(told)


def translated(terms: Sequence[Term]) -> tuple[Term, ...]:
    """The terms that the translation has to know, without how they are spoken."""
    return tuple(Term(each.term, each.translation, each.keep) for each in terms if each.wanted)


def pronounced(terms: Sequence[Term]) -> tuple[Pronounced, ...]:
    """How words are spoken, in whichever language they stand; the longest first."""
    found = {
        written: Pronounced(written, each.say, each.phonemes)
        for each in terms
        if each.say or each.phonemes
        for written in (each.term, each.translation)
        if written
    }
    return tuple(sorted(found.values(), key=lambda each: (-len(each.written), each.written)))


def within(words: str, text: str) -> bool:
    """Whether the words stand in the text, as words. What is written in small letters is found in capitals too."""
    return words.casefold() in text.casefold() and _pattern((words,)).search(text) is not None


def occurring(terms: Sequence[Term], text: str) -> tuple[Term, ...]:
    """The terms that stand in the text. Quick for hundreds of terms, of which few do."""
    folded = text.casefold()
    return tuple(each for each in terms if each.term.casefold() in folded and within(each.term, text))


def replaced(text: str, by: Sequence[tuple[str, str]]) -> str:
    """The text with other words in place of some, each place once, the first pair first."""
    folded = text.casefold() if by else ""
    by = [pair for pair in by if pair[0].casefold() in folded]
    if not by:
        return text
    told = {words: other for words, other in reversed(by)}
    small = {words.casefold(): other for words, other in reversed(by)}
    pattern = _pattern(tuple(words for words, _ in by))
    return pattern.sub(lambda found: told.get(found[0], small.get(found[0].casefold(), found[0])), text)


def parted(text: str, words: Sequence[str]) -> list[tuple[str, bool]]:
    """The text in parts; true: the part is one of the words."""
    folded = text.casefold()
    words = tuple(each for each in words if each.casefold() in folded)
    if not words:
        return [(text, False)]
    found: list[tuple[str, bool]] = []
    at = 0
    for match in _pattern(words).finditer(text):
        found += [(text[at : match.start()], False), (match[0], True)]
        at = match.end()
    return [*found, (text[at:], False)]


def spaced(words: str) -> bool:
    """Whether they are found as whole words: their scripts put spaces between words."""
    return not (_SPACELESS.match(words[0]) or _SPACELESS.match(words[-1]))


@lru_cache(maxsize=1024)
def _pattern(words: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(map(_one, words)) or "(?!)")


def _one(words: str) -> str:
    escaped = re.escape(words)
    before = "" if _SPACELESS.match(words[0]) or not words[0].isalnum() else r"(?<!\w)"
    after = "" if _SPACELESS.match(words[-1]) or not words[-1].isalnum() else r"(?!\w)"
    exact = words != words.lower()  # "US" is not "us"
    return f"{before}{escaped if exact else f'(?i:{escaped})'}{after}"
