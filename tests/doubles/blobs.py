"""A store of blobs that is no folder: bytes in a dictionary. Whoever asks it for more than
`app.storage.blobs.BlobStore` promises, fails."""

from __future__ import annotations

import contextlib
import io
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from app.storage.blobs import Entry, is_key


class MemoryBlobs:
    """Local copies are files of their own, which are gone after the block. `copied` names the blobs that were asked for
    as such."""

    def __init__(self) -> None:
        self._blobs: dict[str, tuple[bytes, float]] = {}
        self._lock = threading.Lock()
        self.copied: list[str] = []

    def exists(self, key: str) -> bool:
        return self._checked(key) in self._blobs

    def size_bytes(self, key: str) -> int:
        return len(self._data(key))

    def open(self, key: str) -> io.BufferedIOBase:
        return io.BytesIO(self._data(key))

    @contextlib.contextmanager
    def local_copy(self, key: str) -> Iterator[Path]:
        data = self._data(key)
        self.copied.append(key)
        with tempfile.TemporaryDirectory(prefix="blob-copy-") as folder:
            path = Path(folder, key.rpartition("/")[2])
            path.write_bytes(data)
            path.chmod(0o400)
            yield path

    def put(self, key: str, data: bytes, *, synced: bool = True) -> None:
        with self._lock:
            self._blobs[self._checked(key)] = data, time.time()

    def adopt(self, source: Path, key: str) -> None:
        self.put(key, source.read_bytes())
        source.unlink()

    def delete(self, key: str) -> None:
        with self._lock:
            self._blobs.pop(self._checked(key), None)

    def entries(self) -> Iterator[Entry]:
        yield from [Entry(key, len(data), at) for key, (data, at) in self._blobs.items()]

    def sweep(self, *, older_than_s: float = 0.0, only_look: bool = False) -> tuple[int, int]:
        return 0, 0

    def free_bytes(self) -> int:
        return 1 << 40

    def _data(self, key: str) -> bytes:
        try:
            return self._blobs[self._checked(key)][0]
        except KeyError:
            raise FileNotFoundError(key) from None

    def _checked(self, key: str) -> str:
        if not is_key(key):
            raise ValueError(f"not a blob key: {key!r}")
        return key
