"""Places a line phrase by phrase where the original pauses: the clip is cut at its own silences, and each piece goes
where most of it falls on speech of the original.

Pieces keep their order, and at least the least pause between them. None is cut inside a word (only at silences longer
than a plosive's), none is played slower. The line keeps its start, and ends before the next one.
"""

from __future__ import annotations

import wave
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Final

import numpy as np

from app.domain.segment import Phrase, Placement
from app.dubbing.mixing.clip import read_wav
from app.dubbing.timing.lines import Doubles

CUT_FROM_S: Final = 0.13  # a silence of a clip; the closure of a plosive is shorter
LEAST_PAUSE_S: Final = 0.12  # between two phrases of a line, where the clip has no shorter one itself
_PAUSE_S: Final = 0.2  # a pause of the original
_FRAME_S: Final = 0.01
_STEP_S: Final = 0.02  # of the places that are tried
_SILENT_BELOW_DB: Final = -32.0  # below the loud frames of the clip or line
_KEPT_S: Final = 0.03  # of the silence, at both sides of a cut
_WORTH_S: Final = 0.15  # more speech on speech than without: else the line stays in one piece
_MOST_PIECES: Final = 24

Span = tuple[float, float]


def speech_spans(samples: Doubles, rate_hz: int, *, pause_s: float) -> list[Span]:
    """Where there is sound, in seconds; silences shorter than `pause_s` belong to it."""
    frame_n = max(1, round(rate_hz * _FRAME_S))
    frames = np.pad(samples, (0, -len(samples) % frame_n)).reshape(-1, frame_n)
    power = np.sqrt(np.mean(frames * frames, axis=1))
    if not len(power) or not power.any():
        return []
    loud = np.flatnonzero(power > np.percentile(power, 95) * 10 ** (_SILENT_BELOW_DB / 20))
    spans: list[Span] = []
    for at in loud.tolist():
        start_s, end_s = at * _FRAME_S, (at + 1) * _FRAME_S
        if spans and start_s - spans[-1][1] < pause_s:
            spans[-1] = (spans[-1][0], end_s)
        else:
            spans.append((start_s, end_s))
    return spans


def original_spans(speech: Path, start_s: float, end_s: float, words: Sequence[Span]) -> list[Span]:
    """Where the original speaks inside a line, on the video's timeline: by its sound (16 kHz mono s16 WAV), and by the
    words' times where something else sounds through the pauses."""
    by_words: list[Span] = []
    for word in words:
        if by_words and word[0] - by_words[-1][1] < _PAUSE_S:
            by_words[-1] = (by_words[-1][0], max(by_words[-1][1], word[1]))
        else:
            by_words.append(word)
    with wave.open(str(speech)) as file:
        rate_hz = file.getframerate()
        first_n = min(max(0, round(start_s * rate_hz)), file.getnframes())
        file.setpos(first_n)
        data = file.readframes(max(0, round((end_s - start_s) * rate_hz)))
    samples = np.frombuffer(data, "<i2").astype(np.float64) / 32768
    heard = [(start_s + a, start_s + b) for a, b in speech_spans(samples, rate_hz, pause_s=_PAUSE_S)]
    return heard if len(heard) >= len(by_words) else by_words


def phrased(placed: Placement, clip: Path, original: Sequence[Span], until_s: float) -> Placement:
    """The placement phrase by phrase, where that puts more speech on the original's; else as it is. No phrase ends
    after `until_s` or the placement's own end, whichever is later."""
    until_s = max(until_s, placed.start_s + placed.duration_s)
    samples, rate_hz = read_wav(clip)
    last_s = len(samples) / rate_hz - placed.trim_end_s
    found = speech_spans(samples.astype(np.float64), rate_hz, pause_s=CUT_FROM_S)
    inside = [(max(a, placed.trim_start_s), min(b, last_s)) for a, b in found]
    pieces = [(a, b) for a, b in inside if b - a > _FRAME_S]
    if len(original) < 2 or not 2 <= len(pieces) <= _MOST_PIECES:
        return placed
    cuts = [placed.trim_start_s]
    ends: list[float] = []
    for (_, end_s), (start_s, _) in pairwise(pieces):
        ends.append(end_s + _KEPT_S)
        cuts.append(start_s - _KEPT_S)
    ends.append(last_s)
    lengths = [(end_s - start_s) / placed.rate for start_s, end_s in zip(cuts, ends, strict=True)]
    own = [(start_s - end_s) / placed.rate for end_s, start_s in zip(ends, cuts[1:], strict=False)]
    pauses = [min(pause, LEAST_PAUSE_S - 2 * _KEPT_S) for pause in own]
    usual = [placed.start_s]
    for length, pause in zip(lengths, own, strict=False):
        usual.append(usual[-1] + length + pause)
    starts = _best(lengths, pauses, original, placed.start_s, until_s)
    if starts is None:
        return placed
    gained = _on_speech(starts, lengths, original) - _on_speech(usual, lengths, original)
    if gained < _WORTH_S:
        return placed
    total_s = len(samples) / rate_hz
    phrases = tuple(
        Phrase(round(at_s, 7), length, cut, total_s - end_s)
        for at_s, length, cut, end_s in zip(starts, lengths, cuts, ends, strict=True)
    )
    lasts_s = phrases[-1].start_s + phrases[-1].duration_s - placed.start_s
    return Placement(
        placed.segment_id,
        placed.start_s,
        lasts_s,
        placed.rate,
        placed.trim_start_s,
        placed.trim_end_s,
        placed.flags,
        placed.pace,
        phrases,
    )


def _on_speech(starts: Sequence[float], lengths: Sequence[float], original: Sequence[Span]) -> float:
    """Seconds in which both speak."""
    return sum(
        max(0.0, min(at + length, b) - max(at, a))
        for at, length in zip(starts, lengths, strict=True)
        for a, b in original
    )


def _best(
    lengths: Sequence[float], pauses: Sequence[float], original: Sequence[Span], start_s: float, until_s: float
) -> list[float] | None:
    """Starts with the most speech on speech: the first piece at `start_s`, exact over a grid of places (dynamic
    programming). Of equal ones the earliest."""
    count = int((until_s - start_s) / _STEP_S) + 1
    grid = start_s + _STEP_S * np.arange(count)
    scores: list[Doubles] = []
    for length in lengths:
        over = np.zeros(count)
        for a, b in original:
            over += np.maximum(0.0, np.minimum(grid + length, b) - np.maximum(grid, a))
        over[grid + length > until_s + 1e-9] = -np.inf
        scores.append(over)
    scores[0][1:] = -np.inf
    best, came = scores[0], [np.zeros(count, np.int64)]
    for number in range(1, len(lengths)):
        apart = int(np.ceil((lengths[number - 1] + pauses[number - 1]) / _STEP_S - 1e-9))
        if apart >= count:
            return None
        running = np.maximum.accumulate(best)
        first = np.zeros(count, np.int64)  # where the running maximum was first reached
        first[1:] = np.where(running[1:] > running[:-1], np.arange(1, count), 0)
        first = np.maximum.accumulate(first)
        reached = np.full(count, -np.inf)
        reached[apart:] = running[: count - apart]
        from_ = np.zeros(count, np.int64)
        from_[apart:] = first[: count - apart]
        best = reached + scores[number]
        came.append(from_)
    at = int(np.argmax(best))
    if not np.isfinite(best[at]):
        return None
    places = [at]
    for number in range(len(lengths) - 1, 0, -1):
        places.append(int(came[number][places[-1]]))
    return [float(grid[place]) for place in reversed(places)]
