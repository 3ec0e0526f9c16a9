"""Puts the words of a chunk on the recording's timeline, at the edges of its speech. No heavy imports."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from app.speech.whisper.heard import Heard, HeardWord

Regions = Sequence[tuple[float, float]]

_REACH_S: Final = 0.35  # an edge this close to a speech edge is that edge: Whisper's own times are about this exact
_TOUCH_S: Final = 0.1
_NO_LENGTH_S: Final = 0.03  # a word this short was given no sound
_FEW: Final = 0.25  # of a segment's words may be that short


class TimedWord(msgspec.Struct, frozen=True):
    """A word of a line, with the space before it if it has one. Times are seconds of the recording."""

    text: str
    start_s: float
    end_s: float


def believed(segment: Heard) -> tuple[HeardWord, ...]:
    """The segment's words with times to go by. Where the attention follows no words (a quarter of them fell on one
    moment), the segment's own times are shared out by length."""
    words = segment.words
    if not words:
        return ()
    short = sum(word.end_s - word.start_s < _NO_LENGTH_S for word in words)
    if short <= _FEW * len(words):
        return words
    total = sum(len(word.text.strip()) or 1 for word in words)
    spread, done = [], 0
    length_s = segment.end_s - segment.start_s
    for word in words:
        size = len(word.text.strip()) or 1
        first_s, last_s = (segment.start_s + length_s * part / total for part in (done, done + size))
        spread.append(HeardWord(word.text, first_s, last_s, word.probability))
        done += size
    return tuple(spread)


def placed(words: Sequence[HeardWord], at: Callable[..., float], speech: Regions) -> list[TimedWord]:
    """Words in order on the recording's timeline. The first word of a stretch of speech begins with it, the last one
    ends with it; none begins before the one before it ends."""
    if not speech:
        return []
    times = [(at(word.start_s), at(word.end_s, end=True)) for word in words]
    homes = [_home((start_s + max(start_s, end_s)) / 2, speech) for start_s, end_s in times]
    found: list[TimedWord] = []
    for number, (word, (start_s, end_s)) in enumerate(zip(words, times, strict=True)):
        if number == 0 or homes[number - 1] != homes[number]:
            start_s = start(start_s, speech)
        if number + 1 == len(words) or homes[number + 1] != homes[number]:
            end_s = end(end_s, speech)
        start_s = max(start_s, found[-1].end_s if found else start_s)
        found.append(TimedWord(word.text, round(start_s, 3), round(max(start_s, end_s), 3)))
    return found


def _home(second: float, speech: Regions) -> int:
    """The stretch of speech that a moment lies in, or is nearest to."""
    return min(range(len(speech)), key=lambda n: max(speech[n][0] - second, second - speech[n][1], 0.0))


def start(second: float, speech: Regions) -> float:
    """A start in a pause moves on to the next speech; one just after an edge moves back to it."""
    for first, last in speech:
        if second < first or second - first <= _REACH_S:
            return first
        if second < last - _TOUCH_S:
            return second
    return second


def end(second: float, speech: Regions) -> float:
    """An end in a pause moves back to the last speech; one just before an edge moves on to it."""
    for first, last in reversed(speech):
        if second > last or last - second <= _REACH_S:
            return last
        if second > first + _TOUCH_S:
            return second
    return second
