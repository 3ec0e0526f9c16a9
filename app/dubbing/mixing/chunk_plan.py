"""Divides the track into chunks of 16 s that can be made independently, and names each by its inputs.

A name is the hash of everything that decides the chunk's sound: a chunk with unchanged inputs is not decoded, mixed,
limited, measured or encoded again.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Final

import msgspec

from app.dubbing.mixing.clip_cache import StoredClip
from app.dubbing.mixing.ducking import Gain
from app.dubbing.mixing.limiter import DELAY_N, MEMORY_N
from app.dubbing.mixing.loudness import ENERGY_N

# 16 s: whole AAC frames (1,024), whole Opus frames (960), whole energies (4,800); a quarter of a second of work
CHUNK_N: Final = 10 * 76_800
# encoded before a chunk's own packets: the encoder's state at a join is what it would have been
BEFORE_FRAMES: Final = 24
AFTER_FRAMES: Final = 4
_FRAME_N: Final = 1_024  # the longest
LEAD_N: Final = -(-(BEFORE_FRAMES * _FRAME_N + MEMORY_N + DELAY_N) // ENERGY_N) * ENERGY_N
TAIL_N: Final = AFTER_FRAMES * _FRAME_N + 2 * DELAY_N
OVERLAP_N: Final = LEAD_N + TAIL_N
_VERSION: Final = "chunk 2"  # part of every name: change it with anything that changes the sound


class Layer(msgspec.Struct, frozen=True):
    """A sound behind the voice: whose bytes (`identity`), and how loud it is when."""

    identity: str
    gain: Gain


class PlacedClip(msgspec.Struct, frozen=True):
    """A ready clip where it plays, with its gain."""

    clip: StoredClip
    start_n: int
    gain_db: float

    @property
    def end_n(self) -> int:
        return self.start_n + self.clip.cut.length_n


class Chunk(msgspec.Struct, frozen=True):
    """The chunk's own samples are [start_n, end_n); to make them, those from `first_n` to `until_n` are heard.

    `layers` are the numbers of those that are not silent there, `clips` play there, in order. `name` says all of it.
    """

    index: int
    start_n: int
    end_n: int
    first_n: int
    until_n: int
    last: bool
    layers: tuple[int, ...]
    clips: tuple[PlacedClip, ...]
    name: str


def plan(
    total_n: int, layers: Sequence[Layer], clips: Sequence[PlacedClip], gain_db: float, ceiling_dbtp: float
) -> list[Chunk]:
    """All chunks of a track of `total_n` samples; one of none where it has none."""
    waiting = sorted(clips, key=lambda placed: placed.start_n, reverse=True)
    near: list[PlacedClip] = []
    chunks = []
    for index in range(max(1, -(-total_n // CHUNK_N))):
        start_n, end_n = index * CHUNK_N, min((index + 1) * CHUNK_N, total_n)
        first_n, until_n = max(start_n - LEAD_N, 0), min(end_n + TAIL_N, total_n)
        while waiting and waiting[-1].start_n < until_n:
            near.append(waiting.pop())
        near = [placed for placed in near if placed.end_n > first_n]
        heard = tuple(
            number for number, layer in enumerate(layers) if not layer.gain.silent(first_n, until_n - first_n)
        )
        facts = [
            _VERSION,
            [start_n - first_n, end_n - first_n, until_n - first_n],
            end_n == total_n,
            gain_db,
            ceiling_dbtp,
        ]
        for number in heard:
            gain = layers[number].gain.facts(first_n, until_n - first_n)
            facts.append([layers[number].identity, first_n, hashlib.blake2b(gain, digest_size=16).hexdigest()])
        facts += [[placed.clip.name, placed.start_n - first_n, placed.gain_db] for placed in near]
        name = hashlib.blake2b(msgspec.json.encode(facts), digest_size=16).hexdigest()
        chunks.append(Chunk(index, start_n, end_n, first_n, until_n, end_n == total_n, heard, tuple(near), name))
    return chunks
