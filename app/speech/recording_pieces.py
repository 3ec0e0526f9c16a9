"""A recording in pieces that a service takes at once, cut at its silences. The pieces meet: nothing is left out or sent
twice.

Where it is cut depends on the recording alone, so that a run that was killed cuts as the one before it.
"""

from __future__ import annotations

import hashlib
import io
import wave
from pathlib import Path
from typing import Final

import msgspec

_STEP_S: Final = 0.02
_QUIET_STEPS: Final = 20  # 0.4 s: the quietest stretch of this length is where it is cut
_SEARCHED: Final = 0.3  # of a piece's length, before its latest end
_BLOCK_N: Final = 1 << 16


class Piece(msgspec.Struct, frozen=True):
    """Seconds of the recording."""

    start_s: float
    end_s: float


def cut(speech: Path, longest_s: float) -> tuple[Piece, ...]:
    """Pieces of at most `longest_s` of a 16 kHz mono WAV of 16 bits. Blocks: reads the places where it may be cut."""
    with wave.open(str(speech)) as file:
        rate_hz, length_n = file.getframerate(), file.getnframes()
        pieces, start_n = [], 0
        while length_n - start_n > longest_s * rate_hz:
            last_n = start_n + int(longest_s * rate_hz)
            first_n = last_n - int(longest_s * _SEARCHED * rate_hz)
            end_n = first_n + _quietest(file, first_n, last_n)
            pieces.append(Piece(start_n / rate_hz, end_n / rate_hz))
            start_n = end_n
        if length_n > start_n:
            pieces.append(Piece(start_n / rate_hz, length_n / rate_hz))
    return tuple(pieces)


def _quietest(file: wave.Wave_read, first_n: int, last_n: int) -> int:
    """Samples after `first_n` at which the quietest stretch has its middle."""
    import numpy as np

    step_n = int(_STEP_S * file.getframerate())
    file.setpos(first_n)
    samples = np.frombuffer(file.readframes(last_n - first_n), "<i2")
    steps = samples[: len(samples) // step_n * step_n].reshape(-1, step_n).astype(np.float32)
    energy = np.convolve((steps**2).mean(axis=1), np.ones(_QUIET_STEPS), "valid")
    return (int(energy.argmin()) + _QUIET_STEPS // 2) * step_n


def wav_of(speech: Path, piece: Piece) -> bytes:
    """The piece as a WAV file in memory. Blocks."""
    with piece_file(speech, piece) as file:
        data: bytes = file.read()
        return data


def piece_file(speech: Path, piece: Piece) -> PieceFile:
    """The piece as a WAV file to be read bit by bit: an hour of it needs no memory. Blocks."""
    return PieceFile(speech, piece)


class PieceFile(io.RawIOBase):
    """A WAV file of a part of another one."""

    def __init__(self, speech: Path, piece: Piece) -> None:
        with wave.open(str(speech)) as file:
            rate_hz, whole_n = file.getframerate(), file.getnframes()
        first_n, last_n = round(piece.start_s * rate_hz), round(piece.end_s * rate_hz)
        size = (last_n - first_n) * 2
        head = b"RIFF" + (36 + size).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
        head += (1).to_bytes(2, "little") * 2 + rate_hz.to_bytes(4, "little") + (rate_hz * 2).to_bytes(4, "little")
        self._head = head + b"\x02\x00\x10\x00data" + size.to_bytes(4, "little")
        self._file = speech.open("rb")
        self._first = speech.stat().st_size - (whole_n - first_n) * 2  # the samples are the last thing in the file
        self._size, self._at = len(self._head) + size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        left = max(0, self._size - self._at)
        wanted = left if size is None or size < 0 else min(size, left)
        found = self._head[self._at : self._at + wanted]
        if len(found) < wanted:
            self._file.seek(self._first + self._at + len(found) - len(self._head))
            found += self._file.read(wanted - len(found))
        self._at += len(found)
        return bytes(found)

    def close(self) -> None:
        self._file.close()
        super().close()


def digest(speech: Path, piece: Piece) -> str:
    """The hash of the piece's samples. Blocks; memory does not depend on its length."""
    found = hashlib.sha256()
    with wave.open(str(speech)) as file:
        rate_hz = file.getframerate()
        at_n, last_n = round(piece.start_s * rate_hz), round(piece.end_s * rate_hz)
        file.setpos(at_n)
        while at_n < last_n:
            found.update(file.readframes(min(_BLOCK_N, last_n - at_n)))
            at_n += _BLOCK_N
    return found.hexdigest()
