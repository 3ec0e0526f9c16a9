"""Cleans Whisper's result for a chunk: moves times to the recording's timeline and removes hallucinated lines. No heavy
imports."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import msgspec

_REACH_S: Final = 0.35  # an edge this close to a speech edge is that edge: Whisper's own times are about this exact
_TOUCH_S: Final = 0.1  # less speech than this under a line counts as none
_DRIFT_S: Final = 0.2  # a line may lie this far beside its speech
_SHORTEST_S: Final = 0.02
_LOOP_RATIO: Final = 2.4  # whisper's own limit: text that compresses better is a loop
_LOOP = re.compile(r"(.{2,80}?)(?:[\s,.;!?-]*\1){3,}", re.DOTALL | re.IGNORECASE)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffd]+")


class RecognisedLine(msgspec.Struct, frozen=True):
    """A recognised line; times are seconds of the recording."""

    start_s: float
    end_s: float
    text: str


def settle(
    said: Sequence[Mapping[str, Any]], at: Callable[..., float], speech: Sequence[tuple[float, float]]
) -> list[RecognisedLine]:
    """Whisper's segments of one chunk as lines within its speech.

        `at` maps a second of the chunk to the recording's (`Chunk.at`), `speech` are the regions with speech in the
        recording. Starts and ends move to the edges of speech, lines never overlap, and hallucinated lines are removed:
        those without text, without speech under
    them, with low confidence, or that repeat one phrase.
    """
    lines: list[RecognisedLine] = []
    for segment in said:
        text = _text(segment)
        if not any(character.isalnum() for character in text):
            continue
        start_s, end_s = at(segment["start"]), at(segment["end"], end=True)
        under_s = sum(max(0.0, min(end_s, last + _DRIFT_S) - max(start_s, first - _DRIFT_S)) for first, last in speech)
        unsure = segment["no_speech_prob"] > 0.6 and segment["avg_logprob"] < -0.7
        looping = (
            segment["compression_ratio"] > _LOOP_RATIO and bool(lines) and lines[-1].text.casefold() == text.casefold()
        )
        if unsure or looping or under_s < _TOUCH_S:
            continue
        start_s, end_s = max(_start(start_s, speech), lines[-1].end_s if lines else 0.0), _end(end_s, speech)
        # the line lies just beside its speech: it lasts to the end of that speech, but not for longer than it did
        if end_s <= start_s:
            end_s = min(
                start_s + max(0.3, segment["end"] - segment["start"]),
                next((last for _, last in speech if last > start_s), start_s),
            )
        if end_s - start_s < _SHORTEST_S:
            continue
        lines.append(RecognisedLine(round(start_s, 3), round(end_s, 3), text))
    return lines


def _text(segment: Mapping[str, Any]) -> str:
    text = " ".join(_CONTROL.sub(" ", segment["text"]).split())
    return _LOOP.sub(r"\1", text) if segment["compression_ratio"] > _LOOP_RATIO else text


def _start(second: float, speech: Sequence[tuple[float, float]]) -> float:
    """A start in a pause moves on to the next speech; one just after an edge moves back to it."""
    for first, last in speech:
        if second < first or second - first <= _REACH_S:
            return first
        if second < last - _TOUCH_S:
            return second
    return second


def _end(second: float, speech: Sequence[tuple[float, float]]) -> float:
    """An end in a pause moves back to the last speech; one just before an edge moves on to it."""
    for first, last in reversed(speech):
        if second > last or last - second <= _REACH_S:
            return last
        if second > first + _TOUCH_S:
            return second
    return second
