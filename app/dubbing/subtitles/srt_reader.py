"""Reads SRT as programs write it. As in FFmpeg, all text between two lines of times belongs to the first."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from app.dubbing.subtitles.cue_repair import FileFaults, RawCue
from app.dubbing.subtitles.cue_times import Times, are_broken_times, is_clock, times_of
from app.dubbing.subtitles.markup import marked, voices

_COUNTER: Final = re.compile(r"\s*#?(\d{1,9})[.:)]?\s*$")
_SETTINGS: Final = re.compile(r"(?:[XY][12]:|\w+:\S|\{\\|\d+%)")
_DOUBLE_SPACED = 0.5  # with more cues than this share having an empty line inside, it is the program's way


class _CueHead(msgspec.Struct, frozen=True):
    """Where a cue begins: its line of times (an index), what they are (None: they cannot be read), the number before
    it."""

    at: int
    times: Times | None
    counter: int | None
    first: int  # the index of the first line that belongs to it: the number's, or that of the times


def cues(lines: Sequence[str], notes: FileFaults) -> Iterator[RawCue]:
    """The cues in the file's order."""
    heads = _heads(lines)
    _note_head(lines, heads[0].first if heads else len(lines), notes)
    gaps: list[int] = []
    for number, head in enumerate(heads):
        until = heads[number + 1].first if number + 1 < len(heads) else len(lines)
        body = list(lines[head.at + 1 : until])
        if number + 1 == len(heads):
            body = _without_unfinished(body, head, notes)
        if head.times is None:
            notes.left_out(head.at + 1, "the times cannot be read")
            continue
        start, end = _trimmed(body)
        inside = [at for at in range(start, end) if not body[at]]
        if inside:
            gaps.append(head.at + 2 + inside[0] + 1)
        text = "\n".join(body[start:end])
        if not text and head.times.rest and not _SETTINGS.match(head.times.rest):
            text = head.times.rest
        if not text and number + 1 == len(heads):
            notes.left_out(head.at + 1, "the file ends inside a cue")
            continue
        said, marks = marked(text)
        names = voices(text)
        yield RawCue(
            head.at + 1, head.times.start_s, head.times.end_s, said, names[0] if len(names) == 1 else "", marks
        )
    if len(gaps) > max(3, _DOUBLE_SPACED * len(heads)):
        notes.repaired(gaps[0], f"{len(gaps)} cues have an empty line inside", "what follows it belongs to the cue")
    else:
        for line in gaps:
            notes.repaired(line, "an empty line inside the cue", "what follows it belongs to the cue")


def numbers(lines: Sequence[str]) -> dict[float, int]:
    """The numbers of the cues by when these begin; of several that begin at once, none."""
    found: dict[float, list[int | None]] = {}
    for head in _heads(lines):
        if head.times is not None:
            found.setdefault(max(head.times.start_s, 0.0), []).append(head.counter)
    return {start_s: some[0] for start_s, some in found.items() if len(some) == 1 and some[0] is not None}


def _heads(lines: Sequence[str]) -> list[_CueHead]:
    heads: list[_CueHead] = []
    for at, line in enumerate(lines):
        if ":" not in line and "." not in line and "\uff1a" not in line:
            continue
        after = heads[-1].at + 1 if heads else 0
        counter = _counter(lines, at, after, heads[-1] if heads else None)
        found = times_of(line)
        if found is None:
            opens = counter is not None or at == after or not lines[at - 1].strip()
            if not (opens and are_broken_times(line)) and not (counter is not None and is_clock(line)):
                continue
        number, first = counter if counter is not None else (None, at)
        heads.append(_CueHead(at, found, number, first))
    return heads


def _counter(lines: Sequence[str], at: int, after: int, before: _CueHead | None) -> tuple[int, int] | None:
    """The number of the cue whose times stand at `at`, and its index, when there is one: right above, or above empty
    lines where it counts on."""
    above = at - 1
    while above >= after and not lines[above].strip():
        above -= 1
    if above < after:
        return None
    found = _COUNTER.match(lines[above])
    if found is None:
        return None
    number = int(found[1])
    counts_on = before is None or (before.counter is not None and number == before.counter + 1)
    stands_alone = above - 1 < after or not lines[above - 1].strip()
    # the only line below the times of the cue before: its text
    spoken = before is not None and above == after and not counts_on
    if (
        counts_on
        or (above == at - 1 and stands_alone and not spoken)
        or (above == at - 1 and before is not None and before.counter is not None)
    ):
        return number, above
    return None


def _trimmed(body: Sequence[str]) -> tuple[int, int]:
    start, end = 0, len(body)
    while start < end and not body[start].strip():
        start += 1
    while end > start and not body[end - 1].strip():
        end -= 1
    return start, end


def _note_head(lines: Sequence[str], until: int, notes: FileFaults) -> None:
    first = next((at for at in range(until) if lines[at].strip()), None)
    if first is not None:
        notes.left_out(first + 1, "text before the first cue", cue=False)


def _without_unfinished(body: list[str], head: _CueHead, notes: FileFaults) -> list[str]:
    """The last cue's text, without the number of a cue that was never written."""
    _, end = _trimmed(body)
    if end < 2 or body[end - 2].strip():
        return body
    found = _COUNTER.match(body[end - 1])
    if found is None or head.counter is None or int(found[1]) != head.counter + 1:
        return body
    notes.left_out(head.at + 1 + end, "the file ends inside a cue", cue=False)
    return body[: end - 1]
