"""Caches prepared clips on disk, so that an edited dub prepares only new ones.

A file is named by the hash of the clip's bytes and its cut, which decide everything about its sound.
"""

from __future__ import annotations

import hashlib
import struct
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import numpy.typing as npt

from app.dubbing.mixing.cache_file import load, store
from app.dubbing.mixing.clip import prepare
from app.dubbing.mixing.loudness import Doubles, Floats

PEAK_N: Final = 240  # samples per peak: 5 ms
SUFFIX: Final = ".clip"
_VERSION: Final = b"clip 3\0"  # part of every name: change it with anything that changes the samples
_HEAD: Final = struct.Struct("<dIII")  # the factor of the samples; how many energies, peaks and samples


class Cut(msgspec.Struct, frozen=True):
    """A clip's file, what is cut off at its ends, and how many samples of 48 kHz the rest becomes."""

    path: str
    trim_start_s: float
    trim_end_s: float
    length_n: int


class StoredClip(msgspec.Struct, frozen=True):
    """A ready clip without its samples."""

    name: str
    cut: Cut


class MeasuredClip(msgspec.Struct, frozen=True):
    """A ready clip and how loud it is. `energies` as in `clip.ReadyClip`; `peaks` are the largest magnitudes of PEAK_N
    samples each."""

    stored: StoredClip
    energies: Doubles
    peaks: Floats


class ClipCache:
    """Ready clips in a folder. `used` names the files that this run has read or written: everything else there is
    stale. Any thread may ask."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.used: set[str] = set()

    def name(self, cut: Cut) -> str:
        """The name of the clip's file. Reads the clip, and nothing of the cache."""
        facts = f"{cut.trim_start_s!r} {cut.trim_end_s!r} {cut.length_n}\0".encode()
        return hashlib.blake2b(_VERSION + facts + Path(cut.path).read_bytes(), digest_size=16).hexdigest() + SUFFIX

    def has(self, name: str) -> bool:
        """Whether the file is there; it may be damaged."""
        return (self._folder / name).exists()

    def clip(self, cut: Cut, name: str = "") -> MeasuredClip:
        """The clip, prepared if it is not there or damaged; `name` as from `name`, if known. Raises speech_failed."""
        name = name or self.name(cut)
        _, energies, peaks, _ = self._read(name, cut)
        self.used.add(name)
        # copies: a view would hold the samples in memory for as long as the mix runs
        return MeasuredClip(StoredClip(name, cut), energies.copy(), peaks.copy())

    def samples(self, clip: StoredClip) -> Floats:
        """Float32 (length_n,)."""
        factor, _, _, samples = self._read(clip.name, clip.cut)
        return samples.astype(np.float32) * np.float32(factor)

    def _read(self, name: str, cut: Cut) -> tuple[float, Doubles, Floats, npt.NDArray[np.int16]]:
        data = load(self._folder / name)
        if data is None:
            data = _packed(cut)
            store(self._folder / name, data)
        factor, energies_count, peaks_count, length_n = _HEAD.unpack_from(data)
        energies = np.frombuffer(data, "<f8", energies_count, _HEAD.size)
        peaks = np.frombuffer(data, "<f4", peaks_count, _HEAD.size + energies.nbytes)
        return (
            factor,
            energies,
            peaks,
            np.frombuffer(data, "<i2", length_n, _HEAD.size + energies.nbytes + peaks.nbytes),
        )


def _packed(cut: Cut) -> bytes:
    """16 bits used fully: half the disk, nothing audible lost."""
    ready = prepare(Path(cut.path), cut.trim_start_s, cut.trim_end_s, cut.length_n)
    whole = np.abs(np.pad(ready.samples, (0, -cut.length_n % PEAK_N))).reshape(-1, PEAK_N).max(axis=1)
    factor = max(float(whole.max(initial=0.0)), 1e-9) / 32767
    samples = np.rint(ready.samples / np.float32(factor)).astype("<i2")
    head: bytes = _HEAD.pack(factor, len(ready.energies), len(whole), cut.length_n)
    return b"".join((head, ready.energies.astype("<f8").tobytes(), whole.astype("<f4").tobytes(), samples.tobytes()))
