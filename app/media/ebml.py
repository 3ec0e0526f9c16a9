"""Reads and writes the elements of Matroska files (RFC 8794, RFC 9559). Nothing that a file says is believed."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import BinaryIO, Final

import msgspec

EBML: Final = 0x1A45DFA3
SEGMENT: Final = 0x18538067
SEEK_HEAD: Final = 0x114D9B74
INFO: Final = 0x1549A966
TRACKS: Final = 0x1654AE6B
CLUSTER: Final = 0x1F43B675
CUES: Final = 0x1C53BB6B
TAGS: Final = 0x1254C367
CHAPTERS: Final = 0x1043A770
ATTACHMENTS: Final = 0x1941A469
VOID: Final = 0xEC
CRC: Final = 0xBF
TIMESTAMP: Final = 0xE7
SIMPLE_BLOCK: Final = 0xA3
BLOCK_GROUP: Final = 0xA0
BLOCK: Final = 0xA1
DURATION: Final = 0x4489
TRACK_ENTRY: Final = 0xAE
TRACK_NUMBER: Final = 0xD7
TRACK_TYPE: Final = 0x83
TAG: Final = 0x7373
SIMPLE_TAG: Final = 0x67C8
TAG_NAME: Final = 0x45A3
TAG_STRING: Final = 0x4487
UNKNOWN: Final = -1  # a size that the file does not say: the element goes on to the end
_MOST_HEAD: Final = 12  # bytes of an ID and a size


class DamagedError(Exception):
    """The file is no Matroska, or is damaged."""


class Element(msgspec.Struct, frozen=True):
    """`at` is where the element begins, `content` where its content does, `end` where it ends."""

    id: int
    at: int
    content: int
    end: int


def elements(file: BinaryIO, at: int, end: int) -> Iterator[Element]:
    """The elements from `at` to `end`, one after another. One that goes on beyond `end` is the last, and is not given:
    the file was cut there. One of unknown size ends at `end`. Raises DamagedError."""
    while at < end:
        file.seek(at)
        head = file.read(_MOST_HEAD)
        try:
            identity, id_bytes = _number(head, 0, keeps_mark=True, most=4)
            size, size_bytes = _number(head, id_bytes, keeps_mark=False, most=8)
        except IndexError:
            return
        content = at + id_bytes + size_bytes
        is_unknown = size == (1 << 7 * size_bytes) - 1
        until = end if is_unknown else content + size
        if until > end:
            return
        yield Element(identity, at, content, until)
        at = until


def children(data: bytes) -> Iterator[Element]:
    """The elements in the content of a small one. Raises DamagedError."""
    import io

    yield from elements(io.BytesIO(data), 0, len(data))


def head(identity: int, size: int, size_bytes: int = 8) -> bytes:
    """The ID of an element and the size of its content, in so many bytes."""
    return identity.to_bytes((identity.bit_length() + 7) // 8, "big") + (size | 1 << 7 * size_bytes).to_bytes(
        size_bytes, "big"
    )


def element(identity: int, content: bytes) -> bytes:
    return head(identity, len(content)) + content


def unsigned(identity: int, value: int) -> bytes:
    """An element of eight bytes: its size does not depend on the value."""
    return head(identity, 8, 1) + value.to_bytes(8, "big")


def void(size: int) -> bytes:
    """The head of an element that fills `size` bytes with nothing; the rest may be what it is. `size` is 2 or more."""
    if size < 9:
        return head(VOID, size - 2, 1)
    return head(VOID, size - 9)


def number(data: bytes) -> int:
    """The value of an unsigned element."""
    return int.from_bytes(data, "big")


def real(value: float) -> bytes:
    return struct.pack(">d", value)


def _number(data: bytes, at: int, *, keeps_mark: bool, most: int) -> tuple[int, int]:
    first = data[at]
    length = 9 - first.bit_length()
    if length > most:
        raise DamagedError("not an element")
    if at + length > len(data):
        raise IndexError
    value = first if keeps_mark else first & (1 << 8 - length) - 1
    for byte in data[at + 1 : at + length]:
        value = value << 8 | byte
    return value, length


def track_of_block(data: bytes) -> tuple[int, int, int]:
    """Of a block's content: the number of its track, its time from that of its cluster, and the bytes before the
    payload. Raises DamagedError."""
    try:
        track, length = _number(data, 0, keeps_mark=False, most=4)
        (relative,) = struct.unpack_from(">h", data, length)
    except (IndexError, struct.error) as error:
        raise DamagedError("a block is cut") from error
    return track, int(relative), length + 3
