"""Prepares a spoken clip for the mix: trims silent edges, resamples to 48 kHz, stretches to its place, fades, measures
energies."""

from __future__ import annotations

import wave
from pathlib import Path

import msgspec
import numpy as np

from app.domain.errors import DubError
from app.domain.problems.voices import SPEECH_FAILED
from app.dubbing.mixing.loudness import SAMPLE_RATE_HZ, Doubles, Floats, energies_of
from app.dubbing.mixing.stretch import fitted

_FRAME_S = 0.005
_SILENT_BELOW_LOUDEST_DB = -45.0
_SILENT_DB = -62.0  # RMS of 5 ms, full scale: a voice engine's noise floor lies below
_LEAD_S = 0.010  # kept before the first sound: soft consonants begin below the threshold
_TAIL_S = 0.040  # kept after the last sound: endings fade out
_SHORTEST_S = 0.010
_FADE_IN_S = 0.002
_FADE_OUT_S = 0.008


class ClipSilence(msgspec.Struct, frozen=True):
    """How much silence a clip of `duration_s` begins and ends with; never all of it."""

    duration_s: float
    trim_start_s: float
    trim_end_s: float


class ReadyClip(msgspec.Struct, frozen=True):
    """Float32 (n,) at 48 kHz, and the energies (`loudness`) that it has when it plays in both channels of a stereo
    track."""

    samples: Floats
    energies: Doubles


def read_wav(path: Path) -> tuple[Floats, int]:
    """The samples, float32 (n,) in -1..1, and their rate, of a 16-bit WAV; several channels become one. Raises
    speech_failed."""
    try:
        with wave.open(str(path)) as wav:
            channels, width, rate = wav.getnchannels(), wav.getsampwidth(), wav.getframerate()
            data = wav.readframes(wav.getnframes())
    except (wave.Error, EOFError) as error:
        raise DubError(SPEECH_FAILED, f"A clip is not a WAV file: {error}.") from error
    if width != 2 or rate < 1:
        raise DubError(SPEECH_FAILED, f"A clip has {8 * width} bits per sample; 16 are expected.")
    whole = np.frombuffer(data[: len(data) // (2 * channels) * 2 * channels], "<i2").reshape(-1, channels)
    if not len(whole):
        raise DubError(SPEECH_FAILED, "A clip is empty.")
    return np.asarray(whole.mean(axis=1, dtype=np.float32) / np.float32(32768), np.float32), rate


def edges(path: Path) -> ClipSilence:
    """Where the speech in a clip begins and ends."""
    samples, rate_hz = read_wav(path)
    duration_s = len(samples) / rate_hz
    frame_n = max(1, round(rate_hz * _FRAME_S))
    level = samples - samples.mean(dtype=np.float64).astype(np.float32)  # a constant offset is no sound
    frames = np.pad(level, (0, -len(level) % frame_n)).reshape(-1, frame_n)
    power = np.einsum("ij,ij->i", frames, frames) / frame_n
    threshold = max(float(power.max()) * 10 ** (_SILENT_BELOW_LOUDEST_DB / 10), 10 ** (_SILENT_DB / 10))
    loud = np.flatnonzero(power > threshold)
    if not len(loud):
        return ClipSilence(duration_s, 0.0, max(duration_s - _SHORTEST_S, 0.0))
    start_s = max(loud[0] * frame_n / rate_hz - _LEAD_S, 0.0)
    end_s = min((loud[-1] + 1) * frame_n / rate_hz + _TAIL_S, duration_s)
    if end_s - start_s < _SHORTEST_S:
        return ClipSilence(duration_s, 0.0, 0.0)
    return ClipSilence(duration_s, float(start_s), float(duration_s - end_s))


def prepare(path: Path, trim_start_s: float, trim_end_s: float, length_n: int) -> ReadyClip:
    """The clip between its trims, as exactly `length_n` samples, with fades that keep the cuts from clicking."""
    samples, rate_hz = read_wav(path)
    first_n = round(trim_start_s * rate_hz)
    trimmed = samples[first_n : max(len(samples) - round(trim_end_s * rate_hz), first_n + 1)]
    ready = fitted(trimmed, rate_hz, length_n).copy()
    for seconds, edge in ((_FADE_IN_S, ready), (_FADE_OUT_S, ready[::-1])):
        fade_n = min(round(seconds * SAMPLE_RATE_HZ), length_n // 2)
        edge[:fade_n] *= (np.arange(1, fade_n + 1) / (fade_n + 1)).astype(np.float32)
    return ReadyClip(ready, 2 * energies_of(ready))
