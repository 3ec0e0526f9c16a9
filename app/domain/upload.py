"""An upload and the checksum of a chunk."""

from __future__ import annotations

from typing import Final

import msgspec

CHECKSUMS: Final = ("sha1", "sha256", "md5")
PARTIAL: Final = "partial"
MAX_PARTS: Final = 1_000  # parts of one final upload


class Upload(msgspec.Struct, frozen=True):
    """An upload as the database has it. `offset_bytes` are safely on disk; `key` is the blob's, once `complete`.

    `deferred`: its length is not known yet, and `length_bytes` is the maximum. `concat` is tus' Upload-Concat as it
    came: `partial` for a part of a later upload, which never becomes a blob of its own; `final;...` for one that is
    joined from `parts`, ids and sizes in order.
    """

    id: str
    filename: str
    media_type: str
    length_bytes: int
    offset_bytes: int
    metadata: dict[str, str]
    complete: bool
    key: str
    created_at: float
    updated_at: float
    expires_at: float
    deferred: bool = False
    concat: str = ""
    parts: tuple[tuple[str, int], ...] = ()

    @property
    def partial(self) -> bool:
        return self.concat == PARTIAL

    @property
    def final(self) -> bool:
        return self.concat not in ("", PARTIAL)

    @property
    def received(self) -> bool:
        """All its bytes are on disk."""
        return not self.deferred and self.offset_bytes == self.length_bytes


class Checksum(msgspec.Struct, frozen=True):
    """The expected hash of a chunk's bytes; `algorithm` is one of CHECKSUMS."""

    algorithm: str
    digest: bytes
