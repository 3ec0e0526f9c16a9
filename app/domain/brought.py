"""What is told of a subtitle file that a person brought: how it was read, and what in it was not right."""

from __future__ import annotations

import msgspec


class Fault(msgspec.Struct, frozen=True):
    """One thing in a file that was not right. `line` counts from 1, 0 where it is not one line's matter; `done` says what became of it.

    `left_out`: what stood there is not among the lines; else it was repaired.
    """

    line: int
    what: str
    done: str
    left_out: bool
