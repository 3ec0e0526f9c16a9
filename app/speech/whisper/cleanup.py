"""Cleans Whisper's result for a chunk: moves times to the recording's timeline and removes hallucinated lines. No heavy
imports."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Final

import msgspec

from app.speech.whisper import word_times
from app.speech.whisper.heard import Heard
from app.speech.whisper.word_times import Regions, TimedWord

_TOUCH_S: Final = 0.1  # less speech than this under a line counts as none
_DRIFT_S: Final = 0.2  # a line may lie this far beside its speech
_SHORTEST_S: Final = 0.02
_LOOP_RATIO: Final = 2.4  # whisper's own limit: text that compresses better is a loop
_LOOP = re.compile(r"(.{2,80}?)(?:[\s,.;!?-]*\1){3,}", re.DOTALL | re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffd]+")


class RecognisedLine(msgspec.Struct, frozen=True):
    """A recognised line; times are seconds of the recording. `words` together are the text, or there are none."""

    start_s: float
    end_s: float
    text: str
    words: tuple[TimedWord, ...] = ()


def settle(said: Sequence[Heard], at: Callable[..., float], speech: Regions) -> list[RecognisedLine]:
    """Whisper's segments of one chunk as lines within its speech.

    `at` maps a second of the chunk to the recording's (`SpeechChunk.at`), `speech` are the regions with speech in the
    recording. Starts and ends move to the edges of speech, lines never overlap, and hallucinated lines are removed:
    those without text, without speech under them, with low confidence, or that repeat one phrase.
    """
    lines: list[RecognisedLine] = []
    for segment in said:
        text = _text(segment)
        if not any(character.isalnum() for character in text):
            continue
        words = word_times.believed(segment)
        start_s, end_s = at(segment.start_s), at(segment.end_s, end=True)
        if words:
            start_s, end_s = at(words[0].start_s), at(words[-1].end_s, end=True)
        under_s = sum(max(0.0, min(end_s, last + _DRIFT_S) - max(start_s, first - _DRIFT_S)) for first, last in speech)
        unsure = segment.no_speech > 0.6 and segment.log_probability < -0.7
        looping = segment.compression > _LOOP_RATIO and bool(lines) and lines[-1].text.casefold() == text.casefold()
        if unsure or looping or under_s < _TOUCH_S:
            continue
        start_s = max(word_times.start(start_s, speech), lines[-1].end_s if lines else 0.0)
        end_s = word_times.end(end_s, speech)
        # the line lies just beside its speech: it lasts to the end of that speech, but not for longer than it did
        if end_s <= start_s:
            end_s = min(
                start_s + max(0.3, segment.end_s - segment.start_s),
                next((last for _, last in speech if last > start_s), start_s),
            )
        if end_s - start_s < _SHORTEST_S:
            continue
        start_s, end_s = round(start_s, 3), round(end_s, 3)
        within = _within(word_times.placed(words, at, speech), start_s, end_s)
        same = "".join("".join(word.text for word in within).split()) == "".join(text.split())
        lines.append(RecognisedLine(start_s, end_s, text, tuple(within) if same else ()))
    return lines


def _text(segment: Heard) -> str:
    text = " ".join(_CONTROL.sub(" ", segment.text).split())
    return _LOOP.sub(r"\1", text) if segment.compression > _LOOP_RATIO else text


def _within(words: Sequence[TimedWord], start_s: float, end_s: float) -> list[TimedWord]:
    """The words between the line's edges: the first begins with it, the last ends with it."""
    found = []
    for number, word in enumerate(words):
        first_s = start_s if number == 0 else min(max(word.start_s, start_s), end_s)
        last_s = end_s if number + 1 == len(words) else min(max(word.end_s, first_s), end_s)
        found.append(TimedWord(word.text.strip() if number == 0 else word.text, first_s, last_s))
    return found
