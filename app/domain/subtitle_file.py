"""What is told of a subtitle file that a person brought: how it was read, and what in it was not right."""

from __future__ import annotations

from typing import Final

import msgspec

MOST_FAULTS: Final = 50  # that are told one by one


class Fault(msgspec.Struct, frozen=True):
    """One thing in a file that was not right. `line` counts from 1, 0 where it is not one line's matter; `done` says what became of it.

    `left_out`: what stood there is not among the lines; else it was repaired.
    """

    line: int
    what: str
    done: str
    left_out: bool


class BroughtSubtitles(msgspec.Struct, frozen=True):
    """How a subtitle file was read. `format` is "srt", "vtt" or "ass"; `cues` counts those that can be used.

    `encoding` is what its bytes were taken for; `guessed`: nothing in the file says so, and `sample`, a text of it with letters that tell, shows
    whether it is right. `rolling`: its captions roll, and each phrase was taken once. `left_out` and `repaired` count the `faults`, of which the
    first 50 are told.
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
