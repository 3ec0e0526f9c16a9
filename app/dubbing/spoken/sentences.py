"""Cuts recognised speech anew: lines are sentences, by the times of words.

A line ends where a sentence ends or at a pause, lasts 1 to 12 s, and fits into two subtitle rows. What is too long is
parted between clauses, never inside a word or a phrase; what is too short joins its neighbour. Every word is kept, in
order, once. Pure: text and times in, lines out.
"""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from app.domain.media import MAX_TEXT_CHARACTERS
from app.domain.segment import Segment, Word
from app.dubbing.spoken.joining import glue, timed
from app.dubbing.spoken.phrases import cut_cost, sentence_ends
from app.dubbing.spoken.unspeakable import is_spaceless
from app.dubbing.subtitles.cues import Cue
from app.dubbing.subtitles.line_breaks import LINE_CHARACTERS, break_lines, columns

LONGEST_S: Final = 12.0
SHORTEST_S: Final = 1.0
PAUSE_S: Final = 0.8  # ends a line, also inside a sentence
_NEAR_S: Final = 0.5  # a short line joins a neighbour that is this near
_MOST_ROWS: Final = 2
_WIDE_COLUMNS: Final = 32  # 16 characters a row, the usual limit for Chinese, Japanese and Korean
_SOUND: Final = ("[", "(", "♪", "♫", "*", "（", "【")
_LINE: Final = 4.0  # what one more line costs, against the costs of `cut_cost`
_TOO_SHORT: Final = 12.0


class Said(msgspec.Struct, frozen=True):
    """A word with what clings to it, and the white space before it. Times are seconds of the recording."""

    text: str
    gap: str
    start_s: float
    end_s: float


def recut(segments: Sequence[Segment], language: str) -> tuple[Segment, ...]:
    """The recognised segments (in order) as lines. What is described ("[Music]") stays as it came, and so do short
    segments without times of words and without punctuation."""
    lines: list[Segment] = []
    for alike in _alike(segments):
        if _is_sound(alike[0]) or _tells_nothing(alike):
            lines += alike
            continue
        words = _words(alike)
        sentences = [part for run in _runs(words, language) for part in _parted(run, language)]
        lines += (_segment(part, alike[0].speaker) for part in _joined(sentences))
    return tuple(lines)


def unfinished(lines: Sequence[Segment], done_s: float, language: str) -> bool:
    """Whether the last line may go on after `done_s`, where the recogniser's chunk ended: no pause follows it, and it
    is short, or no sentence ends with it."""
    if not lines or _is_sound(lines[-1]):
        return False
    last = lines[-1]
    if done_s - last.end_s >= PAUSE_S:
        return False
    return last.end_s - last.start_s < LONGEST_S / 2 or not sentence_ends(last.text, "", 0.0, language)


def _tells_nothing(segments: Sequence[Segment]) -> bool:
    """Whether there are neither times of words nor ends of sentences to cut by, and nothing is too long: the segments
    are all that is known."""
    return not any(
        one.words or one.end_s - one.start_s > LONGEST_S or sentence_ends(one.text, "", 0.0, "") for one in segments
    )


def _is_sound(segment: Segment) -> bool:
    return segment.text.lstrip().startswith(_SOUND)


def _alike(segments: Sequence[Segment]) -> Iterator[list[Segment]]:
    """Neighbours of one speaker; what is described stands alone."""
    run: list[Segment] = []
    for segment in segments:
        if run and (_is_sound(segment) or _is_sound(run[0]) or segment.speaker != run[0].speaker):
            yield run
            run = []
        run.append(segment)
    if run:
        yield run


def _words(segments: Sequence[Segment]) -> list[Said]:
    """All words; those without times get their share of their segment's. What is written together is one word, and
    punctuation clings to the word before it."""
    found: list[Said] = []
    for segment in segments:
        text = segment.text.strip()
        placed = timed(Cue(segment.start_s, segment.end_s, text, segment.words))
        if not segment.words:
            placed = tuple(letter for word, span in placed for letter in _letters(word, span))
        end = 0
        for word, (first, last) in placed:
            gap = " " if first > end or (end == 0 and found and glue(found[-1].text, text[first:last])) else ""
            end = last
            clings = found and not gap and not (_open(found[-1].text) and _open_first(text[first:last]))
            if clings:
                before = found.pop()
                found.append(
                    Said(before.text + text[first:last], before.gap, before.start_s, max(before.end_s, word.end_s))
                )
            else:
                start_s = max(word.start_s, found[-1].end_s) if found else word.start_s
                found.append(Said(text[first:last], gap, start_s, max(start_s, word.end_s)))
    return found


