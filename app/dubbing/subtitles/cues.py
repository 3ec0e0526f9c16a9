"""Makes readable subtitles from placed lines: at most two rows, shown long enough, one at a time for each speaker."""

from __future__ import annotations

import bisect
import itertools
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Final

import msgspec

from app.domain.segment import Placement, Segment, Word
from app.dubbing.subtitles.line_breaks import columns, parts

MIN_SHOWN_S: Final = 5 / 6  # Netflix Timed Text Style Guide, general requirements, section 1: five sixths of a second
_TOGETHER_S: Final = 0.3  # two lines of one speaker that begin closer than this are shown as one
_MOST_AT_ONCE: Final = 4


class Cue(msgspec.Struct, frozen=True):
    """A subtitle: `text` without markup, its lines parted by "\\n". Seconds, 0 <= start_s < end_s.

    `words` are those of the text with their times, in order and within the cue, where a file gives them (YouTube's
    captions), else none; joined they are the text: a word that stands behind a space begins with one.
    `speaker` is the name that the file's own fields give (WebVTT's `<v Name>`, ASS's Name), "" without.
    """

    start_s: float
    end_s: float
    text: str
    words: tuple[Word, ...] = ()
    speaker: str = ""


class _Spoken(msgspec.Struct, frozen=True):
    """A line's text and time; `words` (when known) are those of the text, in that time."""

    start_s: float
    end_s: float
    text: str
    speaker: str
    words: tuple[Word, ...]


def reading_speed(text: str, duration_s: float) -> float:
    """Characters per second, spaces and punctuation counted, marks that stand on other letters not. 17 is easy to read,
    20 the usual limit."""
    shown = sum(unicodedata.category(c) not in ("Mn", "Me", "Cf") for c in " ".join(text.split()))
    return shown / max(duration_s, 0.001)


def cues_for(segments: Sequence[Segment], placements: Sequence[Placement]) -> tuple[Cue, ...]:
    """One cue for every line, as long as the line may be: what a person edits and gives back. Times are the placed
    clips'; lines that keep the original sound keep their times.
    """
    return tuple(Cue(line.start_s, line.end_s, line.text) for line in _spoken(segments, placements))


def subtitles_for(segments: Sequence[Segment], placements: Sequence[Placement], end_s: float) -> tuple[Cue, ...]:
    """What is shown beside the dub. Long lines become several cues, by the words' own times where the text is still the
    recognised one, else by length. `end_s` is the video's end. What is left out (sounds, lyrics, who speaks) is not in
    it: it stands in the brought file.
    """
    return _readable(_spoken([segment for segment in segments if not segment.unspoken], placements), end_s)


def source_subtitles_for(segments: Sequence[Segment], end_s: float) -> tuple[Cue, ...]:
    """What was said in the original, when it was said; of a translated line, what it was translated from."""
    lines = [
        _Spoken(s.start_s, s.end_s, text, s.speaker, s.words)
        for s in segments
        if (text := (s.original or s.source_text).strip())
    ]
    return _readable(lines, end_s)


def flatten(cues: Sequence[Cue]) -> tuple[Cue, ...]:
    """The same texts with no two cues at a time: where cues overlap, one shows them together."""
    moments = sorted({at for cue in cues for at in (cue.start_s, cue.end_s)})
    coming = sorted(cues, key=lambda cue: cue.start_s, reverse=True)
    shown: list[Cue] = []
    flat: list[Cue] = []
    for start_s, end_s in itertools.pairwise(moments):
        shown = [cue for cue in shown if cue.end_s > start_s]
        while coming and coming[-1].start_s <= start_s:
            shown.append(coming.pop())
        shown = shown[-_MOST_AT_ONCE:]
        if shown:
            flat.append(Cue(start_s, end_s, "\n".join(cue.text for cue in shown)))
    return tuple(flat)


