"""Builds boxes of an MP4 of bytes and of parts of other files, which are copied only when it is written."""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import BinaryIO, Final

import msgspec

from app.media.mp4_tables import Span, UnsuitableError, children

_PIECE: Final = 1 << 20
_MOST_BOX_BYTES: Final = 1 << 32


class Copied(msgspec.Struct, frozen=True):
    """Bytes of an open file."""

    file: BinaryIO
    at: int
    size: int


Part = bytes | Copied
Change = Callable[[int, int], Sequence[Part]]  # takes the start and the end of a box's content, gives whole boxes


def size_of(parts: Iterable[Part]) -> int:
    """Bytes."""
    return sum(len(part) if isinstance(part, bytes) else part.size for part in parts)


def box(name: bytes, *parts: Part) -> list[Part]:
    """A box of this content. Raises UnsuitableError for one of 4 GiB."""
    size = 8 + size_of(parts)
    if size >= _MOST_BOX_BYTES:
        raise UnsuitableError("the index is too long")
    return [struct.pack(">I4s", size, name), *parts]


def full_box(name: bytes, *parts: Part, version: int = 0) -> list[Part]:
    """A box with a version and no flags."""
    return box(name, bytes([version, 0, 0, 0]), *parts)


def rebuilt(file: BinaryIO, span: Span, changes: Mapping[bytes, Change]) -> list[Part]:
    """The boxes in this span, of which those with a change are replaced by what it gives."""
    parts: list[Part] = []
    for at, end, name in children(file, span):
        change = changes.get(name)
        parts += [Copied(file, at - 8, end - at + 8)] if change is None else change(at, end)
    return parts


def write(out: BinaryIO, parts: Iterable[Part], hear: Callable[[bytes], object] = lambda _: None) -> None:
    """Write the parts where `out` stands; `hear` is given the bytes."""
    for part in parts:
        for data in [part] if isinstance(part, bytes) else pieces(part):
            out.write(data)
            hear(data)


def pieces(part: Copied) -> Iterator[bytes]:
    """The bytes, at most a megabyte at once. Raises UnsuitableError where the file ends before them."""
    at, left = part.at, part.size
    while left:
        part.file.seek(at)
        data = part.file.read(min(left, _PIECE))
        if not data:
            raise UnsuitableError("the file ends too early")
        yield data
        at, left = at + len(data), left - len(data)
