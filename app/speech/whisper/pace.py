"""Tells how far recognition has come at least every second, also inside a chunk that takes long.

A model gives nothing before a chunk is whole. Between two chunks the place is estimated from the speed so far; it
slows down before the chunk's end and never passes it.
"""

from __future__ import annotations

import contextlib
import math
import threading
import time
from collections.abc import Callable, Iterator
from typing import Final

_EVERY_S: Final = 1.0
_FIRST_SPEED: Final = 1.0  # seconds of the recording per second, before anything is known
_NEAREST: Final = 0.97  # of a chunk's length is told before it is done


class Pace:
    """`tell` gets the second of the recording that is being heard, from a thread of its own."""

    def __init__(self, start_s: float, tell: Callable[[float], None]) -> None:
        self._tell = tell
        self._changed = threading.Condition()
        self._at_s = self._told_s = start_s
        self._span: tuple[float, float, float] | None = None  # of the work under way: began, its first and last second
        self._spent_s = self._covered_s = 0.0
        self._ended = False

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """Tell while the block runs."""
        thread = threading.Thread(target=self._run, name="pace", daemon=True)
        thread.start()
        try:
            yield
        finally:
            with self._changed:
                self._ended = True
                self._changed.notify()
            thread.join()

    @contextlib.contextmanager
    def over(self, end_s: float, *, share: float = 1.0) -> Iterator[None]:
        """The block works on the recording up to `end_s`; `share`: on this much of what is to be done there."""
        began = time.monotonic()
        with self._changed:
            self._span = began, self._at_s, self._at_s + share * max(0.0, end_s - self._at_s)
        try:
            yield
        finally:
            with self._changed:
                if self._span is not None and share == 1.0:
                    self._spent_s += time.monotonic() - began
                    self._covered_s += self._span[2] - self._span[1]
                self._span = None

    def done(self, end_s: float) -> None:
        """Everything before `end_s` is done."""
        with self._changed:
            self._at_s = self._told_s = max(self._at_s, end_s)

    def estimate(self, now: float) -> float:
        """The second that is being heard at `now` (time.monotonic). Never goes back."""
        if self._span is not None:
            began, first_s, last_s = self._span
            speed = self._covered_s / self._spent_s if self._spent_s else _FIRST_SPEED
            length_s = last_s - first_s
            if length_s > 0:
                part = _NEAREST * (1 - math.exp(-max(0.0, now - began) * speed / length_s))
                self._told_s = max(self._told_s, first_s + part * length_s)
        return self._told_s

    def _run(self) -> None:
        with self._changed:
            while not self._changed.wait_for(lambda: self._ended, timeout=_EVERY_S):
                if self._span is not None:
                    self._tell(self.estimate(time.monotonic()))
