"""A file on its way in."""

from __future__ import annotations

from typing import Final

import msgspec

CHECKSUMS: Final = ("sha1", "sha256", "md5")


class Upload(msgspec.Struct, frozen=True):
    """An upload as the database has it. `offset_bytes` are safely on disk; `key` is the blob's, once `complete`."""

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


class Checksum(msgspec.Struct, frozen=True):
    """What a chunk's bytes must hash to; `algorithm` is one of CHECKSUMS."""

    algorithm: str
    digest: bytes
