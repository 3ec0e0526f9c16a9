"""The index of an MP4 moved to its front where the file lies, without writing the media again.

A player needs the index (`moov`) before the first sample. FFmpeg writes it last, since only then it is known; its own
`+faststart` then moves all media behind it, which is the whole file read and written once more. Here the file system
makes room in front (FALLOC_FL_INSERT_RANGE: ext4, XFS); where it cannot, the media is moved, as FFmpeg would do it.
Light: no more than a megabyte is held.
"""

from __future__ import annotations

import ctypes
import errno
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

from app.media.mp4 import boxes

_INSERT_RANGE: Final = 0x20  # <linux/falloc.h>
_BLOCK: Final = 4096
_PIECE: Final = 1 << 20
_FREE_HEAD: Final = 8
_NARROW_END: Final = 1 << 32  # `stco` has 32 bits for a place in the file, `co64` 64
_CANNOT: Final = frozenset({errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL, errno.EPERM, errno.EFBIG})


def index_to_front(path: Path) -> bool:
    """Bring `moov` before the media. False, and the file as it was, where places in the index would need more bits than
    it has for them.

    For a file as FFmpeg's muxer leaves it: `ftyp`, media, `moov` at its end. One with the index in front already stays
    as it is. Killed or out of space in between, the file is no whole one: give it its name afterwards. Raises OSError.
    """
    with path.open("r+b", buffering=0) as file:
        file.seek(0, os.SEEK_END)
        end = file.tell()
        top = list(_top(file, end))
        names = [name for name, _, _ in top]
        if b"moov" not in names or names.index(b"moov") < names.index(b"mdat"):
            return True
        _, moov_at, moov_end = top[names.index(b"moov")]
        _, _, brand_end = top[0]
        room = -(-(brand_end + moov_end - moov_at + _FREE_HEAD) // _BLOCK) * _BLOCK
        if moov_at + room > _NARROW_END and any(True for _ in _tables(file, b"stco", moov_at, moov_end)):
            return False
        if not _insert(file, room):
            _shift(file, room, end)
        _copy(file, room, brand_end, 0)
        _copy(file, room + moov_at, moov_end - moov_at, brand_end)
        index_end = brand_end + moov_end - moov_at
        for name, size in ((b"stco", 4), (b"co64", 8)):
            for at, until in _tables(file, name, brand_end, index_end):
                _add(file, at, until, size, room)
        _write(file, index_end, struct.pack(">I4s", room - index_end, b"free"))  # up to where the file began
        _write(file, room + 4, b"free")  # that was the brand
        file.truncate(room + moov_at)
    return True


def _top(file: BinaryIO, end: int) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and end of the file's boxes."""
    at = 0
    while at + 8 <= end:
        file.seek(at)
        size, name = struct.unpack(">I4s", file.read(8))
        if size == 1:
            (size,) = struct.unpack(">Q", file.read(8))
        size = size or end - at
        if size < 8:
            return
        yield name, at, at + size
        at += size


def _tables(file: BinaryIO, name: bytes, moov_at: int, moov_end: int) -> Iterator[tuple[int, int]]:
    """Where the numbers of the tables of this name lie, of those that have any."""
    for at, _ in boxes(file, [b"moov", b"trak", b"mdia", b"minf", b"stbl", name], moov_at, moov_end):
        file.seek(at + 4)
        (count,) = struct.unpack(">I", file.read(4))
        if count:
            yield at + 8, at + 8 + count * (4 if name == b"stco" else 8)


def _add(file: BinaryIO, at: int, until: int, size: int, number: int) -> None:
    """Add to every number of a table. All of a piece at once, as one long number: none carries into its neighbour."""
    while at < until:
        piece = min(_PIECE, until - at)
        file.seek(at)
        data = file.read(piece)
        added = int.from_bytes(number.to_bytes(size, "big") * (piece // size), "big")
        _write(file, at, (int.from_bytes(data, "big") + added).to_bytes(piece, "big"))
        at += piece


def _insert(file: BinaryIO, room: int) -> bool:
    """Let the file begin with `room` more bytes of nothing; False where its file system cannot."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "fallocate"):
        return False
    if (
        libc.fallocate(
            ctypes.c_int(file.fileno()), ctypes.c_int(_INSERT_RANGE), ctypes.c_longlong(0), ctypes.c_longlong(room)
        )
        == 0
    ):
        return True
    code = ctypes.get_errno()
    if code in _CANNOT:
        return False
    raise OSError(code, os.strerror(code))


def _shift(file: BinaryIO, room: int, end: int) -> None:
    """Move the file's bytes `room` further, the last ones first."""
    while end:
        piece = min(_PIECE, end)
        end -= piece
        _copy(file, end, piece, end + room)


def _copy(file: BinaryIO, at: int, size: int, to: int) -> None:
    while size:
        data = os.pread(file.fileno(), min(size, _PIECE), at)
        if not data:
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        _write(file, to, data)
        at, to, size = at + len(data), to + len(data), size - len(data)


def _write(file: BinaryIO, at: int, data: bytes) -> None:
    while data:
        written = os.pwrite(file.fileno(), data, at)
        at, data = at + written, data[written:]