def _spoken(segments: Sequence[Segment], placements: Sequence[Placement]) -> list[_Spoken]:
    placed = {p.segment_id: p for p in placements}
    lines = []
    for segment in segments:
        text = segment.text.strip()
        if not text:
            continue
        p = placed.get(segment.id)
        start_s, end_s = (p.start_s, p.start_s + p.duration_s) if p else (segment.start_s, segment.end_s)
        lines.append(_Spoken(start_s, end_s, text, segment.speaker, _moved(segment, start_s, end_s)))
    return sorted(lines, key=lambda line: (line.start_s, line.end_s))


def _moved(segment: Segment, start_s: float, end_s: float) -> tuple[Word, ...]:
    """The words' times in the line's new place: the new voice is taken to pace itself as the old one did."""
    scale = (end_s - start_s) / (segment.end_s - segment.start_s)

    def at(time_s: float) -> float:
        return start_s + (time_s - segment.start_s) * scale

    return tuple(Word(word.text, at(word.start_s), at(word.end_s)) for word in segment.words)


def _readable(lines: Sequence[_Spoken], end_s: float) -> tuple[Cue, ...]:
    """Each speaker's lines one after another, shown long enough, in parts of two lines."""
    ready: list[Cue] = []
    by_speaker: dict[str, list[_Spoken]] = {}
    for line in sorted(lines, key=lambda line: (line.start_s, line.end_s)):
        by_speaker.setdefault(line.speaker, []).append(line)
    for of_one in by_speaker.values():
        joined = _joined(of_one)
        for line, following in itertools.zip_longest(joined, joined[1:]):
            until_s = following.start_s if following is not None else max(end_s, line.end_s)
            shown_until_s = min(max(line.end_s, line.start_s + MIN_SHOWN_S), until_s)
            ready.extend(_split(msgspec.structs.replace(line, end_s=shown_until_s)))
    return tuple(sorted(ready, key=lambda cue: (cue.start_s, cue.end_s)))


def _joined(lines: Sequence[_Spoken]) -> list[_Spoken]:
    """Lines that begin together are one; sorted lines of one speaker in, so that every start is well after the one
    before."""
    joined: list[_Spoken] = []
    for line in lines:
        if joined and line.start_s - joined[-1].start_s < _TOGETHER_S:
            last = joined.pop()
            line = _Spoken(last.start_s, max(last.end_s, line.end_s), f"{last.text}\n{line.text}", line.speaker, ())
        joined.append(line)
    return joined


def _split(line: _Spoken) -> Iterator[Cue]:
    texts = parts(line.text)
    sizes = [len("".join(text.split())) for text in texts]
    starts = list(itertools.accumulate(sizes[:-1]))  # how many letters come before each part but the first
    total = sum(columns(text) for text in texts) or 1
    duration_s = line.end_s - line.start_s
    widths = itertools.accumulate(columns(text) for text in texts[:-1])
    times = [line.start_s + duration_s * width / total for width in widths]
    clock = _word_clock(line)
    if clock is not None:
        heard = [line.start_s, *(clock(letters) for letters in starts), line.end_s]
        if all(
            after - before >= min(MIN_SHOWN_S, duration_s / (2 * len(texts)))
            for before, after in itertools.pairwise(heard)
        ):
            times = heard[1:-1]
    moments = [line.start_s, *times, line.end_s]
    for text, (start_s, end_s) in zip(texts, itertools.pairwise(moments), strict=True):
        if end_s > start_s:
            yield Cue(start_s, end_s, text)


def _word_clock(line: _Spoken) -> Callable[[int], float] | None:
    """When the n-th letter is said; None where the words are not those of the text."""
    letters = ["".join(word.text.split()) for word in line.words]
    if not letters or "".join(letters) != "".join(line.text.split()):
        return None
    firsts = [0, *itertools.accumulate(len(word) for word in letters)]

    def said_s(letter: int) -> float:
        at = min(bisect.bisect_right(firsts, letter) - 1, len(letters) - 1)
        word = line.words[at]
        return word.start_s + (word.end_s - word.start_s) * (letter - firsts[at]) / max(len(letters[at]), 1)

    return said_s
