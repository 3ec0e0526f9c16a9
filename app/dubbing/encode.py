"""The track as packets, in chunks that are made side by side and kept: an edited line costs its chunk, not the video.

Each chunk is encoded with some of the sound before and after it, so that the encoder's state at a join is what it would have been, and
only the chunk's own packets are kept, in files named by the chunk and the codec. What a chunk measures is kept beside them.
"""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec

from app.dubbing.chunk_sound import ChunkLevels, measured, mixed
from app.dubbing.chunks import AFTER_FRAMES, BEFORE_FRAMES, Chunk, Layer
from app.dubbing.clip_cache import ClipCache
from app.dubbing.keep import load, store
from app.dubbing.loudness import Floats
from app.media.encode import PacketCodec, Packets, encode

LEVELS_SUFFIX: Final = ".levels"
PACKETS_SUFFIX: Final = ".packets"
_PACKET: Final = struct.Struct("<qI")  # its position after the chunk's start, and its size


class Mix(msgspec.Struct, frozen=True):
    """What every chunk of one run has in common."""

    layers: tuple[Layer, ...]
    gain_db: float
    ceiling_dbtp: float


class ChunkStore:
    """What is known of chunks, in a folder. `used` names the files that this run has read or written; everything else there is stale."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.used: set[str] = set()

    def levels(self, chunk: Chunk) -> ChunkLevels | None:
        data = load(self._folder / self._used(chunk.name + LEVELS_SUFFIX))
        return None if data is None else ChunkLevels.unpacked(data)

    def keep_levels(self, chunk: Chunk, levels: ChunkLevels) -> None:
        store(self._folder / self._used(chunk.name + LEVELS_SUFFIX), levels.packed())

    def packets(self, chunk: Chunk, codec: PacketCodec) -> Packets | None:
        """The chunk's own packets at their positions in the track; None where they are absent or damaged."""
        data = load(self._folder / self._used(_packets_name(chunk, codec)))
        if data is None:
            return None
        packets, at = [], 0
        while at < len(data):
            at_n, size = _PACKET.unpack_from(data, at)
            at += _PACKET.size + size
            packets.append((chunk.start_n + at_n, data[at - size : at]))
        return packets

    def keep_packets(self, chunk: Chunk, codec: PacketCodec, packets: Packets) -> None:
        data = b"".join(_PACKET.pack(at_n - chunk.start_n, len(packet)) + packet for at_n, packet in packets)
        store(self._folder / self._used(_packets_name(chunk, codec)), data)

    def has_levels(self, chunk: Chunk) -> bool:
        """Whether the file is there; it may be damaged."""
        return (self._folder / (chunk.name + LEVELS_SUFFIX)).exists()

    def has_packets(self, chunk: Chunk, codec: PacketCodec) -> bool:
        """Whether the file is there; it may be damaged."""
        return (self._folder / _packets_name(chunk, codec)).exists()

    def forget_packets(self, chunks: Sequence[Chunk], codecs: Sequence[PacketCodec]) -> None:
        """Their levels are worth keeping, their packets are not."""
        self.used -= {_packets_name(chunk, codec) for chunk in chunks for codec in codecs}

    def _used(self, name: str) -> str:
        self.used.add(name)
        return name


class Made(msgspec.Struct, frozen=True):
    """The levels of all chunks, in order; how many were made now, and how many were there."""

    levels: list[ChunkLevels]
    made: int
    found: int


def make(
    chunks: Sequence[Chunk],
    mix: Mix,
    codecs: Sequence[PacketCodec],
    chunk_store: ChunkStore,
    clips: ClipCache,
    hear: Callable[[Chunk], list[Floats]],
    threads: int,
    *,
    sink: Callable[[Floats], None] | None = None,
    report: Callable[[float], None] = lambda _: None,
) -> Made:
    """See to it that the store has the levels and packets of all chunks, making what it lacks; `hear` gives a chunk's layers, chunk after chunk.

    `sink` gets the samples of every chunk, in order: all of them are then mixed again. Holds about `threads` + 2 chunks of sound at most.
    """
    levels: dict[int, ChunkLevels] = {}
    running: deque[tuple[Chunk, Future[tuple[ChunkLevels, Floats | None]]]] = deque()
    made = 0

    def collect() -> None:
        chunk, future = running.popleft()
        levels[chunk.index], samples = future.result()
        if sink is not None and samples is not None:
            sink(samples)
        report(len(levels) / len(chunks))

    with ThreadPoolExecutor(max(1, threads)) as pool:
        try:
            for chunk in chunks:
                known = chunk_store.levels(chunk)
                lacking = [codec for codec in codecs if chunk_store.packets(chunk, codec) is None]
                made += bool(lacking) or known is None
                if known is not None and not lacking and sink is None:
                    levels[chunk.index] = known
                    report(len(levels) / len(chunks))
                    continue
                running.append((chunk, pool.submit(_make, chunk, mix, lacking, chunk_store, clips, hear(chunk), sink is not None)))
                while len(running) > threads:
                    collect()
            while running:
                collect()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return Made([levels[chunk.index] for chunk in chunks], made, len(chunks) - made)


def _make(
    chunk: Chunk, mix: Mix, codecs: Sequence[PacketCodec], chunk_store: ChunkStore, clips: ClipCache, heard: list[Floats], wanted: bool
) -> tuple[ChunkLevels, Floats | None]:
    sound = mixed(chunk, mix.layers, heard, clips.samples, mix.gain_db, mix.ceiling_dbtp)
    levels = measured(chunk, sound)
    for codec in codecs:
        chunk_store.keep_packets(chunk, codec, own_packets(chunk, codec, sound))
    chunk_store.keep_levels(chunk, levels)
    return levels, sound[chunk.start_n - chunk.first_n : chunk.end_n - chunk.first_n].copy() if wanted else None


def own_packets(chunk: Chunk, codec: PacketCodec, sound: Floats) -> Packets:
    """The chunk's own packets of its sound (from `first_n` on): those from its start to the next one's, shifted by the encoder's delay."""
    from_n = max(chunk.start_n - BEFORE_FRAMES * codec.frame_n, 0)
    until_n = min(chunk.end_n + AFTER_FRAMES * codec.frame_n, chunk.until_n)
    begin_n, end_n = chunk.start_n - codec.priming_n, chunk.end_n - codec.priming_n
    packets = encode(codec, sound[from_n - chunk.first_n : until_n - chunk.first_n], from_n)
    return [(at_n, data) for at_n, data in packets if at_n >= begin_n and (chunk.last or at_n < end_n)]


def _packets_name(chunk: Chunk, codec: PacketCodec) -> str:
    return f"{chunk.name}.{codec.name}{PACKETS_SUFFIX}"
