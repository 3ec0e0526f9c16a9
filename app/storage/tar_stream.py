"""A plain tar, written and read in one direction with flat memory. What is read is trusted in nothing.

Only regular files with short names, no links, no devices, no extension headers (which make other readers allocate what
they say): of each member one header of 512 bytes (POSIX ustar; sizes above 8 GB as GNU tar writes them), its bytes, and
zeros up to a multiple of 512.
"""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Iterator
from typing import BinaryIO, Final

from app.domain.errors import DubError
from app.domain.problems.jobs import ARCHIVE_INVALID

BLOCK_BYTES: Final = 1 << 20
_UNIT: Final = 512
END: Final = bytes(2 * _UNIT)
_REGULAR: Final = (tarfile.REGTYPE, tarfile.AREGTYPE)


def head(name: str, size_bytes: int, at: float) -> bytes:
    """A member's header; `name` has at most 100 characters."""
    info = tarfile.TarInfo(name)
    info.size, info.mtime, info.mode = size_bytes, int(at), 0o644
    made = info.tobuf(tarfile.GNU_FORMAT, "ascii", "strict")
    if len(made) != _UNIT:
        raise ValueError(f"too long a name: {name}")
    return made


def padding(size_bytes: int) -> bytes:
    """What follows a member's bytes."""
    return bytes(-size_bytes % _UNIT)


class Member:
    """A file of the archive, to be read once, in order; `sha256` is that of what has been read."""

    def __init__(self, file: BinaryIO, name: str, size_bytes: int) -> None:
        self.name, self.size_bytes = name, size_bytes
        self._file, self._left, self._hash = file, size_bytes, hashlib.sha256()

    def blocks(self) -> Iterator[bytes]:
        """The bytes that are left of it. Raises archive_invalid where the archive ends before."""
        while self._left:
            block = self._file.read(min(BLOCK_BYTES, self._left))
            if not block:
                raise DubError(ARCHIVE_INVALID, f"It ends within {self.name}.")
            self._left -= len(block)
            self._hash.update(block)
            yield block

    def whole(self, at_most_bytes: int) -> bytes:
        """All of it. Raises archive_invalid when it is larger."""
        if self.size_bytes > at_most_bytes:
            raise DubError(ARCHIVE_INVALID, f"{self.name} is too large.")
        return b"".join(self.blocks())

    def skip(self) -> str:
        """Read to its end; returns the hash of all of it."""
        for _ in self.blocks():
            pass
        return self._hash.hexdigest()


def members(file: BinaryIO) -> Iterator[Member]:
    """Every member in order. Raises archive_invalid for what is no plain file, a damaged header, or an end that is
    none."""
    while True:
        block = file.read(_UNIT)
        if block == bytes(_UNIT):
            if file.read(_UNIT) != bytes(_UNIT) or file.read(1):
                raise DubError(ARCHIVE_INVALID, "Something follows its end.")
            return
        try:
            info = tarfile.TarInfo.frombuf(block, "ascii", "strict")
        except (tarfile.HeaderError, UnicodeDecodeError, ValueError) as error:
            raise DubError(ARCHIVE_INVALID, f"A header cannot be read: {error}.") from None
        if info.type not in _REGULAR or info.linkname or info.size < 0:
            raise DubError(ARCHIVE_INVALID, "It has something else than plain files.")
        member = Member(file, info.name, info.size)
        yield member
        member.skip()
        if file.read(-info.size % _UNIT).strip(b"\0"):
            raise DubError(ARCHIVE_INVALID, f"There is something behind {info.name}.")
