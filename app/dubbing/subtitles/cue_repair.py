"""Repairs the cues of a file: corrects times where possible, and records every fault."""

from __future__ import annotations

import bisect
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

from app.domain.media import MAX_TEXT_CHARACTERS
from app.domain.subtitle_file import Fault
from app.dubbing.subtitles.cue_times import MAX_TIME_S

_READ_CPS: Final = 15.0  # how fast a cue is taken to be spoken whose end is not known
_SHORTEST_S: Final = 1.0
_LONGEST_S: Final = 7.0


class RawCue(msgspec.Struct, frozen=True):
    """A cue as it stands in the file. `line` is that of its times; `end_s` is None where it cannot be read.

    `marks` are times inside the text: (which character of `text` comes next, when).
    """

    line: int
    start_s: float
    end_s: float | None
    text: str
    speaker: str = ""
    marks: tuple[tuple[int, float], ...] = ()


class FileFaults:
    """What was not right in a file. `lost` counts cues that are left out, `empty` those that say nothing."""

    def __init__(self) -> None:
        self.faults: list[Fault] = []
        self.lost = self.empty = 0

    def repaired(self, line: int, what: str, done: str) -> None:
        self.faults.append(Fault(line, what, done, False))

    def left_out(self, line: int, what: str, *, cue: bool = True) -> None:
        self.lost += cue
        self.faults.append(Fault(line, what, "left out", True))


def settled(raws: Iterable[RawCue], notes: FileFaults) -> list[RawCue]:
    """The cues that can be used, sorted by time, 0 <= start_s < end_s.

    A negative start becomes 0. An end that is missing, or not behind the start, is set by the length of the text,
    before the next cue.
    """
    usable = [raw for raw in raws if _usable(raw, notes)]
    starts = sorted({max(raw.start_s, 0.0) for raw in usable})
    done = sorted((_repaired(raw, starts, notes) for raw in usable), key=lambda raw: (raw.start_s, raw.end_s))
    notes.faults.sort(key=lambda fault: fault.line)
    return done


def _usable(raw: RawCue, notes: FileFaults) -> bool:
    if not raw.text:
        notes.empty += 1
        return False
    if len(raw.text) > MAX_TEXT_CHARACTERS:
        notes.left_out(raw.line, f"the cue has more than {MAX_TEXT_CHARACTERS} characters")
    elif max(raw.start_s, raw.end_s or 0.0) > MAX_TIME_S:
        notes.left_out(raw.line, f"the cue is later than {MAX_TIME_S / 3600:.0f} hours")
    elif raw.start_s < 0 and (raw.end_s is None or raw.end_s <= 0):
        notes.left_out(raw.line, "the cue is before the video's start")
    else:
        return True
    return False


def _repaired(raw: RawCue, starts: Sequence[float], notes: FileFaults) -> RawCue:
    if raw.start_s < 0:
        notes.repaired(raw.line, "the cue starts before the video", "starts at 0 s")
        raw = msgspec.structs.replace(raw, start_s=0.0)
    if raw.end_s is not None and raw.end_s > raw.start_s:
        return raw
    wish_s = raw.start_s + min(max(len(raw.text) / _READ_CPS, _SHORTEST_S), _LONGEST_S)
    following = bisect.bisect_right(starts, raw.start_s)
    end_s = round(min([wish_s, *starts[following : following + 1]]), 3)
    if end_s <= raw.start_s:
        end_s = raw.start_s + 0.001
    what = "the cue's end cannot be read" if raw.end_s is None else "the cue ends before it starts"
    if raw.end_s == raw.start_s:
        what = "the cue ends where it starts"
    notes.repaired(raw.line, what, f"ends at {end_s:g} s, by its length")
    return msgspec.structs.replace(raw, end_s=end_s)
