"""A packet of a stream, found again in a file that is read for the second time. Runs in a child process: it imports
av."""

from __future__ import annotations

import itertools
import zlib
from collections.abc import Iterator
from typing import Any, Final

import av
import msgspec
from av.container import InputContainer
from av.packet import Packet

from app.media.decode import SeekPoint
from app.media.safe_open import packets

_MOST_PACKETS: Final = 4_000  # read after a seek in search of the one that is wanted
_BEYOND_S: Final = 2.0  # and this far behind where it should have been
# Files that are one stream of frames: a byte's position leads to a packet. Their times after such a seek begin at 0 or
# are unknown.
_RAW: Final = frozenset({"mp3", "aac", "ac3", "eac3", "dts", "flac", "wav", "w64", "aiff", "au", "tta", "amr"})


class Mark(msgspec.Struct, frozen=True):
    """A packet of the stream, to be known again: its number, its time in the stream's ticks, its byte's position, and
    what its bytes add up to. `sole`: the packets before and after it have other positions.
    """

    number: int
    pts: int | None
    position: int | None
    check: int
    sole: bool


class Start(msgspec.Struct, frozen=True):
    """Where a span's decoder begins: at packet `first`; what it decodes is heard from `place` on."""

    place: SeekPoint
    first: Mark
    heard: Mark


def mark_of(packet: Packet[Any], number: int, *, sole: bool) -> Mark:
    return Mark(number, packet.pts, packet.pos, check(packet), sole)


def check(packet: Packet[Any]) -> int:
    """What the bytes of a packet add up to."""
    return zlib.crc32(packet) if packet.size else 0


def sought(container: InputContainer, stream: Any, start: Start) -> Iterator[Packet[Any]] | None:
    """The packets from the start's first one on, with the times that they have when the file is read from its
    beginning; None where they are not found by seeking.
    """
    for seek in _ways(container, stream, start.first):
        try:
            container.seek(**seek)
        except (av.FFmpegError, ValueError):
            continue
        found = packets(container, stream)
        begun = _find(found, stream, start)
        if begun is not None:
            return _retimed(itertools.chain(begun, found), start.first)
    return None


def _ways(container: InputContainer, stream: Any, mark: Mark) -> Iterator[dict[str, Any]]:
    if mark.sole and mark.position is not None and container.format.name in _RAW:
        yield {"offset": mark.position, "unsupported_byte_offset": True}
    if mark.pts is None:
        return
    at_s = mark.pts * stream.time_base
    pictures = container.streams.video
    for early_s in (0, 5, 30):
        if pictures and container.format.name.startswith("matroska"):  # whose index is of the picture
            yield {"offset": int((at_s - early_s) / pictures[0].time_base), "stream": pictures[0]}
        yield {"offset": int((at_s - early_s) / stream.time_base), "stream": stream}


def _find(found: Iterator[Packet[Any]], stream: Any, start: Start) -> list[Packet[Any]] | None:
    """The packets from the start's first to its place's, where both are what they were."""
    beyond = None if start.first.pts is None else start.first.pts + _BEYOND_S / stream.time_base
    for packet in itertools.islice(found, _MOST_PACKETS):
        if _is(packet, start.first):
            begun = [packet]
            while (
                len(begun) <= start.heard.number - start.first.number and (following := next(found, None)) is not None
            ):
                begun.append(following)
            complete = len(begun) == start.heard.number - start.first.number + 1
            return begun if complete and check(begun[-1]) == start.heard.check else None
        if beyond is not None and packet.pts is not None and packet.pts > beyond:
            return None
    return None


def _is(packet: Packet[Any], mark: Mark) -> bool:
    same_place = mark.position is not None and packet.pos == mark.position
    if mark.position is not None and packet.pos is not None and not same_place:
        return False
    return ((packet.pts is not None and packet.pts == mark.pts) or (mark.sole and same_place)) and check(
        packet
    ) == mark.check


def _retimed(found: Iterator[Packet[Any]], first: Mark) -> Iterator[Packet[Any]]:
    """The packets at their times: of a raw stream, a seek to a byte leaves times that begin at 0, or none at all."""
    moved, next_pts = 0, None
    for number, packet in enumerate(found):
        if number == 0 and first.pts is not None:
            moved = 0 if packet.pts is None else first.pts - packet.pts
            next_pts = first.pts if packet.pts is None else None
        if next_pts is not None:
            packet.pts = packet.dts = next_pts
            next_pts += packet.duration or 0
        elif moved:
            packet.pts = packet.pts + moved if packet.pts is not None else None
            packet.dts = packet.dts + moved if packet.dts is not None else None
        yield packet
