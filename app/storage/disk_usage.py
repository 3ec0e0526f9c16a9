"""Measures the disk usage of folders. Unchanged folders are not read again: a folder's modification time shows whether
files were added or removed."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Final

import msgspec

_SETTLED_S: Final = 2.0  # a folder that changed just now may change again within the resolution of its time


class FolderUsage(msgspec.Struct, frozen=True):
    """Files, their bytes, and when the oldest was written (None without files)."""

    count: int = 0
    bytes: int = 0
    oldest_at: float | None = None

    def __add__(self, other: FolderUsage) -> FolderUsage:
        ages = [at for at in (self.oldest_at, other.oldest_at) if at is not None]
        return FolderUsage(self.count + other.count, self.bytes + other.bytes, min(ages, default=None))


class _Folder(msgspec.Struct, frozen=True):
    mtime_ns: int
    own: FolderUsage
    inner: tuple[str, ...]


class DiskUsage:
    """Tallies of folders. The memory that it takes grows with the folders, not with the files. Any thread may ask; it
    blocks on the disk."""

    def __init__(self) -> None:
        self._known: dict[str, _Folder] = {}
        self._lock = threading.Lock()

    def of(self, path: Path) -> FolderUsage:
        """A folder with all that is in it, or one file; empty where there is none. Links are not followed."""
        with self._lock:
            return self._folder(str(path)) if path.is_dir() else _file(path)

    def _folder(self, path: str) -> FolderUsage:
        try:
            mtime_ns = Path(path).stat().st_mtime_ns
            known = self._known.get(path)
            if known is None or known.mtime_ns != mtime_ns:
                before, known = known, _read(path, mtime_ns)
                for name in set(before.inner) - set(known.inner) if before else ():
                    self._known.pop(f"{path}/{name}", None)
                if time.time() - mtime_ns / 1e9 > _SETTLED_S:
                    self._known[path] = known
        except (FileNotFoundError, NotADirectoryError):
            self._known.pop(path, None)
            return FolderUsage()
        total = known.own
        for name in known.inner:
            total += self._folder(f"{path}/{name}")
        return total


def _read(path: str, mtime_ns: int) -> _Folder:
    count, size, oldest = 0, 0, float("inf")
    inner = []
    with os.scandir(path) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                inner.append(entry.name)
                continue
            try:
                status = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            count, size, oldest = count + 1, size + status.st_size, min(oldest, status.st_mtime)
    return _Folder(mtime_ns, FolderUsage(count, size, oldest if count else None), tuple(inner))


def _file(path: Path) -> FolderUsage:
    try:
        status = path.stat()
    except FileNotFoundError:
        return FolderUsage()
    return FolderUsage(1, status.st_size, status.st_mtime)
