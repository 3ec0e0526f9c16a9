"""Writes MP3, WAV and FLAC files from the first sample to the last. Runs in a child process: it imports av and
numpy."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import av
import msgspec
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream

from app.domain.dub_options import AudioFormat
from app.domain.errors import DubError
from app.domain.problems.media import MEDIA_TOOL_FAILED
from app.media.packets import SAMPLE_RATE_HZ, TICK, Samples
from app.system.durable_files import Durable, replacing


class _Kind(msgspec.Struct, frozen=True):
    container: str
    encoder: str
    sample_format: str
    bit_rate: int | None = None
    container_options: dict[str, str] = {}


# WAV becomes RF64 (EBU Tech 3306) where 4 GB do not suffice: 6.2 hours. MP3's Xing header says how much silence a
# decoder must drop at both ends.
_KINDS: Final = {
    AudioFormat.WAV: _Kind("wav", "pcm_s16le", "s16", container_options={"rf64": "auto", "fflags": "+bitexact"}),
    AudioFormat.FLAC: _Kind("flac", "flac", "s16", container_options={"fflags": "+bitexact"}),
    AudioFormat.MP3: _Kind("mp3", "libmp3lame", "fltp", bit_rate=192_000),
}
_FRAME_N: Final = SAMPLE_RATE_HZ
_SEED: Final = 0x16B17  # the same sound gives the same file
_FULL: Final = 32_767


@contextlib.contextmanager
def sound_file(path: Path, sound_format: AudioFormat) -> Iterator[SoundWriter]:
    """A file of samples. It appears under its name, on disk, when the block ends without an error, and else is
    absent."""
    with replacing(path, durable=Durable.CONTENT) as written:
        writer = SoundWriter(written, sound_format)
        yield writer
        writer.close()


class SoundWriter:
    """Writes samples one after the other to an open file."""

    def __init__(self, path: Path, sound_format: AudioFormat) -> None:
        self._kind = _KINDS[sound_format]
        self._container = av.open(
            str(path), "w", format=self._kind.container, container_options=self._kind.container_options
        )
        stream = self._container.add_stream(self._kind.encoder, rate=SAMPLE_RATE_HZ)
        if not isinstance(stream, AudioStream):
            raise DubError(MEDIA_TOOL_FAILED, f"There is no {self._kind.encoder} encoder.")
        stream.layout, stream.format = "stereo", self._kind.sample_format
        if self._kind.bit_rate is not None:
            stream.bit_rate = self._kind.bit_rate
        self._stream = stream
        self._random = np.random.Generator(np.random.SFC64(_SEED))
        self._at_n = 0

    def write(self, samples: Samples) -> None:
        """Append float32 (n, 2)."""
        for at_n in range(0, len(samples), _FRAME_N):
            part = samples[at_n : at_n + _FRAME_N]
            if self._kind.sample_format == "fltp":
                frame = AudioFrame.from_ndarray(np.ascontiguousarray(part.T), format="fltp", layout="stereo")
                self._encode(frame, len(part))
            else:
                self._encode_pcm(self._dithered(part))

    def write_pcm(self, samples: npt.NDArray[np.int16]) -> None:
        """Append 16-bit samples (n, 2) as they are, to WAV or FLAC."""
        for at_n in range(0, len(samples), _FRAME_N):
            self._encode_pcm(np.ascontiguousarray(samples[at_n : at_n + _FRAME_N]))

    def _encode_pcm(self, samples: npt.NDArray[np.int16]) -> None:
        self._encode(AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="stereo"), len(samples))

    def _encode(self, frame: AudioFrame, count_n: int) -> None:
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE_HZ, self._at_n, TICK
        self._container.mux(self._stream.encode(frame))
        self._at_n += count_n

    def _dithered(self, samples: Samples) -> npt.NDArray[np.int16]:
        """16 bits with triangular dither of two steps, which makes the rounding error noise (Lipshitz, Wannamaker,
        Vanderkooy, 1992)."""
        noise = self._random.random(samples.shape, np.float32)
        noise -= self._random.random(samples.shape, np.float32)
        return np.asarray(np.rint(samples * np.float32(_FULL) + noise).clip(-_FULL - 1, _FULL), np.int16)

    def close(self) -> None:
        """Write what the encoder still has, and the container's end."""
        self._container.mux(self._stream.encode(None))
        self._container.close()
