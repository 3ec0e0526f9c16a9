"""Writes what arrives of one upload, and counts only what is on disk."""

from __future__ import annotations

import hashlib
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.domain.errors import DubError
from app.domain.problems.uploads import UPLOAD_CHECKSUM, UPLOAD_NOT_FOUND, UPLOAD_TOO_LARGE
from app.domain.upload import Checksum, Upload
from app.storage.disk_floor import PIECE_BYTES
from app.storage.disk_floors import Reservation
from app.system import disk_full

if TYPE_CHECKING:
    from app.storage.uploads import UploadStore

_SYNC_EVERY_BYTES: Final = 64 << 20


class Writer:
    """Appends to one upload. `write` from a thread; `settle` once at the end, whatever happened, then the offset is
    what is on disk.

    With a checksum nothing counts before all of it has been verified. Raises disk_full; upload_too_large beyond the
    length.
    """

    def __init__(
        self, store: UploadStore, path: Path, upload: Upload, checksum: Checksum | None, room: Reservation
    ) -> None:
        self.offset_bytes = upload.offset_bytes
        self._store = store
        self._upload = upload
        self._checksum = checksum
        self._hash = hashlib.new(checksum.algorithm, usedforsecurity=False) if checksum else None
        self._stored = upload.offset_bytes
        self._room = room
        self._lock = threading.Lock()  # a request that is cancelled settles while its last write may still run
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if os.fstat(self._fd).st_size < upload.offset_bytes:
            os.close(self._fd)
            raise DubError(UPLOAD_NOT_FOUND, "Its bytes are gone from the disk.")
        os.ftruncate(self._fd, upload.offset_bytes)

    def write(self, block: bytes) -> None:
        """Append; the bytes count once they are synced, every 64 MiB and at the end."""
        with self._lock:
            if self.offset_bytes + len(block) > self._upload.length_bytes:
                raise DubError(UPLOAD_TOO_LARGE, f"{self._upload.length_bytes} bytes were expected.")
            if self._hash is not None:
                self._hash.update(block)
            view = memoryview(block)
            try:
                # also where it is reserved: others write too
                with self._room.writing(len(block), piece_bytes=PIECE_BYTES) as landed:
                    while view:
                        written = os.pwrite(self._fd, view, self.offset_bytes)
                        self.offset_bytes += written
                        landed(written)
                        view = view[written:]
                if self._hash is None and self.offset_bytes - self._stored >= _SYNC_EVERY_BYTES:
                    self._store_offset()
            except OSError as error:
                raise disk_full.said(error) from error

    def settle(self, *, whole: bool) -> Upload:
        """Sync, store the offset, close, and finish the upload when it is complete. `whole`: the chunk came to its end.

        Raises upload_checksum_mismatch after dropping the chunk. A chunk with a checksum that did not come to its end
        is dropped too.
        """
        with self._lock:
            try:
                good = self._hash is None or (
                    whole and self._checksum is not None and self._hash.digest() == self._checksum.digest
                )
                if not good:
                    with self._room.returning(self.offset_bytes - self._upload.offset_bytes):
                        os.ftruncate(self._fd, self._upload.offset_bytes)
                    self.offset_bytes = self._upload.offset_bytes
                upload = self._store_offset()
            except OSError as error:
                raise disk_full.said(error) from error
            finally:
                os.close(self._fd)
                if self._upload.deferred:  # nobody knows when more comes
                    self._room.shrink(0)
        if whole and not good:
            raise DubError(UPLOAD_CHECKSUM)
        return self._store.finished(upload)

    def abandon(self) -> None:
        """Close without having written anything."""
        os.close(self._fd)

    def _store_offset(self) -> Upload:
        os.fdatasync(self._fd)
        self._stored = self.offset_bytes
        return self._store.count(self._upload.id, self.offset_bytes)
