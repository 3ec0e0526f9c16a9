"""FFmpeg's atempo on samples in memory: faster or slower with the pitch kept (WSOLA). Runs in a child process: it
imports av and numpy."""

from __future__ import annotations

import math
from fractions import Fraction

import av
import av.filter
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame

Samples = npt.NDArray[np.float32]

SAMPLE_RATE_HZ = 48_000
_STAGE = 2.0  # atempo aborts the process (an assertion) at rates far above 2: larger ones go through several stages
_LEAD_N = 4_800  # silence around the sound, so that atempo's first window does not distort its start
_STEP_N = 48  # loudness is compared in steps of 1 ms
# atempo puts sounds up to this far, in ms, from where they belong: it looks for windows that go together
_ASTRAY_STEPS = 30


def atempo(samples: Samples, rate: float) -> Samples:
    """Float32 (n,) at 48 kHz, `rate` times as fast: about n / rate samples and some silence after them, aligned with
    the input's start."""
    stages = max(1, math.ceil(abs(math.log(rate, _STAGE)) - 1e-9))
    graph = av.filter.Graph()
    nodes = [
        graph.add_abuffer(
            sample_rate=SAMPLE_RATE_HZ, format="flt", layout="mono", time_base=Fraction(1, SAMPLE_RATE_HZ)
        )
    ]
    nodes += [graph.add("atempo", f"{rate ** (1 / stages):.9f}") for _ in range(stages)]
    nodes.append(graph.add("abuffersink"))
    graph.link_nodes(*nodes).configure()

    lead = np.zeros(math.ceil(_LEAD_N * max(rate, 1.0)), np.float32)
    frame = AudioFrame.from_ndarray(np.concatenate([lead, samples, lead, lead])[None], format="flt", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE_HZ, 0, Fraction(1, SAMPLE_RATE_HZ)
    pieces: list[Samples] = []
    for pushed in (frame, None):
        graph.push(pushed)
        while True:
            try:
                pieces.append(np.asarray(graph.pull().to_ndarray(), np.float32).reshape(-1))
            except (av.BlockingIOError, av.EOFError):
                break
    out = np.concatenate(pieces) if pieces else np.zeros(0, np.float32)
    return out[
        max(
            round(len(lead) / rate)
            + _astray_n(samples, out[round(len(lead) / rate) - _ASTRAY_STEPS * _STEP_N :], rate),
            0,
        ) :
    ]


def _astray_n(samples: Samples, out: Samples, rate: float) -> int:
    """How much later than it belongs `out` comes: where the loudness of both goes together best. `out` begins
    `_ASTRAY_STEPS` too early."""
    wished, got = _loudness(samples), _loudness(out)
    length = round(len(wished) / rate)
    got = np.pad(got, (0, max(0, length + 2 * _ASTRAY_STEPS - len(got))))[: length + 2 * _ASTRAY_STEPS]
    if not length or not wished.any():
        return 0
    laid = np.interp(np.arange(length) * rate, np.arange(len(wished)), wished)
    together = np.einsum("ij,j->i", np.lib.stride_tricks.sliding_window_view(got, length), laid)
    return (int(together.argmax()) - _ASTRAY_STEPS) * _STEP_N


def _loudness(samples: Samples) -> npt.NDArray[np.float64]:
    """RMS of each millisecond, float64 (steps,)."""
    steps = np.pad(samples, (0, -len(samples) % _STEP_N)).reshape(-1, _STEP_N).astype(np.float64)
    return np.asarray(np.sqrt(np.einsum("ij,ij->i", steps, steps) / _STEP_N))
