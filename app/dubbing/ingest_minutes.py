"""Saves the work of ingest minute by minute, so that a killed run continues after the last one. Runs in a child
process: it imports numpy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from app.dubbing.mixing.cache_file import load, store
from app.dubbing.mixing.loudness import SAMPLE_RATE_HZ, Doubles
from app.media.decode import SeekPoint, Trail

# whole peaks (512), whole energies (4,800), whole samples of speech (3); half a second of work
MINUTE_N: Final = 60 * SAMPLE_RATE_HZ
RUN_UP_N: Final = 4 * SAMPLE_RATE_HZ  # heard again before a minute: resampler and weighting forget in less
_SPARE_N: Final = 8 * SAMPLE_RATE_HZ  # from 44.1 kHz, a frame begins at a whole sample every 3.4 s
_SUFFIX: Final = ".minute"


class Minute(msgspec.Struct, frozen=True):
    """What one more minute (or some) gave. `until_n`: where it ends; `place`: from where a decode gets into the run-up
    of the next one."""

    until_n: int
    place: SeekPoint
    speech: bytes
    peaks: bytes
    energies: bytes


class Minutes:
    """In `folder`; without one nothing is kept. A damaged file ends what is found."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder
        self._energies: list[bytes] = []
        self.begun_n = 0  # what was found ends there
        self.place: SeekPoint | None = None
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            for minute in self._read():
                self.begun_n, self.place = minute.until_n, minute.place
                self._energies.append(minute.energies)
        self._found = self._count = len(self._energies)
        self.until_n = self.begun_n

    @property
    def from_n(self) -> int:
        """Where the sound is to be heard from."""
        return self.begun_n - RUN_UP_N if self._found else 0

    def trail(self) -> Trail:
        """For the decode that goes on."""
        trail = Trail(self.place)
        _look(trail, self.begun_n + MINUTE_N)
        return trail

    def found(self) -> Iterator[Minute]:
        """What earlier runs kept, in order."""
        for _, minute in zip(range(self._found), self._read(), strict=False):
            yield minute

    def energies(self) -> Doubles:
        """Those of the minutes that were found."""
        return np.frombuffer(b"".join(self._energies), "<f8")

    def end_at(self, done_n: int, trail: Trail) -> SeekPoint | None:
        """Where the next run would begin, if a minute ends here; None where none does, or where no decode could begin
        anew (a hole, a frame of some seconds): the next minute then has this one too.
        """
        if self._folder is None or done_n % MINUTE_N or done_n <= self.until_n:
            return None
        place = trail.place
        _look(trail, done_n + MINUTE_N)
        return place

    def keep(self, minute: Minute) -> None:
        """Found by the next run when this returns."""
        if self._folder is not None:
            store(self._folder / f"{self._count:06}{_SUFFIX}", msgspec.msgpack.encode(minute))
            self._count, self.until_n = self._count + 1, minute.until_n

    def _read(self) -> Iterator[Minute]:
        number = 0
        while self._folder is not None and (data := load(self._folder / f"{number:06}{_SUFFIX}")) is not None:
            try:
                minute = msgspec.msgpack.decode(data, type=Minute)
            except msgspec.MsgspecError:  # of another version
                return
            yield minute
            number += 1


def _look(trail: Trail, until_n: int) -> None:
    """For a place from which the run-up to `until_n` can be heard."""
    trail.look(until_n - RUN_UP_N - _SPARE_N, until_n - RUN_UP_N)