def _letters(word: Word, span: tuple[int, int]) -> Iterator[tuple[Word, tuple[int, int]]]:
    """A word of a script without spaces, letter by letter; any other one as it is."""
    if not any(map(is_spaceless, word.text)):
        yield word, span
        return
    each_s = (word.end_s - word.start_s) / len(word.text)
    for number, letter in enumerate(word.text):
        start_s = word.start_s + number * each_s
        yield Word(letter, start_s, start_s + each_s), (span[0] + number, span[0] + number + 1)


def _open(text: str) -> bool:
    """Whether something may follow in the next line though no space does: scripts without spaces, after a word."""
    return is_spaceless(text[-1]) and text[-1] not in "「『（【《"


def _open_first(text: str) -> bool:
    return is_spaceless(text[0]) and text[0].isalnum()


def _text(words: Sequence[Said]) -> str:
    return "".join(word.gap + word.text for word in words).strip()


def _runs(words: Sequence[Said], language: str) -> Iterator[list[Said]]:
    """From one end of a sentence, or long pause, to the next."""
    run: list[Said] = []
    for number, word in enumerate(words):
        run.append(word)
        following = words[number + 1] if number + 1 < len(words) else None
        if following is None:
            break
        pause_s = following.start_s - word.end_s
        if pause_s >= PAUSE_S or sentence_ends(_text(run[-3:]), following.text, pause_s, language):
            yield run
            run = []
    if run:
        yield run


def _fits(words: Sequence[Said]) -> bool:
    if len(words) == 1:
        return True
    text = _text(words)
    return (
        words[-1].end_s - words[0].start_s <= LONGEST_S
        and len(text) <= MAX_TEXT_CHARACTERS
        and len(break_lines(text, _WIDE_COLUMNS if is_wide(text) else LINE_CHARACTERS)) <= _MOST_ROWS
    )


def is_wide(text: str) -> bool:
    """Whether it is written in characters that take two columns: Chinese, Japanese, Korean."""
    return columns(text) > 1.5 * len(text)


def _parted(run: Sequence[Said], language: str) -> list[list[Said]]:
    """The run in the cheapest lines that fit: few of them, cut at good places, none very short."""
    if _fits(run):
        return [list(run)]
    count = len(run)
    cost = [0.0] + [float("inf")] * count
    came_from = [0] * (count + 1)
    for end in range(1, count + 1):
        at_end = 0.0
        if end < count:
            pause_s = run[end].start_s - run[end - 1].end_s
            left = _text(run[max(0, end - 3) : end])
            at_end = cut_cost(left, run[end].text, pause_s, language, spaced=bool(run[end].gap))
        for start in range(end - 1, -1, -1):
            part = run[start:end]
            if not _fits(part):
                break
            length_s = part[-1].end_s - part[0].start_s
            short = _TOO_SHORT * max(0.0, 1.0 - length_s / (2 * SHORTEST_S))
            price = cost[start] + _LINE + at_end + short
            if price < cost[end]:
                cost[end], came_from[end] = price, start
    ends = [count]
    while ends[-1]:
        ends.append(came_from[ends[-1]])
    ends.reverse()
    return [list(run[a:b]) for a, b in itertools.pairwise(ends)]


def _joined(lines: list[list[Said]]) -> list[list[Said]]:
    """Lines shorter than SHORTEST_S join the nearer neighbour, where both fit together."""
    done: list[list[Said]] = []
    waiting = lines[::-1]
    while waiting:
        line = waiting.pop()
        if line[-1].end_s - line[0].start_s >= SHORTEST_S:
            done.append(line)
            continue
        before_s = line[0].start_s - done[-1][-1].end_s if done and _fits(done[-1] + line) else float("inf")
        after_s = waiting[-1][0].start_s - line[-1].end_s if waiting and _fits(line + waiting[-1]) else float("inf")
        if min(before_s, after_s) > _NEAR_S:
            done.append(line)
        elif before_s <= after_s:
            done[-1] = done[-1] + line
        else:
            waiting.append(line + waiting.pop())
    return done


def _segment(words: Sequence[Said], speaker: str) -> Segment:
    text = _text(words)
    timed_words = tuple(
        Word(word.text if number == 0 else word.gap + word.text, word.start_s, word.end_s)
        for number, word in enumerate(words)
    )
    return Segment(
        uuid.uuid4().hex,
        words[0].start_s,
        words[-1].end_s,
        text=text,
        source_text=text,
        speaker=speaker,
        skip=False,
        words=timed_words,
    )
