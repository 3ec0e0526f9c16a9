"""The blob store: immutable files under keys made of ids and hashes only. `BlobStore` is what everybody knows of it,
`FolderBlobs` is a folder.

A write is complete or absent. Readers have the file; one that is deleted while it is read stays readable to its end.
All methods block: call them from threads.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from io import BufferedIOBase
from pathlib import Path
from typing import Final, Protocol

import msgspec

from app.system import disk_full, durable_files
from app.system.durable_files import Durable

_KEY: Final = re.compile(r"[a-z]+(/[A-Za-z0-9_-]{1,128}){1,3}(\.[a-z0-9]{1,8})?")


class Entry(msgspec.Struct, frozen=True):
    """A blob as a list of all has it. `written_at` is Unix time."""

    key: str
    size_bytes: int
    written_at: float


class BlobStore(Protocol):
    """The whole contract. Every method raises ValueError for a key that is not made of ids; FileNotFoundError is said
    where it is meant.

    Nobody but a store knows where its files lie: who needs a file with a path, as ffmpeg does, asks for a `local_copy`.
    """

    def exists(self, key: str) -> bool: ...

    def size_bytes(self, key: str) -> int:
        """Raises FileNotFoundError."""
        ...

    def open(self, key: str) -> BufferedIOBase:
        """The blob, to be read from its beginning and in any order. Raises FileNotFoundError."""
        ...

    def local_copy(self, key: str) -> AbstractContextManager[Path]:
        """A path at which the blob can be read while the block lasts, and that nobody writes to; its name ends as the
        key does.

        A folder gives its own file, and copies nothing. Raises FileNotFoundError.
        """
        ...

    def put(self, key: str, data: bytes, *, synced: bool = True) -> None:
        """Store bytes; they are on disk when this returns. Not `synced`: a killed process loses them no more, a machine
        without power may.

        Raises disk_full.
        """
        ...

    def adopt(self, source: Path, key: str) -> None:
        """Move a finished file in; it is on disk under its key when this returns, and gone from `source`. Raises
        disk_full."""
        ...

    def delete(self, key: str) -> None:
        """An absent blob is no error."""
        ...

    def entries(self) -> Iterator[Entry]:
        """All blobs, in any order; what is written or deleted meanwhile may be among them or not."""
        ...

    def sweep(self, *, older_than_s: float = 0.0, only_look: bool = False) -> tuple[int, int]:
        """Delete what killed writers left behind; returns how many files, and their bytes. At once only while nobody
        writes (at start-up)."""
        ...

    def free_bytes(self) -> int:
        """How many bytes more there is room for."""
        ...


def bytes_of(blobs: BlobStore, key: str) -> bytes:
    """All of a blob. Raises FileNotFoundError."""
    with blobs.open(key) as file:
        return file.read()


def sha256_of_blob(blobs: BlobStore, key: str) -> str:
    """The hash of a blob's bytes. Raises FileNotFoundError."""
    with blobs.open(key) as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class FolderBlobs:
    """A folder of blobs, each a file that is written by `app.system.durable_files`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(parents=True, exist_ok=True)

    def exists(self, key: str) -> bool:
        return self._path(key).is_file()

    def size_bytes(self, key: str) -> int:
        return self._path(key).stat().st_size

    def open(self, key: str) -> BufferedIOBase:
        return self._path(key).open("rb")

    @contextlib.contextmanager
    def local_copy(self, key: str) -> Iterator[Path]:
        path = self._path(key)
        path.stat()
        yield path

    def put(self, key: str, data: bytes, *, synced: bool = True) -> None:
        target = self._target(key)
        try:
            durable_files.write(target, data, durable=Durable.NAME if synced else Durable.NO)
        except OSError as error:
            raise disk_full.said(error) from error

    def adopt(self, source: Path, key: str) -> None:
        target = self._target(key)
        try:
            durable_files.move(source, target, durable=Durable.NAME)
        except OSError as error:
            raise disk_full.said(error) from error

    def delete(self, key: str) -> None:
        """The folders that it leaves empty go too."""
        path = self._path(key)
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == self._root or folder.parent == self._root:
                break
            try:
                folder.rmdir()
            except OSError:  # not empty
                break

    def entries(self) -> Iterator[Entry]:
        for path, status in self._files():
            key = path.relative_to(self._root).as_posix()
            if is_key(key):  # what else lies there is not ours
                yield Entry(key, status.st_size, status.st_mtime)

    def sweep(self, *, older_than_s: float = 0.0, only_look: bool = False) -> tuple[int, int]:
        before, count, size = time.time() - older_than_s, 0, 0
        for path, status in self._files():
            if path.name.startswith(".") and path.name.endswith(".part") and status.st_mtime <= before:
                count, size = count + 1, size + status.st_size
                if not only_look:
                    path.unlink(missing_ok=True)
        return count, size

    def _files(self) -> Iterator[tuple[Path, os.stat_result]]:
        for folder, _, names in os.walk(self._root):
            for name in names:
                path = Path(folder, name)
                with contextlib.suppress(FileNotFoundError):
                    yield path, path.stat()

    def free_bytes(self) -> int:
        return shutil.disk_usage(self._root).free

    def _path(self, key: str) -> Path:
        if not is_key(key):
            raise ValueError(f"not a blob key: {key!r}")
        return self._root / key

    def _target(self, key: str) -> Path:
        target = self._path(key)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk_full.said(error) from error
        return target


def is_key(name: str) -> bool:
    """Whether a blob may have this name."""
    return _KEY.fullmatch(name) is not None


def sha256_of(path: Path) -> str:
    """The hash of a file's bytes, in flat memory (about 1 GB/s); releases the GIL."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
