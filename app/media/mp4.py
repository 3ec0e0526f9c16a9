"""Changes fields of a finished MP4 that FFmpeg's muxer offers no option for."""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

_SUBTITLES: Final = frozenset({b"sbtl", b"subt", b"text"})
Place = tuple[int, int]  # offset and size
_ENABLED: Final = 1  # ISO/IEC 14496-12, 8.3.2: the track is played unless the person says otherwise


def disable_subtitles(path: Path) -> None:
    """Disable every subtitle track of an MP4, so that players do not show it unasked: the muxer enables the first one
    regardless of its disposition.

    Changes single bytes in place; the file's size and everything else stay.
    """
    with path.open("r+b") as file:
        file.seek(0, 2)
        for track in boxes(file, [b"moov", b"trak"], 0, file.tell()):
            if not any(_handler(file, at) in _SUBTITLES for at, _ in boxes(file, [b"mdia", b"hdlr"], *track)):
                continue
            for at, _ in boxes(file, [b"tkhd"], *track):
                file.seek(at + 3)
                (flags,) = file.read(1)
                file.seek(at + 3)
                file.write(bytes([flags & ~_ENABLED]))


def trim_to(path: Path, duration_s: float) -> None:
    """Let every track end after `duration_s` at the latest, and the header say how long the longest is: of a film that
    begins within a group of pictures the muxer counts in what is not shown before its beginning, and shows the rest of
    the last pictures after its end.

    Changes numbers in place; the samples stay. For a file with its index as a whole (`moov`), as the muxer here writes
    it.
    """
    with path.open("r+b") as file:
        file.seek(0, 2)
        end = file.tell()
        for header, _ in boxes(file, [b"moov", b"mvhd"], 0, end):
            tick_s = 1 / _number(file, header, (12, 4), (20, 4))
            longest = 0
            for track in boxes(file, [b"moov", b"trak"], 0, end):
                shown = _trim_edits(file, track, round(duration_s / tick_s))
                for at, _ in boxes(file, [b"tkhd"], *track):
                    if shown is not None:
                        _write(file, at, shown, (20, 4), (28, 8))
                    longest = max(longest, _number(file, at, (20, 4), (28, 8)))
            _write(file, header, longest, (16, 4), (24, 8))


def duration_s(path: Path) -> float | None:
    """How long the longest track is, by the header of a finished MP4; None where it has none. FFmpeg would read the
    whole index for it."""
    with path.open("rb") as file:
        file.seek(0, 2)
        for header, _ in boxes(file, [b"moov", b"mvhd"], 0, file.tell()):
            timescale = _number(file, header, (12, 4), (20, 4))
            return _number(file, header, (16, 4), (24, 8)) / timescale if timescale else None
    return None


def _trim_edits(file: BinaryIO, track: tuple[int, int], most: int) -> int | None:
    """Shorten what the edit list shows to `most` ticks of the movie; returns how long that is, None without an edit
    list."""
    for at, _ in boxes(file, [b"edts", b"elst"], *track):
        file.seek(at + 4)
        (count,) = struct.unpack(">I", file.read(4))
        shown = 0
        for entry in range(count):
            narrow, wide = (8 + 12 * entry, 4), (8 + 20 * entry, 8)
            length = min(_number(file, at, narrow, wide), most - shown)
            _write(file, at, length, narrow, wide)
            shown += length
        return shown
    return None


def _place(file: BinaryIO, at: int, narrow: Place, wide: Place) -> Place:
    """Where a number of a full box lies and how many bytes it has: version 1 has wider ones than version 0."""
    file.seek(at)
    offset, size = wide if file.read(1) == b"\x01" else narrow
    return at + offset, size


def _number(file: BinaryIO, at: int, narrow: Place, wide: Place) -> int:
    where, size = _place(file, at, narrow, wide)
    file.seek(where)
    return int.from_bytes(file.read(size), "big")


def _write(file: BinaryIO, at: int, number: int, narrow: Place, wide: Place) -> None:
    where, size = _place(file, at, narrow, wide)
    file.seek(where)
    file.write(number.to_bytes(size, "big"))


def _handler(file: BinaryIO, at: int) -> bytes:
    file.seek(at + 8)
    return file.read(4)


def boxes(file: BinaryIO, names: list[bytes], at: int, end: int) -> Iterator[tuple[int, int]]:
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
                yield from boxes(file, names[1:], content, at + size)
            else:
                yield content, at + size
        at += size
