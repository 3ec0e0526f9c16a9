"""Makes the chunks of the track in parallel and keeps their packets: an edited line costs its chunk, not the video.

Each chunk is encoded with some of the sound before and after it, so that the encoder's state at a join is what it would
have been, and only the chunk's own packets are kept, in files named by the chunk and the codec. What a chunk measures
is kept beside them.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from app.domain.errors import DubError
from app.domain.problems.requests import INTERNAL
from app.dubbing.mixing.cache_file import load, store
from app.dubbing.mixing.chunk_encode import ChunkLevels, coded
from app.dubbing.mixing.chunk_plan import Chunk, Layer
from app.dubbing.mixing.chunk_render import mixed
from app.dubbing.mixing.clip_cache import ClipCache
from app.dubbing.mixing.loudness import Floats
from app.media.packets import PacketCodec, Packets, packed, unpacked

LEVELS_SUFFIX: Final = ".levels"
PACKETS_SUFFIX: Final = ".packets"
SOUND_SUFFIX: Final = ".sound"


class Mix(msgspec.Struct, frozen=True):
    """What every chunk of one run has in common."""

    layers: tuple[Layer, ...]
    gain_db: float
    ceiling_dbtp: float


class ChunkStore:
    """What is known of chunks, in a folder. `used` names the files that this run has read or written; everything else
    there is stale."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.used: set[str] = set()

    def levels(self, chunk: Chunk, codec: PacketCodec) -> ChunkLevels | None:
        """What was measured of the packets; None where it is absent or damaged."""
        data = load(self._folder / self._used(_name(chunk, codec, LEVELS_SUFFIX)))
        return None if data is None else ChunkLevels.unpacked(data)

    def keep(self, chunk: Chunk, codec: PacketCodec, packets: Packets, levels: ChunkLevels) -> None:
        """Levels last: where they are, the packets are, unless they were forgotten."""
        store(self._folder / self._used(_name(chunk, codec, PACKETS_SUFFIX)), packed(packets, chunk.start_n))
        store(self._folder / self._used(_name(chunk, codec, LEVELS_SUFFIX)), levels.packed())

    def packets(self, chunk: Chunk, codec: PacketCodec) -> Packets | None:
        """The chunk's own packets at their positions in the track; None where they are absent or damaged."""
        data = load(self._folder / self._used(_name(chunk, codec, PACKETS_SUFFIX)))
        return None if data is None else unpacked(data, chunk.start_n)

    def sound(self, chunk: Chunk) -> Floats | None:
        """The chunk's own samples, float32 (n, 2); None where they are absent or damaged. A run that ends does not
        leave them."""
        data = load(self._folder / f"{chunk.name}{SOUND_SUFFIX}")
        return None if data is None else np.frombuffer(data, np.float32).reshape(-1, 2)

    def has_sound(self, chunk: Chunk) -> bool:
        """Whether its samples are there; they may be damaged."""
        return (self._folder / f"{chunk.name}{SOUND_SUFFIX}").exists()

    def keep_sound(self, chunk: Chunk, samples: Floats) -> None:
        """For a file that is written in one go: killed meanwhile, it is written again without mixing again."""
        store(self._folder / f"{chunk.name}{SOUND_SUFFIX}", samples.tobytes())

    def measured_only(self, chunk: Chunk, codec: PacketCodec) -> bool:
        """Whether an earlier run has made the chunk and has not kept its packets."""
        levels, packets = (self._folder / _name(chunk, codec, suffix) for suffix in (LEVELS_SUFFIX, PACKETS_SUFFIX))
        return levels.exists() and not packets.exists()

    def forget_packets(self, chunks: Sequence[Chunk], codecs: Sequence[PacketCodec]) -> None:
        """Their levels are worth keeping, their packets and samples are not."""
        for chunk in chunks:
            (self._folder / f"{chunk.name}{SOUND_SUFFIX}").unlink(missing_ok=True)
        self.used -= {_name(chunk, codec, PACKETS_SUFFIX) for chunk in chunks for codec in codecs}

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
    measure_only: bool = False,
    sink: Callable[[Floats], None] | None = None,
    report: Callable[[float], None] = lambda _: None,
) -> Made:
    """See to it that the store has the packets and levels of all chunks in all codecs; `hear` gives a chunk's layers,
    chunk after chunk.

    `measure_only`: the levels will do. `sink` gets the samples of every chunk, in order: those that no killed run has
    kept are then mixed again. The levels that come back are those of the first codec. Holds about `threads` + 1 chunks
    of sound at most.

    `report` hears first, in one word, which share is there already, then of every chunk that is made; nothing when
    there is nothing to make.
    """
    levels: dict[int, ChunkLevels] = {}
    running: deque[tuple[Chunk, Future[Floats | None]]] = deque()
    made, begun = 0, False

    def lacking(chunk: Chunk) -> list[PacketCodec]:
        return [codec for codec in codecs if _lacks(chunk_store, chunk, codec, measure_only=measure_only)]

    ahead = {
        chunk.index for chunk in chunks if lacking(chunk) or (sink is not None and not chunk_store.has_sound(chunk))
    }
    done = len(chunks) - len(ahead)

    def known(chunk: Chunk) -> ChunkLevels:
        found = chunk_store.levels(chunk, codecs[0])
        if found is None:
            raise DubError(INTERNAL, "A file of the cache disappeared.")
        return found

    def collect() -> None:
        chunk, future = running.popleft()
        samples = future.result()
        if sink is not None and samples is not None:
            sink(samples)
        tell(chunk)

    def tell(chunk: Chunk) -> None:
        nonlocal done
        levels[chunk.index] = known(chunk)
        if chunk.index in ahead:
            done += 1
            report(done / len(chunks))

    with ThreadPoolExecutor(max(1, threads)) as pool:
        try:
            for chunk in chunks:
                # again: one that sounds the same, silence for example, may have been made since
                missing = lacking(chunk) if chunk.index in ahead else []
                made += bool(missing)
                if not missing and sink is None:
                    tell(chunk)
                    continue
                if not missing and (stored := chunk_store.sound(chunk)) is not None:
                    found: Future[Floats | None] = Future()
                    found.set_result(stored)
                    running.append((chunk, found))
                else:
                    if not begun:
                        begun = True
                        report(done / len(chunks))
                    job = pool.submit(_make, chunk, mix, missing, chunk_store, clips, hear(chunk), sink is not None)
                    running.append((chunk, job))
                while len(running) > threads:
                    collect()
            while running:
                collect()
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return Made([levels[chunk.index] for chunk in chunks], made, len(chunks) - made)


def _lacks(chunk_store: ChunkStore, chunk: Chunk, codec: PacketCodec, *, measure_only: bool) -> bool:
    return chunk_store.levels(chunk, codec) is None or (not measure_only and chunk_store.packets(chunk, codec) is None)


def _make(
    chunk: Chunk,
    mix: Mix,
    codecs: Sequence[PacketCodec],
    chunk_store: ChunkStore,
    clips: ClipCache,
    heard: list[Floats],
    wanted: bool,
) -> Floats | None:
    sound = mixed(chunk, mix.layers, heard, clips.samples, mix.gain_db, mix.ceiling_dbtp)
    own = sound[chunk.start_n - chunk.first_n : chunk.end_n - chunk.first_n].copy() if wanted else None
    if own is not None:
        chunk_store.keep_sound(chunk, own)
    for codec in codecs:
        chunk_store.keep(chunk, codec, *coded(chunk, codec, sound))
    return own


def _name(chunk: Chunk, codec: PacketCodec, suffix: str) -> str:
    return f"{chunk.name}.{codec.name}{suffix}"
