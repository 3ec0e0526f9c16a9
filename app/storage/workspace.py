"""Scratch: folders for work in progress. Nothing here is needed after a crash; what lies here at start-up is litter."""

from __future__ import annotations

import contextlib
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path


class Workspace:
    """A folder of scratch folders on the same file system as the blobs, so that finished files move by rename."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self._open: set[Path] = set()
        root.mkdir(parents=True, exist_ok=True)

    @contextlib.contextmanager
    def folder(self, name: str) -> Iterator[Path]:
        """A new empty folder, deleted with its contents when the block ends. `name` is an id; it helps people who
        look."""
        path = self.root / f"{name}-{secrets.token_hex(4)}"
        self._open.add(path)
        path.mkdir(parents=True)
        try:
            yield path
        finally:
            shutil.rmtree(path, ignore_errors=True)
            self._open.discard(path)

    def sweep(self) -> int:
        """Delete what belongs to no running task of this process; returns how many entries. Only the owner of the data
        folder may ask."""
        entries = [entry for entry in self.root.iterdir() if entry not in self._open]
        for entry in entries:
            if entry.is_dir():
                shutil.rmtree(entry, ignore_errors=True)
            else:
                entry.unlink(missing_ok=True)
        return len(entries)
