"""Speech made longer or shorter with its pitch kept, to an exact number of samples.

Signalsmith Stretch where its wheel exists (x86-64: best at the rates that the fit asks for), FFmpeg's atempo inside PyAV elsewhere.
"""

from __future__ import annotations

import importlib.util
import math
from fractions import Fraction

import numpy as np

from app.dubbing.loudness import SAMPLE_RATE_HZ, Floats

_SAME_N = 48  # 1 ms: a difference that nobody hears is cut or filled instead of stretched
_SEED = 7  # Signalsmith randomises phases; the same line must give the same samples, or no cached chunk would ever match
_STAGE = 2.0  # atempo aborts the process (an assertion) at rates far above 2: larger ones go through several stages
_LEAD_N = 4_800  # silence around the sound, so that atempo's first window does not distort its start
_STAGE_EARLY_N = 672  # an atempo stage gives everything this much too early (measured: 8 to 18 ms, about 14)


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
    return _exactly(np.asarray(engine.process(np.ascontiguousarray(samples[None])), np.float32)[0], length_n)


def atempo(samples: Floats, length_n: int) -> Floats:
    """`stretch` by FFmpeg's atempo (WSOLA)."""
    import av
    from av.audio.frame import AudioFrame
    from av.filter import Graph

    rate = len(samples) / length_n
    stages = max(1, math.ceil(abs(math.log(rate, _STAGE)) - 1e-9))
    graph = Graph()
    nodes = [graph.add_abuffer(sample_rate=SAMPLE_RATE_HZ, format="flt", layout="mono", time_base=Fraction(1, SAMPLE_RATE_HZ))]
    nodes += [graph.add("atempo", f"{rate ** (1 / stages):.9f}") for _ in range(stages)]
    nodes.append(graph.add("abuffersink"))
    graph.link_nodes(*nodes).configure()

    lead = np.zeros(math.ceil(_LEAD_N * max(rate, 1.0)), np.float32)
    frame = AudioFrame.from_ndarray(np.concatenate([lead, samples, lead, lead])[None], format="flt", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE_HZ, 0, Fraction(1, SAMPLE_RATE_HZ)
    pieces: list[Floats] = []
    for pushed in (frame, None):
        graph.push(pushed)
        while True:
            try:
                pieces.append(np.asarray(graph.pull().to_ndarray(), np.float32).reshape(-1))
            except (av.BlockingIOError, av.EOFError):
                break
    out = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
    return _exactly(out[max(round(len(lead) / rate) - stages * _STAGE_EARLY_N, 0) :], length_n)


def _exactly(samples: Floats, length_n: int) -> Floats:
    return np.pad(samples[:length_n], (0, max(0, length_n - len(samples)))).astype(np.float32, copy=False)
