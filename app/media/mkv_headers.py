"""The headers of a Matroska file that FFmpeg has written, changed for a longer film: to be put in front of clusters."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from app.media import ebml

_MOST_BYTES: Final = 1 << 26  # attachments lie there
COPIED: Final = (ebml.INFO, ebml.TRACKS, ebml.CHAPTERS, ebml.TAGS, ebml.ATTACHMENTS)
_SEEK: Final = 0x4DBB
_SEEK_ID: Final = 0x53AB
_SEEK_POSITION: Final = 0x53AC
_CODEC_DELAY: Final = 0x56AA
_DEFAULT_DURATION: Final = 0x23E383
_CUE_POINT, _CUE_TIME, _CUE_POSITIONS, _CUE_TRACK, _CUE_CLUSTER = 0xBB, 0xB3, 0xB7, 0xF7, 0xF1


class Block(msgspec.Struct, frozen=True):
    """A block of a file: its track, its time (ms), whether it is a SimpleBlock, where it lies, where its payload
    begins. `flags` are those of its head; `rest` is what follows it in its group (its duration)."""

    track: int
    time_ms: int
    payload: bytes
    flags: int
    rest: bytes | None  # None: a SimpleBlock


class TrackEntry(msgspec.Struct, frozen=True):
    """`type` is 1 for a picture and 2 for sound. `delay_ns` is how much of the decoded sound comes before its
    beginning; None where the file does not say it."""

    number: int
    type: int
    delay_ns: int | None


class Headers(msgspec.Struct, frozen=True):
    """`ebml` is the first element, `sections` are those of the segment that stand before the clusters, by ID. `tracks`
    are the entries of each, in order."""

    ebml: bytes
    sections: dict[int, bytes]
    tracks: tuple[TrackEntry, ...]


def read(path: Path) -> tuple[Headers, list[Block]]:
    """The headers of a small file, and all its blocks. Raises DamagedError, OSError."""
    sections: dict[int, bytes] = {}
    blocks: list[Block] = []
    first = b""
    with path.open("rb") as file:
        end = file.seek(0, 2)
        for top in ebml.elements(file, 0, end):
            if top.id == ebml.EBML:
                file.seek(top.at)
                first = file.read(top.end - top.at)
            if top.id != ebml.SEGMENT:
                continue
            for part in ebml.elements(file, top.content, top.end):
                if part.id in COPIED:
                    sections[part.id] = section(file, part)
                elif part.id == ebml.CLUSTER:
                    file.seek(part.content)
                    blocks += _blocks(file.read(part.end - part.content))
    return of_sections(first, sections), blocks


class Timing(msgspec.Struct, frozen=True):
    """What the tables of a track say: `delay_ns` as in `TrackEntry`, and how long a picture is shown on average (0 for
    sound)."""

    delay_ns: int
    picture_ns: int


def for_length(headers: Headers, length_s: float, timings: dict[int, Timing]) -> list[bytes]:
    """The sections as they stand in a file that lasts so long. What FFmpeg has said of each track's length goes.
    `timings` are what is known of tracks, by their number."""

    def entry(data: bytes) -> bytes:
        said = _entry(data)
        if (timing := timings.get(said.number)) is None:
            return data
        if timing.picture_ns:
            data = _rebuilt(data, {_DEFAULT_DURATION: lambda _: b""})
            data = ebml.element(ebml.TRACK_ENTRY, _content(data) + ebml.unsigned(_DEFAULT_DURATION, timing.picture_ns))
        if said.delay_ns is None and timing.delay_ns:
            data = ebml.element(ebml.TRACK_ENTRY, _content(data) + ebml.unsigned(_CODEC_DELAY, timing.delay_ns))
        return data

    sections = []
    for identity in COPIED:
        if identity not in headers.sections:
            continue
        data = headers.sections[identity]
        if identity == ebml.INFO:
            data = _rebuilt(data, {ebml.DURATION: lambda _: b""})
            data = ebml.element(ebml.INFO, _content(data) + ebml.element(ebml.DURATION, ebml.real(length_s * 1000)))
        if identity == ebml.TRACKS:
            data = _rebuilt(data, {ebml.TRACK_ENTRY: entry})
        if identity == ebml.TAGS:
            data = _rebuilt(data, {ebml.TAG: _without_length})
        sections.append(data)
    return sections


def seek_head(sections: list[bytes], cues_at: int | None, begin: int) -> bytes:
    """The table of contents; `begin` is where the first section will lie, counted from the segment's content, `cues_at`
    the cues. Its size depends on the number of sections alone."""
    entries, at = b"", begin
    for section in sections:
        entries += _seek(int.from_bytes(section[:4], "big"), at)
        at += len(section)
    if cues_at is not None:
        entries += _seek(ebml.CUES, cues_at)
    return ebml.element(ebml.SEEK_HEAD, entries)


def cue(time_ms: int, track: int, cluster_at: int) -> bytes:
    """An entry of the index. All have one size."""
    places = ebml.unsigned(_CUE_TRACK, track) + ebml.unsigned(_CUE_CLUSTER, cluster_at)
    return ebml.element(_CUE_POINT, ebml.unsigned(_CUE_TIME, time_ms) + ebml.element(_CUE_POSITIONS, places))


def _seek(identity: int, at: int) -> bytes:
    names = ebml.head(_SEEK_ID, 4, 1) + identity.to_bytes(4, "big")
    return ebml.element(_SEEK, names + ebml.unsigned(_SEEK_POSITION, at))


def of_sections(first: bytes, sections: dict[int, bytes]) -> Headers:
    """Of elements that were read. Raises DamagedError."""
    if not first or ebml.INFO not in sections or ebml.TRACKS not in sections:
        raise ebml.DamagedError("headers are missing")
    return Headers(first, sections, tuple(_tracks(sections[ebml.TRACKS])))


def section(file: BinaryIO, part: ebml.Element) -> bytes:
    """A whole element. Raises DamagedError for one that is too long to be a header."""
    if part.end - part.at > _MOST_BYTES:
        raise ebml.DamagedError("the headers are too long")
    file.seek(part.at)
    return file.read(part.end - part.at)


def _content(data: bytes) -> bytes:
    """Of a whole element."""
    first = next(ebml.children(data), None)
    if first is None:
        raise ebml.DamagedError("an element is cut")
    return data[first.content : first.end]


def _rebuilt(data: bytes, changes: dict[int, Callable[[bytes], bytes]]) -> bytes:
    """The element with some of its children replaced; without its checksum."""
    identity = next(ebml.children(data)).id
    content = _content(data)
    parts = []
    for child in ebml.children(content):
        if child.id in (ebml.CRC, ebml.VOID):
            continue
        whole = content[child.at : child.end]
        parts.append(changes[child.id](whole) if child.id in changes else whole)
    return ebml.element(identity, b"".join(parts))


def _without_length(tag: bytes) -> bytes:
    """A tag without FFmpeg's DURATION."""

    def named(simple: bytes) -> bytes:
        content = _content(simple)
        names = [content[c.content : c.end] for c in ebml.children(content) if c.id == ebml.TAG_NAME]
        return b"" if names == [b"DURATION"] else simple

    return _rebuilt(tag, {ebml.SIMPLE_TAG: named})


