"""Keeps what is separated, piece by piece, so that a killed run goes on after the last one. Runs in a child process."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from app.dubbing.mixing.cache_file import load, store
from app.media.lossless import Pcm, packed, unpacked

_SUFFIX: Final = ".piece"


class KeptPieces:
    """In `folder`, `count` pieces in all; a damaged one is as good as none."""

    def __init__(self, folder: Path, count: int) -> None:
        self._folder, self._count = folder, count
        folder.mkdir(parents=True, exist_ok=True)
        self.found = next((number for number in range(count) if load(self._file(number)) is None), count)
        """How many pieces from the first on are there."""

    def keep(self, number: int, samples: Pcm) -> None:
        """Found by the next run when this returns."""
        store(self._file(number), packed(samples))

    def all(self) -> Iterator[Pcm]:
        """Every piece in order. Raises OSError for one that is damaged after all."""
        for number in range(self._count):
            data = load(self._file(number))
            if data is None:
                raise OSError(f"piece {number} of {self._folder.name} is gone")
            yield unpacked(data)

    def _file(self, number: int) -> Path:
        return self._folder / f"{number:06}{_SUFFIX}"
