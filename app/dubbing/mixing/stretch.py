"""Stretches speech to an exact number of samples, with its pitch kept.

Signalsmith Stretch where its wheel exists (x86-64: best at the rates that the fit asks for), FFmpeg's atempo elsewhere.
"""

from __future__ import annotations

import importlib.util

import numpy as np
import soxr  # type: ignore[import-untyped]

from app.dubbing.mixing.loudness import SAMPLE_RATE_HZ, Floats
from app.media import atempo as ffmpeg_atempo

HALF_RATE_HZ = 24_000
_SAME_N = 48  # 1 ms: a difference that nobody hears is cut or filled instead of stretched
# Signalsmith randomises phases; the same line must give the same samples, or no cached chunk would ever match
_SEED = 7


def stretch(samples: Floats, length_n: int) -> Floats:
    """Exactly `length_n` samples of the same speech: float32 (n,) at 48 kHz in, float32 (length_n,) out.

    The rate is n / length_n, above 1 is faster. Deterministic.
    """
    if abs(len(samples) - length_n) <= _SAME_N or not len(samples) or not length_n:
        return _exactly(samples, length_n)
    return signalsmith(samples, length_n) if _has_signalsmith() else atempo(samples, length_n)


def fitted(samples: Floats, rate_hz: int, length_n: int) -> Floats:
    """Speech of any rate, float32 (n,), as exactly `length_n` samples at 48 kHz. Deterministic.

    What is recorded at 24 kHz or less is stretched at 24 kHz: Signalsmith takes half the time there and sounds the
    same, while at 22.05 or 44.1 kHz its windows fall badly (PESQ 3.11 instead of 3.22: `bench.stretch`).
    """
    is_long_enough = abs(len(samples) * SAMPLE_RATE_HZ / rate_hz - length_n) <= _SAME_N
    if rate_hz > HALF_RATE_HZ or is_long_enough or not _has_signalsmith() or not len(samples) or not length_n:
        return stretch(_resampled(samples, rate_hz, SAMPLE_RATE_HZ), length_n)
    half = signalsmith(_resampled(samples, rate_hz, HALF_RATE_HZ), -(-length_n // 2), HALF_RATE_HZ)
    return _exactly(_resampled(half, HALF_RATE_HZ, SAMPLE_RATE_HZ), length_n)


def signalsmith(samples: Floats, length_n: int, rate_hz: int = SAMPLE_RATE_HZ) -> Floats:
    """`stretch` by python-stretch, at `rate_hz` in and out."""
    from python_stretch import Signalsmith

    engine = Signalsmith.Stretch(_SEED)
    engine.preset(1, rate_hz)
    engine.setTimeFactor(len(samples) / length_n)
    own = np.array(samples[None], np.float32)  # a copy: the engine takes no read-only arrays
    return _exactly(np.asarray(engine.process(own), np.float32)[0], length_n)


def atempo(samples: Floats, length_n: int) -> Floats:
    """`stretch` by FFmpeg's atempo."""
    return _exactly(ffmpeg_atempo.atempo(samples, len(samples) / length_n), length_n)


def _resampled(samples: Floats, from_hz: int, to_hz: int) -> Floats:
    if from_hz == to_hz:
        return samples
    return np.asarray(soxr.resample(samples, from_hz, to_hz, quality="HQ"), np.float32)


def _has_signalsmith() -> bool:
    return importlib.util.find_spec("python_stretch") is not None


def _exactly(samples: Floats, length_n: int) -> Floats:
    return np.pad(samples[:length_n], (0, max(0, length_n - len(samples)))).astype(np.float32, copy=False)
