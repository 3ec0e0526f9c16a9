"""One decode of the sound gives everything that later stages ask of it. Runs in a child process."""

from __future__ import annotations

import math
import struct
import wave
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final

import numpy as np
import soxr  # type: ignore[import-untyped]

from app.domain.errors import MEDIA_DAMAGED, MEDIA_TOO_LONG, DubError
from app.dubbing.loudness import KMeter, integrated_lufs
from app.dubbing.tasks import Ingested, IngestRequest
from app.media.decode import SAMPLE_RATE_HZ, Block, audio_blocks, silence
from app.media.listening import Listener
from app.media.opening import open_input, unreadable
from app.media.pictures import PictureEnd, moving_picture, picture_end_s
from app.media.thumbnail import write_thumbnail

SPEECH_HZ: Final = 16_000
_RATIO: Final = SAMPLE_RATE_HZ // SPEECH_HZ
_PADDING_S: Final = 0.05
PEAK_N: Final = 512  # samples per point of the waveform


def ingest(request: IngestRequest, report: Callable[[float], None]) -> Ingested:
    """Read the file once. In the folder `out` there are then

    - speech.wav: 16 kHz mono, 16-bit, what recognition hears (`app.media.listening`);
    - peaks.dat: the waveform of that for the editor, audiowaveform version 2, 8-bit, 512 samples of 48 kHz a point;
    - energies.f32: K-weighted mean squares of 100 ms, little-endian float32, from which loudness is predicted;
    - thumbnail.jpg, when there are pictures that decode.

    All of them last as long as the file: until the last picture or sound, whichever is later, whatever the header says. A file without sound gives
    silence. Raises NOT_MEDIA, AUDIO_TRACK_MISSING, MEDIA_DAMAGED, MEDIA_TOO_LONG.
    """
    path, out = Path(request.path), Path(request.out)
    with open_input(path) as container:
        promised_s = (container.duration or 0) / 1e6
        has_sound = bool(container.streams.audio)
        picture = moving_picture(container)
        picture_index = picture.index if picture is not None else None
    most_n = math.floor(request.max_duration_s * SAMPLE_RATE_HZ)
    pictures = PictureEnd()
    meter = KMeter(2)
    done_n = 0
    with _Speech(out / "speech.wav") as speech, _Peaks(out / "peaks.dat") as peaks:

        def take(block: Block) -> None:
            nonlocal done_n
            done_n += len(block)
            if done_n > most_n:
                raise DubError(MEDIA_TOO_LONG, f"The limit is {request.max_duration_s / 60:.0f} minutes.")
            mono = np.ascontiguousarray(block[:, 2])
            speech.push(mono)
            peaks.push(mono)
            meter.push(np.ascontiguousarray(block[:, :2]))
            if promised_s:
                report(min(0.99, done_n / SAMPLE_RATE_HZ / promised_s))

        for block in audio_blocks(path, request.audio_track, pictures=pictures, listener=Listener()) if has_sound else ():
            take(block)
        end_s = pictures.end_s if has_sound else picture_end_s(path)
        if end_s > request.max_duration_s:
            raise DubError(MEDIA_TOO_LONG, f"The limit is {request.max_duration_s / 60:.0f} minutes.")
        for block in silence(math.ceil(end_s * SAMPLE_RATE_HZ) - done_n, 3):
            take(block)
    if done_n == 0:
        raise unreadable(path, MEDIA_DAMAGED, "Nothing could be decoded.")
    energies = meter.energies()
    energies.astype("<f4").tofile(out / "energies.f32")
    if picture_index is not None:
        write_thumbnail(path, picture_index, done_n / SAMPLE_RATE_HZ, out / "thumbnail.jpg")
    duration_s = done_n / SAMPLE_RATE_HZ
    if max(end_s - 0.001, duration_s - _PADDING_S) < promised_s < duration_s:  # the rest is what the encoder filled its last frame up with
        duration_s = promised_s
    loudness = integrated_lufs(energies)
    return Ingested(duration_s=duration_s, loudness_lufs=loudness if math.isfinite(loudness) else None)


class _Speech:
    """48 kHz mono in, a 16 kHz WAV file out, block by block. Long silence is written, not computed: hours of it may come before a late sound."""

    def __init__(self, path: Path) -> None:
        self._resampler = soxr.ResampleStream(SAMPLE_RATE_HZ, SPEECH_HZ, 1, dtype="float32", quality="HQ")
        self._silent_n = 0  # since the last sound
        self._file = wave.open(str(path), "wb")  # noqa: SIM115 - closed by __exit__, which also writes the length into the header
        self._file.setnchannels(1)
        self._file.setsampwidth(2)
        self._file.setframerate(SPEECH_HZ)

    def __enter__(self) -> _Speech:
        return self

    def push(self, mono: Block, *, last: bool = False) -> None:
        silent = not last and not mono.any()
        if silent and self._silent_n >= SAMPLE_RATE_HZ and len(mono) % _RATIO == 0:  # the filter holds nothing but zeros
            self._file.writeframesraw(bytes(2 * (len(mono) // _RATIO)))
            return
        self._silent_n = self._silent_n + len(mono) if silent else 0
        slow = self._resampler.resample_chunk(mono, last=last)
        self._file.writeframesraw((np.clip(slow, -1, 1) * 32767).round().astype("<i2").tobytes())

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None:
            self.push(np.zeros(0, np.float32), last=True)
        self._file.close()


class _Peaks:
    """The lowest and highest sample of every 512, as audiowaveform's version 2 has them; the header's length is written at the end."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("wb")
        self._points = 0
        self._rest = np.zeros(0, np.float32)
        self._file.write(self._header())

    def __enter__(self) -> _Peaks:
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
            self._file.write(ends.clip(-128, 127).astype(np.int8).tobytes())
            self._points += len(cells)

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if kind is None and len(self._rest):
            self.push(np.zeros(PEAK_N - len(self._rest), np.float32))
        self._file.seek(0)
        self._file.write(self._header())
        self._file.close()
