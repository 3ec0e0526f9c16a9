"""The blob store: immutable files under keys made of ids and hashes only.

A write is complete or absent: bytes go to a temporary name, are synced, then renamed, and the folder is synced. Readers open the path; a file
that is deleted while it is read stays readable to its end. All methods block on the disk; call them from threads.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
import shutil
from pathlib import Path
from typing import Final

from app.system import disk_full

_KEY: Final = re.compile(r"[a-z]+(/[A-Za-z0-9_-]{1,128}){1,3}(\.[a-z0-9]{1,8})?")


class BlobStore:
    """A folder of blobs."""

    def __init__(self, root: Path) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)

    def path(self, key: str) -> Path:
        """Where the blob lies. Raises ValueError for a key that is not made of ids."""
        if not is_key(key):
            raise ValueError(f"not a blob key: {key!r}")
        return self.root / key

    def exists(self, key: str) -> bool:
        return self.path(key).is_file()

    def size_bytes(self, key: str) -> int:
        return self.path(key).stat().st_size

    def read(self, key: str) -> bytes:
        return self.path(key).read_bytes()

    def put(self, key: str, data: bytes) -> Path:
        """Store bytes; they are on disk when this returns. Raises disk_full."""
        target = self._target(key)
        temporary = target.with_name(f".{secrets.token_hex(8)}.part")
        try:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(target)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise disk_full.said(error) from error
        sync_folder(target.parent)
        return target

    def put_unsynced(self, key: str, data: bytes) -> Path:
        """Store bytes for a moment: a killed process loses them no more when this returns, a machine without power may. Raises disk_full."""
        target = self._target(key)
        temporary = target.with_name(f".{secrets.token_hex(8)}.part")
        try:
            temporary.write_bytes(data)
            temporary.replace(target)
        except OSError as error:
            temporary.unlink(missing_ok=True)
            raise disk_full.said(error) from error
        return target

    def adopt(self, source: Path, key: str) -> Path:
        """Move a finished file in; it is on disk under its key when this returns, and gone from `source`. Raises disk_full."""
        target = self._target(key)
        try:
            with source.open("rb") as file:
                os.fsync(file.fileno())
            try:
                source.replace(target)
            except OSError as error:
                if error.errno != 18:  # EXDEV: another file system
                    raise
                temporary = target.with_name(f".{secrets.token_hex(8)}.part")
                try:
                    shutil.copyfile(source, temporary)
                    with temporary.open("rb") as file:
                        os.fsync(file.fileno())
                    temporary.replace(target)
                finally:
                    temporary.unlink(missing_ok=True)
                source.unlink()
        except OSError as error:
            raise disk_full.said(error) from error
        sync_folder(target.parent)
        return target

    def delete(self, key: str) -> None:
        """Delete a blob and the folders it leaves empty; an absent one is no error."""
        path = self.path(key)
        path.unlink(missing_ok=True)
        for folder in path.parents:
            if folder == self.root or folder.parent == self.root:
                break
            try:
                folder.rmdir()
            except OSError:  # not empty
                break

    def sweep(self) -> int:
        """Delete what a killed writer left behind; returns how many files. Only safe while nobody writes (at start-up)."""
        litter = list(self.root.rglob(".*.part"))
        for path in litter:
            path.unlink(missing_ok=True)
        return len(litter)

    def free_bytes(self) -> int:
        return shutil.disk_usage(self.root).free

    def _target(self, key: str) -> Path:
        target = self.path(key)
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


def sync_folder(folder: Path) -> None:
    """The names in a folder are on disk when this returns, where its file system can do that."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # some network file systems cannot sync a folder; the rename itself is still whole
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
