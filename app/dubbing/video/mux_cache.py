"""Keeps a finished video until it is in the store, so that a kill in between needs no second mux.

A killed mux goes on where it was, but for the one that FFmpeg does in one run. What comes after it (the video is read,
and hashed) is work of its own.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Final

import msgspec

from app.dubbing.mixing.cache_file import load, store
from app.system.durable_files import Durable, move

_FACTS: Final = "made"
_STEPS: Final = "sha256"
_PIECES: Final = "pieces"


class Muxed(msgspec.Struct, frozen=True):
    """A video in the scratch folder or in the cache. `picture` and `encoded_for` as in `Finished`."""

    path: str
    picture: str
    encoded_for: str | None


class MuxCache:
    """In a folder of a job's cache; `name` is the hash of all that decides the video. Methods block."""

    def __init__(self, cache: Path, name: str) -> None:
        self._folder = cache / f"mux-{name}"
        for other in cache.glob("mux-*"):
            if other != self._folder:
                shutil.rmtree(other, ignore_errors=True)

    @property
    def steps(self) -> Path:
        """Where the video's hash is kept on the way."""
        return self._folder / _STEPS

    @property
    def pieces(self) -> Path:
        """A folder for what a mux has copied so far."""
        return self._folder / _PIECES

    def find(self) -> Muxed | None:
        data = load(self._folder / _FACTS)
        found = None if data is None else msgspec.json.decode(data, type=Muxed)
        return found if found is not None and Path(found.path).exists() else None

    def keep(self, made: Muxed) -> Muxed:
        """Move it here; it is on disk when this returns."""
        source = Path(made.path)
        stored = msgspec.structs.replace(made, path=str(self._folder / source.name))
        self._folder.mkdir(parents=True, exist_ok=True)
        move(source, Path(stored.path), durable=Durable.CONTENT)
        store(self._folder / _FACTS, msgspec.json.encode(stored))
        shutil.rmtree(self.pieces, ignore_errors=True)
        return stored


def forget_muxed(cache: Path) -> None:
    """Delete what was kept in a job's cache."""
    for folder in cache.glob("mux-*"):
        shutil.rmtree(folder, ignore_errors=True)
