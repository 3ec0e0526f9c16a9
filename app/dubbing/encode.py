"""The mixed track as AAC, in chunks of 30 s that are encoded side by side and kept: an edited line costs its chunk, not the video.

Each chunk is encoded with some of the sound before and after it, so that the encoder's state at a join is what it would have been, and
only the chunk's own packets are kept. A chunk's name is the hash of those samples: equal sound is never encoded twice.
"""

from __future__ import annotations

import hashlib
import os
import struct
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np

from app.dubbing.loudness import Floats
from app.media.encode import BIT_RATE, CODER, FRAME_N, PRIMING_N, M4aWriter, encode_aac

CHUNK_N = 1_407 * FRAME_N  # 30.016 s
_BEFORE_N = 24 * FRAME_N
_AFTER_N = 4 * FRAME_N
_CODEC = f"aac 1 {BIT_RATE} {CODER}\0".encode()  # part of every name: change it with anything that changes the packets
_CHECK_BYTES = 16

Packets = list[tuple[int, bytes]]


class ChunkedEncoder:
    """Takes the track from its first sample to its last in blocks of any size and writes it to `writer`, packet by packet.

    Holds about `threads` + 2 chunks of sound at most. `used` names the files of the cache folder that this run has read or written.
    """

    def __init__(self, writer: M4aWriter, cache: Path, threads: int) -> None:
        self._writer, self._cache, self._threads = writer, cache, max(1, threads)
        self._pool = ThreadPoolExecutor(self._threads)
        self._running: deque[Future[tuple[Packets, bool]]] = deque()
        self._waiting: list[Floats] = []
        self._waiting_n = 0  # samples in _waiting
        self._base_n = 0  # position of the first of them
        self._chunk_n = 0  # where the next chunk starts
        self.used: set[str] = set()
        self.encoded = 0
        self.cached = 0

    def __enter__(self) -> ChunkedEncoder:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(wait=True, cancel_futures=True)

    def push(self, block: Floats) -> None:
        """Take the next samples, float32 (n, 2)."""
        self._waiting.append(block)
        self._waiting_n += len(block)
        while self._base_n + self._waiting_n >= self._chunk_n + CHUNK_N + _AFTER_N:
            self._start(last=False)

    def finish(self) -> None:
        """Encode the rest and hand every packet to the writer."""
        self._start(last=True)
        while self._running:
            self._collect()

    def _start(self, *, last: bool) -> None:
        held = np.concatenate(self._waiting) if self._waiting else np.zeros((0, 2), np.float32)
        first_n = max(self._chunk_n - _BEFORE_N, 0)
        until_n = self._base_n + len(held) if last else self._chunk_n + CHUNK_N + _AFTER_N
        samples = held[first_n - self._base_n : until_n - self._base_n]
        self._running.append(self._pool.submit(self._packets, np.ascontiguousarray(samples), first_n, self._chunk_n, last))
        self._chunk_n += CHUNK_N
        keep_n = max(self._chunk_n - _BEFORE_N, 0)
        self._waiting = [held[keep_n - self._base_n :].copy()]
        self._base_n, self._waiting_n = keep_n, len(self._waiting[0])
        while len(self._running) > self._threads:
            self._collect()

    def _collect(self) -> None:
        packets, was_cached = self._running.popleft().result()
        self.cached += was_cached
        self.encoded += not was_cached
        self._writer.write(packets)

    def _packets(self, samples: Floats, first_n: int, chunk_n: int, last: bool) -> tuple[Packets, bool]:
        """The chunk's own packets: those from its start to the next one's, shifted by the encoder's delay."""
        facts = f"{chunk_n - first_n} {last}\0".encode()
        name = hashlib.blake2b(_CODEC + facts + samples.tobytes(), digest_size=16).hexdigest() + ".aac"
        self.used.add(name)
        file = self._cache / name
        kept = _read(file)
        if kept is not None:
            return [(chunk_n + at_n, data) for at_n, data in kept], True
        begin_n = chunk_n - PRIMING_N
        packets = [(at_n, data) for at_n, data in encode_aac(samples, first_n) if at_n >= begin_n and (last or at_n < begin_n + CHUNK_N)]
        _write(file, [(at_n - chunk_n, data) for at_n, data in packets])
        return packets, False


def _write(file: Path, packets: Packets) -> None:
    """Complete or absent."""
    data = b"".join(struct.pack("<qI", at_n, len(packet)) + packet for at_n, packet in packets)
    written = file.with_suffix(f".{os.getpid()}.{threading.get_ident()}.tmp")
    written.write_bytes(_check(data) + data)
    written.replace(file)


def _read(file: Path) -> Packets | None:
    """The packets, or None where the file is absent or damaged (a machine that lost power)."""
    try:
        stored = file.read_bytes()
    except FileNotFoundError:
        return None
    data = stored[_CHECK_BYTES:]
    if stored[:_CHECK_BYTES] != _check(data):
        return None
    packets, at = [], 0
    while at < len(data):
        at_n, size = struct.unpack_from("<qI", data, at)
        at += 12 + size
        packets.append((at_n, data[at - size : at]))
    return packets


def _check(data: bytes) -> bytes:
    return hashlib.blake2b(data, digest_size=_CHECK_BYTES).digest()
