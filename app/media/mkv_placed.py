"""Makes a Matroska where it lies of a stream that FFmpeg has appended in several runs: the media is written once.

The file begins with room for the headers and the index. A run that goes on after a kill begins some pictures before
the place where the last one ended: its headers, and the blocks that are there twice, become elements of nothing
(EBML Void), which players skip.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from app.media import ebml, mkv_headers

_BACK_MS: Final = 2_000  # a run begins so far before the cluster that was last
_NEAR_MS: Final = 10_000  # blocks of one time are not further apart
_CUE_EVERY_MS: Final = 5_000  # where there is no picture
_VIDEO, _SOUND = 1, 2
_KEY: Final = 0x80
_HEAD_BYTES: Final = 64

_Known = tuple[int, int, int, bytes]  # track, time in ms, size, the first bytes


class _Cluster(msgspec.Struct, frozen=True):
    at: int
    end: int
    time_ms: int
    run: int


def begin(stream: Path, room: int, synced: int) -> float:
    """Begin the file, or make it ready to go on; returns where in the film FFmpeg begins, in seconds. `synced` is how
    much of the file is on disk. Raises DamagedError, OSError."""
    is_begun = synced > room and stream.exists() and stream.stat().st_size >= synced
    with stream.open("r+b" if is_begun else "w+b") as file:
        clusters = list(_clusters(file, room, synced)) if is_begun else []
        if not clusters:
            file.truncate(0)
            file.write(ebml.void(room))
            file.truncate(room)
            return 0.0
        while (gone_on_at := _last_run(clusters)) and clusters[-1].time_ms < _reached_ms(clusters[:gone_on_at]) + 1_000:
            clusters = clusters[:gone_on_at]  # it did not come beyond the place where it went on
        file.truncate(clusters[-1].end)
        return max(0, clusters[-1].time_ms - _BACK_MS) / 1000


def _last_run(clusters: list[_Cluster]) -> int:
    """The number of its first cluster."""
    return next(number for number, cluster in enumerate(clusters) if cluster.run == clusters[-1].run)


def _reached_ms(clusters: list[_Cluster]) -> int:
    return max(cluster.time_ms for cluster in clusters)


def finish(stream: Path, room: int, duration_s: float) -> None:
    """Write the headers and the index of the finished stream into its room; the index behind the media where it does
    not fit. Raises DamagedError, OSError."""
    with stream.open("r+b") as file:
        end = file.seek(0, os.SEEK_END)
        clusters = list(_clusters(file, room, end))
        if not clusters:
            raise ebml.DamagedError("nothing was written")
        end = clusters[-1].end
        file.truncate(end)
        headers = _headers(file, room, clusters[0].at)
        _leave_out(file, clusters, headers)
        last_s = (clusters[-1].time_ms - _NEAR_MS) / 1000
        if duration_s < last_s:
            raise ebml.DamagedError("the film is longer than it is")
        _write_front(file, headers, clusters, duration_s, end)


def _flat(file: BinaryIO, at: int, end: int) -> Iterator[ebml.Element]:
    """The elements of all runs: those in a segment, whose size nobody knew, follow its own."""
    while at < end:
        element = next(ebml.elements(file, at, end), None)
        if element is None:
            return
        yield element
        at = element.content if element.id == ebml.SEGMENT else element.end


def _clusters(file: BinaryIO, room: int, end: int) -> Iterator[_Cluster]:
    """The whole clusters."""
    run = -1
    for element in _flat(file, room, end):
        if element.id == ebml.EBML:
            run += 1
        elif element.id == ebml.CLUSTER:
            first = next(ebml.elements(file, element.content, element.end), None)
            if first is None or first.id != ebml.TIMESTAMP or run < 0:
                raise ebml.DamagedError("a cluster without a time")
            file.seek(first.content)
            time_ms = ebml.number(file.read(first.end - first.content))
            yield _Cluster(element.at, element.end, time_ms, run)


def _headers(file: BinaryIO, at: int, end: int) -> mkv_headers.Headers:
    first, sections = b"", {}
    for element in _flat(file, at, end):
        if element.id == ebml.EBML:
            first = mkv_headers.section(file, element)
        elif element.id in mkv_headers.COPIED:
            sections[element.id] = mkv_headers.section(file, element)
    return mkv_headers.of_sections(first, sections)


def _blocks(file: BinaryIO, cluster: _Cluster) -> Iterator[tuple[ebml.Element, _Known, bool]]:
    """Each block: where it lies, what is known of it, and whether it is a key frame."""
    parent = next(ebml.elements(file, cluster.at, cluster.end))
    for element in ebml.elements(file, parent.content, parent.end):
        inner = element
        if element.id == ebml.BLOCK_GROUP:
            inner = next((e for e in ebml.elements(file, element.content, element.end) if e.id == ebml.BLOCK), element)
        elif element.id != ebml.SIMPLE_BLOCK:
            continue
        file.seek(inner.content)
        head = file.read(min(_HEAD_BYTES, inner.end - inner.content))
        track, relative, skip = ebml.track_of_block(head)
        is_key = element.id == ebml.SIMPLE_BLOCK and bool(head[skip - 1] & _KEY)
        yield element, (track, cluster.time_ms + relative, inner.end - inner.content, head[skip:]), is_key


def _leave_out(file: BinaryIO, clusters: list[_Cluster], headers: mkv_headers.Headers) -> None:
    """Of every run but the first: its headers, and what the runs before it have."""
    media = {track.number for track in headers.tracks if track.type in (_VIDEO, _SOUND)}
    for number in range(1, len(clusters)):
        run = clusters[number].run
        if run == clusters[number - 1].run:
            continue
        begin_ms = clusters[number].time_ms - _NEAR_MS
        known: Counter[_Known] = Counter()
        last: dict[int, _Known] = {}
        for cluster in clusters[:number]:
            if cluster.time_ms < begin_ms:
                continue
            for _, block, _ in _blocks(file, cluster):
                known[block] += 1
                last[block[0]] = block
        until_ms = max((block[1] for block in last.values()), default=0) + _NEAR_MS
        twice: list[int] = []
        sought = {block for track, block in last.items() if track in media}
        for cluster in clusters[number:]:
            if cluster.run != run or cluster.time_ms > until_ms:
                break
            for element, block, _ in _blocks(file, cluster):
                if known[block]:
                    known[block] -= 1
                    twice.append(element.at)
                    sought.discard(block)
        if sought:
            raise ebml.DamagedError("the place of the last run was not found")
        for at in twice:
            _put(file, at, bytes([ebml.VOID]))  # an ID of one byte, as that of a block
        gap = clusters[number - 1].end
        _put(file, gap, ebml.void(clusters[number].at - gap))


def _write_front(
    file: BinaryIO, headers: mkv_headers.Headers, clusters: list[_Cluster], duration_s: float, end: int
) -> None:
    sections = mkv_headers.for_length(headers, duration_s, {})
    picture = next((track.number for track in headers.tracks if track.type == _VIDEO), None)
    base = len(headers.ebml) + len(ebml.head(ebml.SEGMENT, 0))  # places are counted from the segment's content
    cues, last_ms = [], -_CUE_EVERY_MS
    for cluster in clusters:
        first = next(_blocks(file, cluster), None)
        if first is None:
            continue
        _, (track, time_ms, *_), is_key = first
        if not is_key or (picture is not None and track != picture):
            continue
        if picture is None and time_ms - last_ms < _CUE_EVERY_MS:
            continue
        last_ms = time_ms
        cues.append(mkv_headers.cue(max(0, time_ms), track, cluster.at - base))
    index = ebml.element(ebml.CUES, b"".join(cues))
    table = len(mkv_headers.seek_head(sections, 0, 0))
    front = base + table + sum(len(section) for section in sections)
    fits = front + len(index) + 2 <= clusters[0].at
    cues_at = front - base if fits else end - base
    head = headers.ebml + ebml.head(ebml.SEGMENT, (end if fits else end + len(index)) - base)
    head += mkv_headers.seek_head(sections, cues_at, table) + b"".join(sections)
    if fits:
        head += index
    else:
        _put(file, end, index)
    if len(head) + 2 > clusters[0].at:
        raise ebml.DamagedError("the headers are longer than their room")
    _put(file, 0, head + ebml.void(clusters[0].at - len(head)))


def _put(file: BinaryIO, at: int, data: bytes) -> None:
    file.seek(at)
    file.write(data)
