"""What FFmpeg's MP4 muxer does not let one say."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

_SUBTITLES: Final = frozenset({b"sbtl", b"subt", b"text"})
_ENABLED: Final = 1  # ISO/IEC 14496-12, 8.3.2: the track is played unless the person says otherwise


def disable_subtitles(path: Path) -> None:
    """Mark every subtitle track of an MP4 as not to be shown by itself: the muxer enables the first one, whatever its disposition.

    Changes single bytes in place; the file's size and everything else stay.
    """
    with path.open("r+b") as file:
        file.seek(0, 2)
        for track in _boxes(file, [b"moov", b"trak"], 0, file.tell()):
            if not any(_handler(file, at) in _SUBTITLES for at, _ in _boxes(file, [b"mdia", b"hdlr"], *track)):
                continue
            for at, _ in _boxes(file, [b"tkhd"], *track):
                file.seek(at + 3)
                (flags,) = file.read(1)
                file.seek(at + 3)
                file.write(bytes([flags & ~_ENABLED]))


def _handler(file: BinaryIO, at: int) -> bytes:
    file.seek(at + 8)
    return file.read(4)


def _boxes(file: BinaryIO, names: list[bytes], at: int, end: int) -> Iterator[tuple[int, int]]:
    """(start of content, end) of the boxes at the end of this path."""
    while at + 8 <= end:
        file.seek(at)
        size, name = struct.unpack(">I4s", file.read(8))
        content = at + 8
        if size == 1 and at + 16 <= end:
            (size,) = struct.unpack(">Q", file.read(8))
            content += 8
        size = size or end - at
        if size < content - at:
            return
        if name == names[0]:
            if names[1:]:
                yield from _boxes(file, names[1:], content, at + size)
            else:
                yield content, at + size
        at += size
