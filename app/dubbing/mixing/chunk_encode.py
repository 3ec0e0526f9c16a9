"""Encodes a chunk to packets and measures loudness and peaks after decoding them, as a player will hear them.

Lossy coding moves both: white noise loses a decibel of loudness in AAC, and peaks grow. A chunk whose peaks pass -1
dBTP when it is played is limited further and coded again.
"""

from __future__ import annotations

import struct
from typing import Final

import msgspec
import numpy as np

from app.dubbing.mixing.chunk_plan import AFTER_FRAMES, BEFORE_FRAMES, Chunk
from app.dubbing.mixing.chunk_render import limit
from app.dubbing.mixing.loudness import ENERGY_N, Doubles, Floats, KMeter
from app.dubbing.mixing.true_peak import REACH_N, dbtp, true_peak
from app.media.packets import Encoded, PacketCodec, Packets, decode, encode

CEILING_DBTP: Final = -1.0
# what is given to the codec: coding adds up to a decibel to peaks (EBU R 128 s1 advises the same margin)
CODED_CEILING_DBTP: Final = -2.0
_ATTEMPTS: Final = 4
_SPARE_DB: Final = 0.05
_METER_LEAD_N: Final = 4 * ENERGY_N  # the K-weighting has forgotten everything older (its slowest pole: 0.995)
_HEAD: Final = struct.Struct("<dI")


class ChunkLevels(msgspec.Struct, frozen=True):
    """Of a chunk's own samples, as they are played: K-weighted energies of 100 ms, and the true peak as a magnitude."""

    energies: Doubles
    peak: float

    def packed(self) -> bytes:
        head: bytes = _HEAD.pack(self.peak, len(self.energies))
        return head + self.energies.astype("<f8").tobytes()

    @staticmethod
    def unpacked(data: bytes) -> ChunkLevels:
        peak, count = _HEAD.unpack_from(data)
        return ChunkLevels(np.frombuffer(data, "<f8", count, _HEAD.size), peak)


def coded(chunk: Chunk, codec: PacketCodec, sound: Floats) -> tuple[Packets, ChunkLevels]:
    """The chunk's own packets, those from its start to the next one's, shifted by the encoder's delay; and their
    levels.

    `sound` are the samples from the chunk's `first_n` on, limited to CODED_CEILING_DBTP. Where that was not enough, a
    copy is limited further.
    """
    ceiling_dbtp = CODED_CEILING_DBTP
    for attempt in range(_ATTEMPTS):
        encoded = encoded_with_margins(chunk, codec, sound)
        levels = _played(chunk, codec, encoded)
        over_db = dbtp(levels.peak) - CEILING_DBTP
        if over_db <= 0 or attempt == _ATTEMPTS - 1:
            break
        ceiling_dbtp -= over_db + _SPARE_DB
        sound = sound.copy()
        limit(sound, ceiling_dbtp)
    return own_packets(chunk, codec, encoded), levels


def own_packets(chunk: Chunk, codec: PacketCodec, encoded: Encoded) -> Packets:
    """Those from the chunk's start to the next one's, shifted by the encoder's delay."""
    begin_n, end_n = chunk.start_n - codec.priming_n, chunk.end_n - codec.priming_n
    return [(at_n, data) for at_n, data in encoded.packets if at_n >= begin_n and (chunk.last or at_n < end_n)]


def encoded_with_margins(chunk: Chunk, codec: PacketCodec, sound: Floats, layout: str = "stereo") -> Encoded:
    """With a run-up, and far enough that the last own packet has all of its sound. `sound` is from the chunk's
    `first_n` on."""
    from_n = max(chunk.start_n - BEFORE_FRAMES * codec.frame_n, 0)
    until_n = min(chunk.end_n + AFTER_FRAMES * codec.frame_n, chunk.until_n)
    return encode(codec, sound[from_n - chunk.first_n : until_n - chunk.first_n], from_n, layout)


def _played(chunk: Chunk, codec: PacketCodec, encoded: Encoded) -> ChunkLevels:
    lead_n = min(_METER_LEAD_N, chunk.start_n)
    meter, peak, tail = KMeter(), 0.0, np.zeros((0, 2), np.float32)
    at_n = encoded.packets[0][0]
    for block in decode(codec, encoded):
        heard = block[max(chunk.start_n - lead_n - at_n, 0) : max(chunk.end_n - at_n, 0)]
        meter.push(heard)
        own = np.concatenate([tail, block[max(chunk.start_n - at_n, 0) : max(chunk.end_n - at_n, 0)]])
        peak = max(peak, true_peak(own, at_least=peak))
        tail = own[-2 * REACH_N :]
        at_n += len(block)
    return ChunkLevels(meter.energies()[lead_n // ENERGY_N :], peak)
