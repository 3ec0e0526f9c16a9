"""Writes the files of ingest block by block: the recognition track and the waveform. Runs in a child process: it
imports numpy."""

from __future__ import annotations

import os
import struct
import wave
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Final

import numpy as np
import soxr  # type: ignore[import-untyped]

from app.media.decode import SAMPLE_RATE_HZ, Block

SPEECH_HZ: Final = 16_000
RATIO: Final = SAMPLE_RATE_HZ // SPEECH_HZ
PEAK_N: Final = 512  # samples per point of the waveform


def _tail(path: Path, size_bytes: int, file: BinaryIO) -> bytes:
    """The last bytes of a file that is being written."""
    file.flush()
    with path.open("rb") as written:
        written.seek(-size_bytes, os.SEEK_END)
        return written.read()


class SpeechFile:
    """48 kHz mono in, a 16 kHz WAV file out, block by block. Long silence is written, not computed: hours of it may
    come before a late sound."""

    def __init__(self, path: Path, first: int) -> None:
        """`first`: the place in the file of the first sample that will come out; what stands there already is not
        written again."""
        self._path, self._next, self._written, self._stored = path, first, 0, 0
        self._resampler = soxr.ResampleStream(SAMPLE_RATE_HZ, SPEECH_HZ, 1, dtype="float32", quality="HQ")
        self._silent_n = 0  # since the last sound
        self._stream = path.open("wb")
        self._file = wave.open(self._stream, "wb")  # noqa: SIM115 - closed by __exit__, which also writes the length into the header
        self._file.setnchannels(1)
        self._file.setsampwidth(2)
        self._file.setframerate(SPEECH_HZ)

    def __enter__(self) -> SpeechFile:
        return self

    def push(self, mono: Block, *, last: bool = False) -> None:
        silent = not last and not mono.any()
        if silent and self._silent_n >= SAMPLE_RATE_HZ and len(mono) % RATIO == 0:  # the filter holds nothing but zeros
            self._write(bytes(2 * (len(mono) // RATIO)))
            return
        self._silent_n = self._silent_n + len(mono) if silent else 0
        slow = self._resampler.resample_chunk(mono, last=last)
        self._write((np.clip(slow, -1, 1) * 32767).round().astype("<i2").tobytes())

    def begin_with(self, data: bytes) -> None:
        """What an earlier run wrote."""
        self._file.writeframesraw(data)
        self._written += len(data) // 2
        self._stored = self._written

    def _write(self, data: bytes) -> None:
        new = data[2 * max(0, self._written - self._next) :]
        self._next += len(data) // 2
        self._file.writeframesraw(new)
        self._written += len(new) // 2

    def since_last(self) -> bytes:
        """What was written since this was asked last."""
        data = _tail(self._path, 2 * (self._written - self._stored), self._stream)
        self._stored = self._written
        return data

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.push(np.zeros(0, np.float32), last=True)
        self._file.close()
        self._stream.close()


class PeaksFile:
    """The lowest and highest sample of every 512, as audiowaveform's version 2 has them; the header's length is written
    at the end."""

    def __init__(self, path: Path, first: int) -> None:
        """`first`: the place of the first point that will come; what stands there already is not written again."""
        self._path, self._next, self._stored = path, first, 0
        self._file = path.open("wb")
        self._points = 0
        self._rest = np.zeros(0, np.float32)
        self._file.write(self._header())

    def __enter__(self) -> PeaksFile:
        return self

    def _header(self) -> bytes:
        # version, flags (1: 8-bit), rate, samples per point, points, channels
        return struct.pack("<iIiiIi", 2, 1, SAMPLE_RATE_HZ, PEAK_N, self._points, 1)

    def push(self, mono: Block) -> None:
        joined = np.concatenate([self._rest, mono])
        whole_n = len(joined) - len(joined) % PEAK_N
        self._rest = joined[whole_n:]
        cells = joined[:whole_n].reshape(-1, PEAK_N)
        if len(cells):
            ends = np.stack([np.floor(cells.min(axis=1) * 127), np.ceil(cells.max(axis=1) * 127)], axis=1)
            new = ends[max(0, self._points - self._next) :]
            self._next += len(ends)
            self._file.write(new.clip(-128, 127).astype(np.int8).tobytes())
            self._points += len(new)

    def begin_with(self, data: bytes) -> None:
        """What an earlier run wrote."""
        self._file.write(data)
        self._points += len(data) // 2
        self._stored = self._points

    def since_last(self) -> bytes:
        """What was written since this was asked last."""
        data = _tail(self._path, 2 * (self._points - self._stored), self._file)
        self._stored = self._points
        return data

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None and len(self._rest):
            self.push(np.zeros(PEAK_N - len(self._rest), np.float32))
        self._file.seek(0)
        self._file.write(self._header())
        self._file.close()
