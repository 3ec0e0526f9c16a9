"""MP4s with edit lists of a test's own, and FLVs that change on the way."""

from __future__ import annotations

import struct
from pathlib import Path

from tests.unit.media.samples import DURATION_S, make

# where in the medium (None: nothing is shown), and for how long, in seconds
Edits = tuple[tuple[float | None, float], ...]

CUT: Edits = ((0.0, 1.0), (2.5, 1.5))
TRIMMED: Edits = ((1.3, 2.0),)


def boxes(data: bytes, at: int, end: int) -> dict[bytes, list[tuple[int, int]]]:
    """Name -> (start of content, end) of each box."""
    found: dict[bytes, list[tuple[int, int]]] = {}
    while at + 8 <= end:
        size, name = struct.unpack(">I4s", data[at : at + 8])
        found.setdefault(name, []).append((at + 8, at + size))
        at += size
    return found


def edited(source: Path, out: Path, edits: Edits) -> Path:
    """The same file with this edit list on every track. Its samples are not touched: all of them stay in it."""
    data = source.read_bytes()
    moov = boxes(data, 0, len(data))[b"moov"][0]
    inner = boxes(data, *moov)
    (scale,) = struct.unpack(">I", data[inner[b"mvhd"][0][0] + 12 : inner[b"mvhd"][0][0] + 16])
    rebuilt = data[inner[b"mvhd"][0][0] - 8 : inner[b"mvhd"][0][1]]
    for track in inner[b"trak"]:
        parts = boxes(data, *track)
        mdhd = boxes(data, *parts[b"mdia"][0])[b"mdhd"][0][0]
        (media_scale,) = struct.unpack(">I", data[mdhd + 12 : mdhd + 16])
        # where its own edit list began
        (first,) = struct.unpack(">i", data[parts[b"edts"][0][0] + 8 + 12 : parts[b"edts"][0][0] + 8 + 16])
        entries = [
            struct.pack(">IiI", round(length * scale), -1 if at is None else first + round(at * media_scale), 1 << 16)
            for at, length in edits
        ]
        elst = struct.pack(">II", 0, len(entries)) + b"".join(entries)
        rest = b"".join(data[a - 8 : b] for name, places in parts.items() if name != b"edts" for a, b in places)
        rebuilt += _box(b"trak", rest + _box(b"edts", _box(b"elst", elst)))
    rebuilt = _box(b"moov", rebuilt)
    if data[4:8] == b"ftyp" and moov[0] < data.index(b"mdat"):  # the index comes first: the samples must not move
        kept = _box(b"free", data[moov[0] : moov[1]])
        data = data[: moov[0] - 8] + kept + data[moov[1] :] + rebuilt
    else:
        data = data[: moov[0] - 8] + rebuilt
    out.write_bytes(data)
    return out


def _box(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I4s", len(content) + 8, name) + content


def resized(folder: Path, first: str, second: str, *coded: str) -> Path:
    """An FLV as a live recorder writes it: the sender changes its picture after two seconds. Grey, then white after
    another second."""
    parts = []
    for number, size in enumerate((first, second)):
        picture = (
            "-f",
            "lavfi",
            "-i",
            f"color=gray:s={size}:r=25:d=1,format=yuv420p",
            "-f",
            "lavfi",
            "-i",
            f"color=white:s={size}:r=25:d=1",
        )
        joined = (
            "-f",
            "lavfi",
            "-i",
            "sine=d=2",
            "-filter_complex",
            "[0][1]concat=n=2",
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-bf",
            "0",
        )
        extra = coded if number else ()
        parts.append(
            make(
                folder / f"part{number}.flv",
                *picture,
                *joined,
                *extra,
                "-c:a",
                "aac",
                "-ar",
                "44100",
                "-flvflags",
                "no_duration_filesize",
            )
        )
    body = bytearray(parts[0].read_bytes())
    for tag in _tags(parts[1].read_bytes()):
        moved = bytearray(tag)
        at_ms = int.from_bytes(moved[4:7], "big") + round(DURATION_S * 500)
        moved[4:7] = at_ms.to_bytes(3, "big")
        if moved[0] != 18:  # a second script is no part of a recording
            body += moved
    out = folder / "live.flv"
    out.write_bytes(body)
    return out


def _tags(data: bytes) -> list[bytes]:
    """Each tag of an FLV with the size that follows it."""
    at, found = 13, []
    while at + 11 < len(data):
        size = int.from_bytes(data[at + 1 : at + 4], "big") + 15
        found.append(data[at : at + size])
        at += size
    return found
