"""Joins one-word and very short subtitles into sentences before they are spoken. No word is lost or doubled, and each
keeps its time.

Programs that caption short videos give every word its own subtitle. Spoken one by one they do not sound like speech.
"""

from __future__ import annotations

import itertools
import re
import statistics
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from app.domain.media import MAX_TEXT_CHARACTERS
from app.domain.segment import Word
from app.dubbing.spoken.classify import starts_turn
from app.dubbing.spoken.speaker_labels import KnownNames
from app.dubbing.spoken.unspeakable import Span, is_spaceless
from app.dubbing.spoken.vocabulary import ABBREVIATIONS, TITLES
from app.dubbing.subtitles.cues import Cue

# A file looks like it when half of its subtitles have at most three words and stand for at most 1.2 s (a subtitle to be
# read stands longer), and at least half of them run on: the next one comes within half a second, and no sentence has
# ended.
_MOST_WORDS: Final = 3
_MOST_SHOWN_S: Final = 1.2
_RUNS_ON_S: Final = 0.5
_FEWEST_CUES: Final = 4

LONGEST_S: Final = 12.0
_PAUSE_S: Final = 0.8  # a pause ends a line; where nothing is punctuated, a shorter one does
_BARE_PAUSE_S: Final = 0.5
_OVERLAP_S: Final = 0.5  # what begins this long before the end of the one before it is said at the same time

_END: Final = re.compile(r"(?P<mark>[.!?…。！？｡؟۔।॥։។။።]|(?<=[\u0370-\u03ff])[;\u037e])[\"'”’»›)\]）」』】]*$")
_CLAUSE: Final = re.compile(r"[,;:—–،؛、，；：][\"'”’»)\]）」』]*$")
_CLINGS: Final = re.compile(
    r"[.,!?;:…%)\]}»”。，！？；：、）」』》】؟،؛۔।]|['’](?:s|t|d|m|ll|re|ve)\b|n['’]t\b|[-‐‑](?=[a-z])", re.IGNORECASE
)
_INITIALS: Final = re.compile(r"(?:[^\W\d_]\.)+$")


class JoinedLine(msgspec.Struct, frozen=True):
    """Subtitles that are one line: its text, and its words with the characters of the text that they are."""

    start_s: float
    end_s: float
    text: str
    speaker: str
    words: tuple[tuple[Word, Span], ...]


def looks_short(cues: Sequence[Cue]) -> bool:
    """Whether a file is of subtitles that are too short to be spoken one by one; measured over all of it."""
    if len(cues) < _FEWEST_CUES:
        return False
    if (
        statistics.median(words_in(cue.text) for cue in cues) > _MOST_WORDS
        or statistics.median(c.end_s - c.start_s for c in cues) > _MOST_SHOWN_S
    ):
        return False
    pairs = list(itertools.pairwise(cues))
    return 2 * sum(b.start_s - a.end_s <= _RUNS_ON_S and not ends_sentence(a.text, b.text) for a, b in pairs) >= len(
        pairs
    )


def words_in(text: str) -> float:
    """How many words; where no spaces part them, two characters count as one."""
    spaceless = sum(map(is_spaceless, text))
    return spaceless / 2 + len("".join(" " if is_spaceless(character) else character for character in text).split())


def join(cues: Sequence[Cue], names: KnownNames) -> Iterator[JoinedLine]:
    """Sorted subtitles to lines: to the end of a sentence, a pause, or another speaker; at most LONGEST_S and
    MAX_TEXT_CHARACTERS."""
    bare = not any(ends_sentence(cue.text, "") for cue in cues)
    pause_s = _BARE_PAUSE_S if bare else _PAUSE_S
    run: list[Cue] = []
    size = 0
    for cue in cues:
        if run:
            last = run[-1]
            apart = (
                cue.start_s - last.end_s > pause_s
                or last.end_s - cue.start_s > _OVERLAP_S
                or cue.speaker != last.speaker
            )
            full = size + len(cue.text) > MAX_TEXT_CHARACTERS
            if (
                apart
                or full
                or ends_sentence(last.text, cue.text)
                or (any(map(str.isalnum, cue.text)) and starts_turn(cue.text, names))
            ):
                yield from map(together, _short_enough(run))
                run, size = [], 0
        run.append(cue)
        size += len(cue.text) + 1
    if run:
        yield from map(together, _short_enough(run))