def _tracks(data: bytes) -> list[TrackEntry]:
    content = _content(data)
    return [_entry(content[each.at : each.end]) for each in ebml.children(content) if each.id == ebml.TRACK_ENTRY]


def _entry(data: bytes) -> TrackEntry:
    content = _content(data)
    said = {each.id: ebml.number(content[each.content : each.end]) for each in ebml.children(content)}
    return TrackEntry(said.get(ebml.TRACK_NUMBER, 0), said.get(ebml.TRACK_TYPE, 0), said.get(_CODEC_DELAY))


def _blocks(cluster: bytes) -> list[Block]:
    base, blocks = 0, []
    for child in ebml.children(cluster):
        data = cluster[child.content : child.end]
        if child.id == ebml.TIMESTAMP:
            base = ebml.number(data)
        elif child.id == ebml.SIMPLE_BLOCK:
            track, relative, skip = ebml.track_of_block(data)
            blocks.append(Block(track, base + relative, data[skip:], data[skip - 1], None))
        elif child.id == ebml.BLOCK_GROUP:
            inner = {c.id: data[c.at : c.end] for c in ebml.children(data)}
            content = _content(inner.pop(ebml.BLOCK, b""))
            track, relative, skip = ebml.track_of_block(content)
            blocks.append(Block(track, base + relative, content[skip:], content[skip - 1], b"".join(inner.values())))
    return blocks
