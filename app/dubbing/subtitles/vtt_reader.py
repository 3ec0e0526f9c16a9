"""WebVTT -> cues, in blocks as browsers read it: https://www.w3.org/TR/webvtt1/#file-parsing. Only an empty line ends a
block."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import Final

from app.dubbing.subtitles.cue_repair import FileFaults, RawCue
from app.dubbing.subtitles.cue_times import are_broken_times, times_of
from app.dubbing.subtitles.markup import marked, voices

_NO_CUE: Final = re.compile(r"(?:NOTE|STYLE|REGION)(?:\s|$)|[A-Z][A-Za-z-]*\s*[=:]\s*\S")


def is_vtt(lines: Sequence[str]) -> bool:
    """True when the first line that says something is WebVTT's."""
    first = next((line for line in lines[:20] if line.strip()), "").strip()
    return first.startswith("WEBVTT") and not first[6:7].strip()


def cues(lines: Sequence[str], notes: FileFaults) -> Iterator[RawCue]:
    """The cues in the file's order."""
    at = next(number for number, line in enumerate(lines) if line.strip()) + 1
    while at < len(lines) and lines[at] and times_of(lines[at]) is None:  # the header's other lines
        at += 1
    while at < len(lines):
        if not lines[at].strip():
            at += 1
            continue
        first = at
        block: list[str] = []
        while at < len(lines) and lines[at]:
            if len(block) > (times_of(block[0]) is None if block else 0) and _opens(lines, at):
                break
            block.append(lines[at])
            at += 1
        yield from _cue(block, first + 1, notes)


def _opens(lines: Sequence[str], at: int) -> bool:
    """Whether a cue begins here although no empty line stands before: by its times, or its name above them."""
    if times_of(lines[at]) is not None:
        return True
    return lines[at].strip().isdigit() and at + 1 < len(lines) and times_of(lines[at + 1]) is not None


def _cue(block: Sequence[str], line: int, notes: FileFaults) -> Iterator[RawCue]:
    for offset in range(min(2, len(block))):
        found = times_of(block[offset])
        if found is not None:
            text = "\n".join(block[offset + 1 :])
            said, marks = marked(text, is_vtt=True)
            names = voices(text)
            yield RawCue(line + offset, found.start_s, found.end_s, said, names[0] if len(names) == 1 else "", marks)
            return
    if _NO_CUE.match(block[0]):
        return
    broken = next((offset for offset in range(min(2, len(block))) if are_broken_times(block[offset])), None)
    if broken is not None:
        notes.left_out(line + broken, "the times cannot be read")
    else:
        notes.left_out(line, "text that belongs to no cue", cue=False)