def ends_sentence(text: str, following: str) -> bool:
    """Whether a sentence ends with `text`, as far as it and what follows tell."""
    text = text.rstrip()
    found = _END.search(text)
    if found is None:
        return False
    begins = next((c for c in following.lstrip() if c.isalnum()), "")
    if found["mark"] == "…" or text.endswith("..."):
        return not begins.islower()
    if found["mark"] != ".":
        return True
    word = text.split()[-1].strip("\"'“”‘’«»()[]")
    bare = word.rstrip(".").casefold()
    if bare in TITLES or _INITIALS.fullmatch(word):
        return False
    if bare[-1:].isdigit() and begins.isdigit():  # "3." and "5"
        return False
    return not (bare in ABBREVIATIONS and (begins.islower() or begins.isdigit()))


def together(cues: Sequence[Cue]) -> JoinedLine:
    """Subtitles as one line. Every word has its own time, or its share of its subtitle's; none begins before the one
    before it."""
    text = ""
    words: list[tuple[Word, Span]] = []
    for cue in cues:
        own = cue.text.strip()
        text += glue(text, own)
        at = len(text)
        words += [(word, (start + at, end + at)) for word, (start, end) in timed(cue)]
        text += own
    return JoinedLine(cues[0].start_s, max(cue.end_s for cue in cues), text, cues[0].speaker, tuple(_in_order(words)))


def glue(left: str, right: str) -> str:
    """What stands between two texts: a space, or nothing before punctuation and in scripts that put none."""
    if not left or not right or _CLINGS.match(right) or (is_spaceless(left[-1]) and is_spaceless(right[0])):
        return ""
    if left[-1] in "。，！？；：、）」』" and is_spaceless(right[0]):
        return ""
    return " "


def timed(cue: Cue) -> tuple[tuple[Word, Span], ...]:
    """The words of one subtitle with their places in its (stripped) text: its own, else what spaces part, each with its
    share of the time."""
    text = cue.text.strip()
    if cue.words and (placed := located(text, cue.words)):
        return placed
    tokens = [found.span() for found in re.finditer(r"\S+", text)]
    total = sum(end - start for start, end in tokens)
    duration_s, done, shares = cue.end_s - cue.start_s, 0, []
    for start, end in tokens:
        begin_s = cue.start_s + duration_s * done / total
        done += end - start
        shares.append(
            (Word(text[start:end], round(begin_s, 3), round(cue.start_s + duration_s * done / total, 3)), (start, end))
        )
    return tuple(shares)


def located(text: str, words: Sequence[Word]) -> tuple[tuple[Word, Span], ...]:
    """Where each word stands in the text; () where they are not those of the text."""
    letters = [(at, character) for at, character in enumerate(text) if not character.isspace()]
    placed = []
    done = 0
    for word in words:
        own = "".join(word.text.split())
        here = letters[done : done + len(own)]
        if not own:
            continue
        if "".join(character for _, character in here) != own:
            return ()
        placed.append((Word(own, word.start_s, word.end_s), (here[0][0], here[-1][0] + 1)))
        done += len(own)
    return tuple(placed) if done == len(letters) else ()


def _in_order(words: Sequence[tuple[Word, Span]]) -> list[tuple[Word, Span]]:
    """Subtitles that overlap: no word begins after the next one begins, and it ends there."""
    ordered: list[tuple[Word, Span]] = []
    for word, place in reversed(words):
        next_s = ordered[-1][0].start_s if ordered else word.end_s
        start_s = min(word.start_s, next_s)
        ordered.append((Word(word.text, start_s, min(word.end_s, next_s)), place))
    return ordered[::-1]


def _short_enough(run: Sequence[Cue]) -> Iterator[Sequence[Cue]]:
    """A run in parts of at most LONGEST_S, cut at a clause or else at the longest pause, near the middle."""
    waiting = [run]
    while waiting:
        part = waiting.pop()
        if len(part) < 2 or part[-1].end_s - part[0].start_s <= LONGEST_S:
            yield part
            continue
        cut = _cut(part)
        waiting += [part[cut:], part[:cut]]


def _cut(part: Sequence[Cue]) -> int:
    start_s, length_s = part[0].start_s, part[-1].end_s - part[0].start_s
    middle = [n for n in range(1, len(part)) if 0.25 <= (part[n].start_s - start_s) / length_s <= 0.75] or range(
        1, len(part)
    )

    def worth(n: int) -> tuple[bool, float, float]:
        pause_s = round(max(part[n].start_s - part[n - 1].end_s, 0.0), 1)
        return _CLAUSE.search(part[n - 1].text) is not None, pause_s, -abs((part[n].start_s - start_s) / length_s - 0.5)

    return max(middle, key=worth)
