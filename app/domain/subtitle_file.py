"""How a subtitle file from the person was read, and its faults."""

from __future__ import annotations

from typing import Final

import msgspec

MOST_FAULTS: Final = 50  # faults listed individually


class Fault(msgspec.Struct, frozen=True):
    """One fault of a file. `line` counts from 1; 0 when the fault has no single line. `done` says what was done about
        it.

    `left_out`: the text is not among the lines; otherwise it was repaired.
    """

    line: int
    what: str
    done: str
    left_out: bool


class SubtitleReading(msgspec.Struct, frozen=True):
    """How a subtitle file was read. `format` is "srt", "vtt" or "ass"; `cues` counts those that can be used.

    `encoding` is the encoding used; `guessed`: the file does not state it, and `sample`, a text with telling letters,
    shows whether it is right. `rolling`: its captions roll, and each phrase was taken once. `left_out` and `repaired`
    count the `faults`, of which the first 50 are told.
    """

    format: str
    encoding: str
    guessed: bool
    sample: str
    cues: int
    rolling: bool
    left_out: int
    repaired: int
    faults: tuple[Fault, ...]
