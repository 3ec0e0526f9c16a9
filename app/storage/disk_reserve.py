"""A reserve file for a full disk: it is given up to let deletions, cancellations and failures be written.

A file of random bytes (neither compressible nor sparse) beside the database. It is given up in pieces, because other
writers want the space too, and made again when twice its size is free. Every process of the data folder may give it up;
the server makes it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

from app.system.disk_full import is_disk_full

T = TypeVar("T")
NAME: Final = ".reserve"
SIZE_BYTES: Final = 8 << 20
PIECE_BYTES: Final = 2 << 20
_BLOCK_BYTES: Final = 1 << 20


class Reserve:
    """The reserve of one data folder; every method blocks for milliseconds, `keep` for the time of writing 8 MB."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._path = folder, folder / NAME
        self._lock = threading.Lock()

    def bytes(self) -> int:
        """How much is kept now."""
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            return 0

    def keep(self) -> int:
        """Make it whole when there is room for twice as much; returns 1 when something was done."""
        with self._lock:
            size = self.bytes()
            if size >= SIZE_BYTES or shutil.disk_usage(self.folder).free < 2 * SIZE_BYTES:
                return 0
            try:
                self._grow(size)
            except OSError as error:
                if not is_disk_full(error):
                    raise
                with contextlib.suppress(FileNotFoundError):  # another writer was faster: the room is needed there
                    os.truncate(self._path, size)
                return 0
            return 1

    def give_up(self) -> bool:
        """Free a piece of it; False when nothing is left."""
        with self._lock:
            size = self.bytes()
            with contextlib.suppress(FileNotFoundError):
                if size <= PIECE_BYTES:
                    self._path.unlink()
                else:
                    os.truncate(self._path, size - PIECE_BYTES)
            return size > 0

    def spend(self, work: Callable[[], T]) -> T:
        """Do it, and again with a piece of the reserve after each time that the disk was full. `work` leaves nothing
        when it fails."""
        while True:
            try:
                return work()
            except Exception as error:
                if not is_disk_full(error, self.folder) or not self.give_up():
                    raise

    def _grow(self, size: int) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            while size < SIZE_BYTES:
                size += os.pwrite(descriptor, os.urandom(min(_BLOCK_BYTES, SIZE_BYTES - size)), size)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
