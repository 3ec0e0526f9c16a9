"""Finds out whether a file's end is missing, from the lengths stated in its structure. Nothing is decoded."""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

_MOST_BOXES: Final = 1_000_000  # a fragmented film of a day has some 100,000
_INDEX: Final = (b"moov", b"moof")
_MP4: Final = (b"ftyp", b"moov", b"mdat", b"styp", b"moof", b"wide", b"skip", b"free", b"pnot")
_SEGMENT: Final = b"\x18\x53\x80\x67"  # RFC 8794 and RFC 9559: the element that holds all of a Matroska file
_EBML: Final = b"\x1a\x45\xdf\xa3"
_UNSAID: Final = (0, 0xFFFFFFFF)  # written by programs that cannot seek back to fill in the length


def missing(path: Path) -> str:
    """What is missing, as a sentence ("It has 3,100 of at least 20,400 bytes."); "" when the structure is whole, says
    nothing, or is not known.

    MP4 and MOV (ISO/IEC 14496-12), Matroska and WebM (RFC 9559), AVI and WAV (RIFF). Others do not state their length.
    Raises OSError.
    """
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(12)
        look = _look_for(head)
        return look(file, size) if look is not None else ""


def _look_for(head: bytes) -> Callable[[BinaryIO, int], str] | None:
    if head[4:8] in _MP4:
        return _mp4
    if head.startswith(_EBML):
        return _matroska
    if head.startswith(b"RIFF") and head[8:12] in (b"AVI ", b"WAVE"):
        return _riff
    return None


def _mp4(file: BinaryIO, size: int) -> str:
    at, has_index = 0, False
    for _ in range(_MOST_BOXES):
        if at + 8 > size:
            return "" if has_index else "Its index (moov) is missing: the recording or transfer broke off."
        file.seek(at)
        length, name = struct.unpack(">I4s", file.read(8))
        if not all(32 <= byte < 127 for byte in name):  # not a box: bytes after the last box are ignored
            return ""
        if length == 1:
            (length,) = struct.unpack(">Q", file.read(8).rjust(8, b"\0"))
        elif length == 0:
            length = size - at
        if length < 8:
            return ""
        if at + length > size:
            return _ends(size, at + length) if has_index else f"Its index (moov) is missing. {_ends(size, at + length)}"
        has_index = has_index or name in _INDEX
        at += length
    return ""


def _matroska(file: BinaryIO, size: int) -> str:
    file.seek(4)
    header = _vint(file)
    if header is None:
        return ""
    file.seek(file.tell() + header)
    if file.read(4) != _SEGMENT:
        return ""
    length = _vint(file)
    end = file.tell() + length if length is not None else 0
    return _ends(size, end) if end > size else ""


def _vint(file: BinaryIO) -> int | None:
    """An element's length; None where it is unknown, as in a live recording, or no length at all."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    more = 8 - first[0].bit_length()
    rest = file.read(more)
    value = int.from_bytes(bytes([first[0] & (0x7F >> more)]) + rest, "big")
    return None if len(rest) < more or value == (1 << 7 * (more + 1)) - 1 else value


def _riff(file: BinaryIO, size: int) -> str:
    file.seek(4)
    (length,) = struct.unpack("<I", file.read(4))
    # the padding of a last odd byte may be missing
    return _ends(size, length + 8) if length not in _UNSAID and length + 8 > size + 1 else ""


def _ends(size: int, promised: int) -> str:
    return f"It has {size:,} of at least {promised:,} bytes."
