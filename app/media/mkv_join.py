"""Joins tracks of MP4 files into one Matroska: the samples are copied as they are, memory does not grow with them.

FFmpeg has written the headers, of outlines (`app.media.mp4_outline`), and one block of each track. The index is known
before a sample is copied and stands in front. Copying can be taken up where it stopped, as in `app.media.mp4_join`.
Imports numpy: for a child process.
"""

from __future__ import annotations

import hashlib
import math
import os
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from app.media import ebml, mkv_headers
from app.media.mkv_headers import Block as FrameBlock
from app.media.mp4_copy import samples_of, write_all
from app.media.mp4_head import Source
from app.media.mp4_join import Position
from app.media.mp4_movie import Edit
from app.media.mp4_shown import Cursor, Samples
from app.media.mp4_tables import UnsuitableError, read

_CLUSTER_S: Final = 2.0  # players read a cluster at once
_CUE_EVERY_MS: Final = 5_000  # where there is no picture
_MARK_EVERY: Final = 256 << 20
_WRITES: Final = 1_000
_FURTHEST_MS: Final = 30_000  # a block's time is counted from its cluster's, in 16 bits
_BLOCK_HEAD: Final = 9  # ID, size in four bytes, track, time, flags
_MOST_BLOCK: Final = (1 << 28) - 8
_CLUSTER_HEAD: Final = 4 + 8 + 10
_KEY: Final = 0x80
_VIDEO: Final = 1
_LEAST_S: Final = 0.0005


class _Cluster(msgspec.Struct, frozen=True):
    time_ms: int
    of_tracks: tuple[Samples, ...]
    extra: tuple[FrameBlock, ...]

    @property
    def size(self) -> int:
        """Bytes, with its head."""
        samples = sum(int(each.sizes.sum()) + _BLOCK_HEAD * len(each) for each in self.of_tracks)
        return _CLUSTER_HEAD + samples + sum(len(_grouped(block, self.time_ms)) for block in self.extra)


