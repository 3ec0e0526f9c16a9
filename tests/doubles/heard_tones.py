"""Speech for doubles that recognise: each burst of a tone is a word, named by its frequency."""

from __future__ import annotations

import io
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

RATE_HZ = 16_000
_FRAME_N = 160


def word_of(frequency_hz: float) -> str:
    """The word that a tone is: two letters, by steps of 20 Hz."""
    step = round(frequency_hz / 20)
    return f"{chr(97 + step // 26 % 26)}{chr(97 + step % 26)}"


def written(path: Path, words: Sequence[tuple[float, float, float]], duration_s: float, *, noise: float = 0.0) -> Path:
    """A 16 kHz WAV with bursts: start_s, end_s, frequency."""
    samples = np.random.default_rng(1).standard_normal(round(duration_s * RATE_HZ)).astype(np.float32) * noise
    for start_s, end_s, frequency_hz in words:
        at = np.arange(round(start_s * RATE_HZ), round(end_s * RATE_HZ))
        samples[at] += 0.4 * np.sin(2 * np.pi * frequency_hz * at / RATE_HZ)
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes((samples.clip(-1, 1) * 32767).astype("<i2").tobytes())
    return path


def heard(data: bytes) -> tuple[list[dict[str, Any]], float]:
    """The words ("word", "start", "end") of a WAV or FLAC file, and its length."""
    samples, rate_hz = _samples(data)
    frames = samples[: len(samples) // _FRAME_N * _FRAME_N].reshape(-1, _FRAME_N)
    loud = np.sqrt((frames.astype(np.float64) ** 2).mean(axis=1)) > 2000
    edges = np.flatnonzero(np.diff(np.concatenate(([0], loud.astype(np.int8), [0]))))
    words = []
    for first, last in zip(edges[::2], edges[1::2], strict=True):
        burst = samples[first * _FRAME_N : last * _FRAME_N].astype(np.float64)
        spectrum = np.abs(np.fft.rfft(burst * np.hanning(len(burst)), 1 << 16))
        word = word_of(float(spectrum.argmax()) * rate_hz / (1 << 16))
        words.append(
            {"word": word, "start": round(first * _FRAME_N / rate_hz, 3), "end": round(last * _FRAME_N / rate_hz, 3)}
        )
    return words, len(samples) / rate_hz


def _samples(data: bytes) -> tuple[np.ndarray[Any, Any], int]:
    if data[:4] == b"RIFF":
        with wave.open(io.BytesIO(data)) as file:
            return np.frombuffer(file.readframes(file.getnframes()), "<i2"), file.getframerate()
    import av

    with av.open(io.BytesIO(data)) as container:
        rate_hz = container.streams.audio[0].rate
        return np.concatenate([frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]), rate_hz
