"""Speech made longer or shorter with its pitch kept, to an exact number of samples.

Signalsmith Stretch where its wheel exists (x86-64: best at the rates that the fit asks for), FFmpeg's atempo elsewhere.
"""

from __future__ import annotations

import importlib.util

import numpy as np

from app.dubbing.loudness import SAMPLE_RATE_HZ, Floats
from app.media import tempo

_SAME_N = 48  # 1 ms: a difference that nobody hears is cut or filled instead of stretched
_SEED = 7  # Signalsmith randomises phases; the same line must give the same samples, or no cached chunk would ever match


def stretch(samples: Floats, length_n: int) -> Floats:
    """Exactly `length_n` samples of the same speech: float32 (n,) at 48 kHz in, float32 (length_n,) out.

    The rate is n / length_n, above 1 is faster. Deterministic.
    """
    if abs(len(samples) - length_n) <= _SAME_N or not len(samples) or not length_n:
        return _exactly(samples, length_n)
    return signalsmith(samples, length_n) if importlib.util.find_spec("python_stretch") else atempo(samples, length_n)


def signalsmith(samples: Floats, length_n: int) -> Floats:
    """`stretch` by python-stretch."""
    from python_stretch import Signalsmith

    engine = Signalsmith.Stretch(_SEED)
    engine.preset(1, SAMPLE_RATE_HZ)
    engine.setTimeFactor(len(samples) / length_n)
    own = np.array(samples[None], np.float32)  # a copy: the engine takes no read-only arrays
    return _exactly(np.asarray(engine.process(own), np.float32)[0], length_n)


def atempo(samples: Floats, length_n: int) -> Floats:
    """`stretch` by FFmpeg's atempo."""
    return _exactly(tempo.atempo(samples, len(samples) / length_n), length_n)


def _exactly(samples: Floats, length_n: int) -> Floats:
    return np.pad(samples[:length_n], (0, max(0, length_n - len(samples)))).astype(np.float32, copy=False)