class MatroskaJoin:
    """One file of many tracks. `frame` has the headers of `sources` in their order, and then small tracks of its
    own."""

    def __init__(self, frame: Path, sources: list[Source]) -> None:
        """Reads all tables once. Raises UnsuitableError, OSError."""
        self._sources = sources
        try:
            self._headers, blocks = mkv_headers.read(frame)
        except ebml.DamagedError as error:
            raise UnsuitableError(str(error)) from error
        tracks = self._headers.tracks
        if len(tracks) < len(sources):
            raise UnsuitableError("a track is missing")
        self._numbers = [track.number for track in tracks[: len(sources)]]
        firsts = [next((block for block in blocks if block.track == number), None) for number in self._numbers]
        self._delays_ns: dict[int, int] = {}
        self._firsts_s: list[float] = []
        for source, track, first in zip(sources, tracks, firsts, strict=False):
            if first is None or first.rest is not None or _first_payload(source) != first.payload:
                raise UnsuitableError("FFmpeg has copied another sample")
            edit = source.track.edit or Edit()
            before = edit.media_start if source.track.handler == b"soun" else 0
            said = track.delay_ns if track.delay_ns is not None else round(before * 1e9 / source.track.timescale)
            self._delays_ns[track.number] = said
            ticks = source.track.first_shown - edit.media_start
            first_s = ticks / source.track.timescale + edit.delay_s - source.start_s + said / 1e9
            if first_s < -_LEAST_S:
                raise UnsuitableError("a track begins before the film")
            self._firsts_s.append(first_s)
        own = set(self._numbers)
        self._extra = sorted((block for block in blocks if block.track not in own), key=lambda block: block.time_ms)
        self._picture = next((at for at, track in enumerate(tracks[: len(sources)]) if track.type == _VIDEO), None)
        self.length_s = 0.0  # of what is shown and heard
        self.media_bytes, cues = self._placed()
        self._head = self._front(cues)

    def write(
        self, out: Path, found: Position | None, report: Callable[[float], None], mark: Callable[[Position], None]
    ) -> None:
        """Write `out`, or go on where `found` says that it was; `mark` hears how much of it is on disk. Raises
        UnsuitableError, OSError."""
        name = hashlib.sha256(self._head).hexdigest()
        begin, done = len(self._head), 0
        is_same = found is not None and found.head == name and out.exists()
        if found is not None and is_same and out.stat().st_size >= begin + found.media_bytes:
            done = found.media_bytes
        with out.open("r+b" if done else "wb", buffering=0) as file:
            if done:
                file.truncate(begin + done)
            else:
                write_all(file, [memoryview(self._head)])
            file.seek(begin + done)
            at = marked = 0
            for cluster in self._clusters(self._cursors()):
                size = cluster.size
                if at >= done:
                    self._copy(cluster, file)
                    if at + size - marked >= _MARK_EVERY:
                        os.fdatasync(file.fileno())
                        marked = at + size
                        mark(Position(name, marked))
                    report((at + size) / max(self.media_bytes, 1))
                at += size
                marked = max(marked, min(at, done))

    def _placed(self) -> tuple[int, list[tuple[int, int, int]]]:
        """The bytes of all clusters, and the index: time, track, and place of a cluster among them."""
        at, cues, last_ms = 0, [], -_CUE_EVERY_MS
        track, every_ms = self._numbers[self._picture or 0], 0 if self._picture is not None else _CUE_EVERY_MS
        cursors = self._cursors()
        for cluster in self._clusters(cursors):
            samples = cluster.of_tracks[self._picture or 0]
            if len(samples) and samples.keys[0] and cluster.time_ms - last_ms >= every_ms:
                last_ms = int(samples.shown_ms[0])
                cues.append((last_ms, track, at))
            at += cluster.size
        self.length_s = max(cursor.end_s for cursor in cursors)
        self._timings = {}
        for number, (source, cursor) in enumerate(zip(self._sources, cursors, strict=True)):
            track = self._numbers[number]
            picture_s = cursor.lasts_s / source.track.samples if number == self._picture else 0.0
            self._timings[track] = mkv_headers.Timing(self._delays_ns[track], round(picture_s * 1e9))
        return at, cues

    def _front(self, cues: list[tuple[int, int, int]]) -> bytes:
        sections = mkv_headers.for_length(self._headers, self.length_s, self._timings)
        table = len(mkv_headers.seek_head(sections, 0, 0))
        cues_at = table + sum(len(section) for section in sections)
        index = len(ebml.element(ebml.CUES, mkv_headers.cue(0, 1, 0) * len(cues)))
        clusters_at = cues_at + index
        entries = b"".join(mkv_headers.cue(time_ms, track, clusters_at + at) for time_ms, track, at in cues)
        content = mkv_headers.seek_head(sections, cues_at, table) + b"".join(sections)
        content += ebml.element(ebml.CUES, entries)
        size = len(content) + self.media_bytes
        return self._headers.ebml + ebml.head(ebml.SEGMENT, size) + content

    def _cursors(self) -> list[Cursor]:
        firsts = zip(self._sources, self._firsts_s, strict=True)
        return [Cursor(each.movie, each.track, first_s, each.start_s) for each, first_s in firsts]

    def _clusters(self, cursors: list[Cursor]) -> Iterator[_Cluster]:
        extra = list(self._extra)
        while True:
            earliest = min(cursor.next_s() for cursor in cursors)
            if earliest == math.inf and not extra:
                return
            until_s = earliest + _CLUSTER_S
            if self._picture is not None:
                until_s = min(until_s, cursors[self._picture].next_key_s(until_s))
            parts = tuple(cursor.take(until_s) for cursor in cursors)
            times = [int(part.shown_ms.min()) for part in parts if len(part)]
            until_ms = math.inf if earliest == math.inf else max(int(p.shown_ms.max()) for p in parts if len(p))
            taken = []
            while extra and extra[0].time_ms <= until_ms:
                taken.append(extra.pop(0))
                times.append(taken[-1].time_ms)
                if taken[-1].time_ms - min(times) > _FURTHEST_MS:
                    extra.insert(0, taken.pop())
                    times.pop()
                    break
            if max(times) - min(times) > _FURTHEST_MS:
                raise UnsuitableError("the tracks' times are far apart")
            yield _Cluster(max(min(times), 0), parts, tuple(taken))

    def _copy(self, cluster: _Cluster, out: BinaryIO) -> None:
        begin = ebml.head(ebml.CLUSTER, cluster.size - 12) + ebml.unsigned(ebml.TIMESTAMP, cluster.time_ms)
        order: list[tuple[float, int, memoryview, memoryview]] = []
        for number, source, samples in zip(self._numbers, self._sources, cluster.of_tracks, strict=True):
            if len(samples) and int(samples.sizes.max()) > _MOST_BLOCK:
                raise UnsuitableError("a sample is very large")
            data = samples_of(source.movie.file, samples.offsets, samples.sizes)
            for at_s, shown_ms, is_key, payload in zip(
                samples.decoded_s.tolist(), samples.shown_ms.tolist(), samples.keys.tolist(), data, strict=True
            ):
                relative = struct.pack(">BhB", 0x80 | number, shown_ms - cluster.time_ms, _KEY if is_key else 0)
                head = ebml.head(ebml.SIMPLE_BLOCK, 4 + len(payload), 4) + relative
                order.append((at_s, len(order), memoryview(head), payload))
        order.sort(key=lambda each: each[:2])
        pieces = [memoryview(begin)]
        for _, _, block, payload in order:
            pieces += (block, payload)
        pieces += [memoryview(_grouped(block, cluster.time_ms)) for block in cluster.extra]
        for at in range(0, len(pieces), _WRITES):
            write_all(out, pieces[at : at + _WRITES])


def _first_payload(source: Source) -> bytes:
    block = next(source.movie.blocks(source.track), None)
    if block is None or int(block.sizes[0]) > _MOST_BLOCK:
        return b""
    return read(source.movie.file, int(block.offsets[0]), int(block.sizes[0]))


def _grouped(block: FrameBlock, cluster_ms: int) -> bytes:
    head = struct.pack(">BhB", 0x80 | block.track, block.time_ms - cluster_ms, block.flags)
    if block.rest is None:
        return ebml.element(ebml.SIMPLE_BLOCK, head + block.payload)
    return ebml.element(ebml.BLOCK_GROUP, ebml.element(ebml.BLOCK, head + block.payload) + block.rest)
