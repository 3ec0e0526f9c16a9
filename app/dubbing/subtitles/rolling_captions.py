"""Unrolls rolling captions (YouTube's own, live captions), which repeat earlier text: each phrase is taken once, with
its true time.

A YouTube cue shows the phrase before above the new one, and a cue of 10 ms stands between any two. A file is taken to
roll by what most of its cues do, so that a person who says the same thing twice is still heard twice.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from app.domain.segment import Word
from app.dubbing.subtitles.cue_repair import RawCue
from app.dubbing.subtitles.cues import Cue

_TOGETHER_S: Final = 0.25  # cues further apart than this do not show one text that rolls on
_FLASH_S: Final = 0.05  # a cue this short is not meant to be read
_ROLLS: Final = 0.4  # of the cues that follow another at once
_OVERLAPS: Final = 0.7
_FEW: Final = 2
_WORD_S: Final = 0.25  # a last word is taken to last this long, and so much more for each letter
_LETTER_S: Final = 0.08
_LONGEST_GROWN: Final = 300  # characters; a text that grows beyond this goes on as a phrase of its own
# A word, or one character of the scripts that put no spaces between words.
_UNSPACED: Final = "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u2e80-\u312f\u31a0-\u9fff\uf900-\ufaff\uff00-\uffef"
_TOKEN: Final = re.compile(rf"[{_UNSPACED}]|[^\s{_UNSPACED}]+")


class _Shown(msgspec.Struct, frozen=True):
    """A cue with its tokens: the words, where each begins in the text, and how many of them the last line has."""

    raw: RawCue
    words: tuple[str, ...]
    places: tuple[int, ...]
    last_line: int


def unrolled(raws: Sequence[RawCue]) -> tuple[list[Cue], bool]:
    """The cues of a file, sorted by time, and whether it was found to roll."""
    shown = [_shown(raw) for raw in raws]
    if not _rolls(shown):
        return [_cue(raw) for raw in _one_after_another(raws)], False
    return [_cue(raw) for raw in _phrases(shown)], True


def _shown(raw: RawCue) -> _Shown:
    found = list(_TOKEN.finditer(raw.text))
    last = raw.text.rfind("\n") + 1
    return _Shown(
        raw, tuple(m[0] for m in found), tuple(m.start() for m in found), sum(m.start() >= last for m in found)
    )


def _rolls(shown: Sequence[_Shown]) -> bool:
    """Whether most cues that follow another begin with its last line and go on, or flash it up again."""
    pairs = rolled = 0
    for before, cue in itertools.pairwise(shown):
        if not _follows(before.raw, cue.raw) or cue.raw.start_s <= before.raw.start_s:
            continue
        pairs += 1
        repeated = _repeated(before, cue)
        flash = _end_s(cue.raw) - cue.raw.start_s <= _FLASH_S < _end_s(before.raw) - before.raw.start_s
        rolled += repeated == len(cue.words) if flash else 0 < repeated < len(cue.words)
    return rolled >= _FEW and rolled >= _ROLLS * pairs


def _follows(before: RawCue, cue: RawCue) -> bool:
    return cue.start_s <= _end_s(before) + _TOGETHER_S


def _repeated(before: _Shown, cue: _Shown) -> int:
    """How many words at the cue's beginning are the last ones of the cue before: at least its whole last line, else
    none."""
    most = min(len(before.words), len(cue.words))
    for count in range(most, 0, -1):
        if before.words[-count:] == cue.words[:count]:
            return count if count >= min(before.last_line, len(cue.words)) else 0
    return 0


def _phrases(shown: Sequence[_Shown]) -> Iterator[RawCue]:
    """What is new in each cue. A line that is written on while it is shown is one phrase."""
    phrase: RawCue | None = None
    before: _Shown | None = None
    for cue in shown:
        repeated = _repeated(before, cue) if before is not None and _follows(before.raw, cue.raw) else 0
        before = cue
        if repeated == len(cue.words):
            continue
        raw = cue.raw
        place = cue.places[repeated]
        marks = tuple((at - place, time_s) for at, time_s in raw.marks if at >= place)
        new = msgspec.structs.replace(raw, text=raw.text[place:], marks=marks)
        between = raw.text[cue.places[repeated - 1] + len(cue.words[repeated - 1]) : place] if repeated else "\n"
        if phrase is not None and "\n" not in between and len(phrase.text) < _LONGEST_GROWN:
            joint = phrase.text + between
            moved = tuple((at + len(joint), time_s) for at, time_s in (marks or ((0, raw.start_s),)))
            phrase = msgspec.structs.replace(
                phrase, text=joint + new.text, end_s=raw.end_s, marks=(phrase.marks or ((0, phrase.start_s),)) + moved
            )
            continue
        if phrase is not None:
            yield _until(phrase, new.start_s)
        phrase = new
    if phrase is not None:
        yield phrase


def _one_after_another(raws: Sequence[RawCue]) -> list[RawCue]:
    """Where nearly every cue still shows when the next begins, that is for reading: a phrase is said until the next one
    begins."""
    pairs = list(itertools.pairwise(raws))
    over = sum(after.start_s < _end_s(before) and after.start_s > before.start_s for before, after in pairs)
    if over < 4 or over < _OVERLAPS * len(pairs):
        return list(raws)
    return [_until(before, after.start_s) for before, after in pairs] + list(raws[-1:])


def _until(raw: RawCue, end_s: float) -> RawCue:
    return msgspec.structs.replace(raw, end_s=end_s) if raw.start_s < end_s < _end_s(raw) else raw


def _end_s(raw: RawCue) -> float:
    return raw.start_s if raw.end_s is None else raw.end_s


# ---- words


def _cue(raw: RawCue) -> Cue:
    return Cue(raw.start_s, _end_s(raw), raw.text, _words(raw), raw.speaker)


def _words(raw: RawCue) -> tuple[Word, ...]:
    """The text's words by the times inside it; none where there are none, or they do not go forward within the cue."""
    end_s = _end_s(raw)
    times_s = [raw.start_s, *(time_s for _, time_s in raw.marks), end_s]
    if not raw.marks or any(after < before for before, after in itertools.pairwise(times_s)):
        return ()
    starts = {0: raw.start_s} | {at: time_s for at, time_s in raw.marks if at}
    runs: list[tuple[float, list[str]]] = []  # a known time, and the words until the next
    behind = 0
    for found in _TOKEN.finditer(raw.text):
        spaced, text = found.start() > behind, found[0]
        behind = found.end()
        if found.start() in starts:
            runs.append((starts[found.start()], [f" {text}" if spaced else text]))
        elif spaced:
            runs[-1][1].append(f" {text}")
        else:  # characters without spaces: one word until a time stands between them
            runs[-1][1][-1] += text
    until = [*(start_s for start_s, _ in runs[1:]), end_s]
    words: list[Word] = []
    for (start_s, texts), until_s in zip(runs, until, strict=True):
        letters = [len(text.strip()) for text in texts]
        if until_s is end_s:  # a cue is shown for longer than its last word is said
            until_s = min(end_s, start_s + _WORD_S * len(texts) + _LETTER_S * sum(letters))
        ends = [start_s + (until_s - start_s) * upto / sum(letters) for upto in itertools.accumulate(letters)]
        words.extend(
            Word(text, round(begin_s, 3), round(stop_s, 3))
            for text, begin_s, stop_s in zip(texts, [start_s, *ends], ends, strict=False)
        )
    return tuple(words)
