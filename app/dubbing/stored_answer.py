"""A paid service's answer to one request, on disk from its last byte on."""

from __future__ import annotations

from app.dubbing.mixing.cache_file import sealed, unsealed
from app.storage.blobs import BlobStore, bytes_of


class StoredAnswer:
    """Under `key`, whose last part names everything that made it. A day after a job that never came back it is
    deleted."""

    def __init__(self, blobs: BlobStore, key: str) -> None:
        self._blobs, self._key = blobs, f"answers/{key.rpartition('/')[2]}.raw"

    def load(self) -> bytes | None:
        try:
            return unsealed(bytes_of(self._blobs, self._key))
        except FileNotFoundError:
            return None

    def keep(self, data: bytes) -> None:
        """Not synced: that would take longer than storing what is made of it, which is."""
        self._blobs.put(self._key, sealed(data), synced=False)

    def forget(self) -> None:
        self._blobs.delete(self._key)
