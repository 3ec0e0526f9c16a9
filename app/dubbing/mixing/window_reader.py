"""Reads a file's sound in overlapping windows: once from the beginning, later by seeking."""

from __future__ import annotations

import hashlib
import mmap
from collections import deque
from pathlib import Path
from typing import Final

import msgspec
import numpy as np

from app.domain.errors import DubError
from app.domain.problems.media import NO_AUDIO
from app.dubbing.mixing.cache_file import load, store
from app.dubbing.mixing.loudness import Doubles, Floats, KMeter
from app.media.decode import audio_blocks
from app.media.frame_run import channels_of
from app.media.safe_open import open_input
from app.media.sound_reader import SoundReader, Spans
from app.media.sound_windows import SoundWindows

ENERGIES_SUFFIX: Final = ".energies"
SPANS_SUFFIX: Final = ".spans"
_SPANS_VERSION: Final = 1  # change it with `Start`


class Playback:
    """Decodes what it is asked for and little more; what has ended is silence. Windows come in order and reach back by
    `overlap_n` at most.

    The samples of a window do not depend on what was read before it: `app.media.sound_reader`.
    """

    def __init__(self, path: Path, track: int, overlap_n: int, spans: Spans, layout: str = "stereo") -> None:
        self._reader = SoundReader(path, track, spans, layout)
        self._overlap_n, self._channels = overlap_n, channels_of(layout)
        self._held: deque[tuple[int, Floats]] = deque()

    def window(self, first_n: int, until_n: int) -> Floats:
        """The samples from `first_n` to `until_n`, float32 (n, channels of the layout), the caller's own."""
        out = silence(until_n - first_n, self._channels)
        if first_n > self._reader.position_n:
            self._reader.go_to(first_n)
        while self._reader.position_n < until_n:
            at_n = self._reader.position_n
            block = self._reader.read()
            if block is None:
                break
            if at_n + len(block) > first_n:
                self._held.append((at_n, block))
        for at_n, block in self._held:
            from_n, to_n = max(at_n, first_n), min(at_n + len(block), until_n)
            if from_n < to_n:
                out[from_n - first_n : to_n - first_n] = block[from_n - at_n : to_n - at_n]
        while self._held and self._held[0][0] + len(self._held[0][1]) <= until_n - self._overlap_n:
            self._held.popleft()
        return out

    def close(self) -> None:
        """Close the file."""
        self._reader.close()


class KnownSpans:
    """Where a file's decoders begin (`app.media.sound_reader`), kept in `folder` under `name` (the file's identity; ""
    keeps nothing)."""

    def __init__(self, folder: Path, name: str, track: int, length_n: int, lead_n: int) -> None:
        key = msgspec.json.encode([_SPANS_VERSION, name, track, length_n, lead_n])
        self.file = folder / (hashlib.blake2b(key, digest_size=16).hexdigest() + SPANS_SUFFIX) if name else None
        data = load(self.file) if self.file else None
        self.spans = msgspec.msgpack.decode(data, type=Spans) if data is not None else Spans(length_n, lead_n)
        self._stored = len(self.spans.starts)

    def keep(self, *, least: int = 1) -> None:
        """On the disk when this returns, if at least so many are new."""
        if self.file is not None and len(self.spans.starts) - self._stored >= least:
            store(self.file, msgspec.msgpack.encode(self.spans))
            self._stored = len(self.spans.starts)


def silence(count_n: int, channels: int = 2) -> Floats:
    """Float32 (count_n, channels) of zeros in pages of its own: they go back to the system with the array, where the
    heap of each thread would keep them."""
    size = channels * count_n
    return np.frombuffer(mmap.mmap(-1, max(4 * size, 1)), np.float32)[:size].reshape(count_n, channels)


def has_sound(path: Path) -> bool:
    """Whether the file has an audio track. Raises not_media, media_damaged."""
    windows = SoundWindows.of(path, 0)
    if windows is not None:
        windows.close()
        return True
    with open_input(path) as container:
        return len(container.streams.audio) > 0


def stem_checked(path: Path) -> Path:
    """The stem, which must have sound. Raises not_media, media_damaged, no_audio."""
    if not has_sound(path):
        raise DubError(NO_AUDIO, "It is the background that was brought.")
    return path


def energies_of_file(path: Path, track: int, name: str, folder: Path, used: set[str]) -> Doubles:
    """The file's 100 ms energies, measured by one decode and kept in `folder` under `name` (the file's identity; ""
    keeps nothing)."""
    file_name = hashlib.blake2b(f"{name} {track}".encode(), digest_size=16).hexdigest() + ENERGIES_SUFFIX
    data = load(folder / file_name) if name else None
    if data is None:
        meter = KMeter()
        for block in audio_blocks(path, track):
            meter.push(block)
        data = meter.energies().astype("<f8").tobytes()
        if name:
            store(folder / file_name, data)
    used.add(file_name)
    return np.frombuffer(data, "<f8")
