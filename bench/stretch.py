"""How well speech survives being played faster or slower: the two engines that AutoDubber uses, beside a tape that
simply runs faster. python-stretch at 48 kHz, at the 24 kHz at which slower clips are stretched, and at 22.05 kHz.

    python -m bench.stretch [--rates 0.85 0.93 1.07 1.15 1.25 1.4] [--seconds 60]

Speech: the clips of the tests, and espeak-ng. Each value is the mean over the speech, or over the rates:
PESQ        there and back again, wide band (ITU-T P.862.2, 1.0 to 4.64): stretched by the rate, then by 1/rate, against
the original.
            Needs `pip install pesq`, which compiles; "-" without it. A tape is undone perfectly, so only its mel
            distance says anything.
mel         dB: mean distance of log mel spectra to the original's, laid over it in time; lower is closer.
onset       how sharp the original's onsets still are: 1.0 is kept, less is smeared.
CPU         seconds for a minute of speech, once.
off         samples that the length is wrong by; the function's promise is 0.
"""

from __future__ import annotations

import argparse
import importlib
import importlib.util
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import soxr

from app.dubbing.mixing.stretch import atempo, signalsmith
from app.media.ffmpeg import tool
from bench import material

Array = np.ndarray
Engine = Callable[[Array, int], Array]

RATE_HZ = 48_000
_PESQ_HZ = 16_000
_CLIPS = Path(__file__).resolve().parents[1] / "tests" / "fixtures" / "clips"
_TEXT = (
    "Now turn the table upside down. This is how it looks from above. First, measure the length of the board, and "
    "cut it where the pencil "
    "line is. It is strong enough for two people. While the river runs slowly under old bridges, small boats carry "
    "bread and letters home."
)
_WINDOW_N, _HOP_N, _BANDS = 1_200, 240, 64  # 25 ms every 5 ms
_QUIET_DB = -45.0  # below the loudest frame: not speech
_ONSET_DB = 12.0  # a rise over all bands within 10 ms, on average
_NEAR = 6  # frames: an onset may be found this far from where it belongs


class Result(msgspec.Struct, frozen=True):
    pesq: float
    mel_db: float
    onset: float
    cpu_s: float
    off_n: int


def tape(samples: Array, length_n: int) -> Array:
    """Faster with a higher pitch, as a tape: what no stretch would be."""
    out = soxr.resample(samples, len(samples), length_n, quality="HQ").astype(np.float32)
    return np.pad(out[:length_n], (0, max(0, length_n - len(out))))


def at_rate(rate_hz: int) -> Engine:
    """python-stretch on speech that was recorded at another rate, made 48 kHz afterwards."""

    def engine(samples: Array, length_n: int) -> Array:
        low = soxr.resample(samples, RATE_HZ, rate_hz, quality="HQ").astype(np.float32)
        out = soxr.resample(
            signalsmith(low, -(-length_n * rate_hz // RATE_HZ), rate_hz), rate_hz, RATE_HZ, quality="HQ"
        ).astype(np.float32)
        return np.pad(out[:length_n], (0, max(0, length_n - len(out))))

    return engine


ENGINES: dict[str, Engine] = {
    "python-stretch": signalsmith,
    "python-stretch 24 kHz": at_rate(24_000),
    "python-stretch 22 kHz": at_rate(22_050),
    "atempo": atempo,
    "no stretch (tape)": tape,
}


def speech(seconds: float) -> dict[str, Array]:
    """Float32 (n,) at 48 kHz, by name."""
    found = {path.stem: _decoded(path) for path in sorted(_CLIPS.glob("*_?0s.flac"))}
    with tempfile.TemporaryDirectory(prefix="bench-stretch-") as folder:
        found["espeak-ng"] = _decoded(material.speak(Path(folder) / "spoken.wav", _TEXT, "en-us"))
    return {name: samples[: round(seconds * RATE_HZ)] for name, samples in found.items()}


def _decoded(path: Path) -> Array:
    argv = [tool(), "-v", "error", "-nostdin", "-i", str(path), "-f", "f32le", "-ac", "1", "-ar", str(RATE_HZ), "-"]
    return np.frombuffer(subprocess.run(argv, check=True, capture_output=True).stdout, "<f4")


def measured(engine: Engine, samples: Array, rate: float) -> Result:
    length_n = round(len(samples) / rate)
    began_s = time.process_time()
    out = engine(samples, length_n)
    cpu_s = (time.process_time() - began_s) * 60 * RATE_HZ / len(samples)
    back = engine(out, len(samples))
    before, after = _mel(samples), _mel(out)
    onto = np.clip(np.arange(len(before)) * (len(after) - 1) / max(len(before) - 1, 1), 0, len(after) - 1)
    below = np.floor(onto).astype(int)
    share = (onto - below)[:, None]
    laid = after[below] * (1 - share) + after[np.minimum(below + 1, len(after) - 1)] * share
    loud = before.max(axis=1) > before.max() + _QUIET_DB
    mel_db = float(np.abs(laid - before)[loud].mean())
    return Result(_pesq(samples, back), mel_db, _kept_onsets(before, after, rate), cpu_s, abs(len(out) - length_n))


def _mel(samples: Array) -> Array:
    """Log mel spectra in dB, (frames, bands); 80 dB below the loudest is the floor."""
    frames = np.lib.stride_tricks.sliding_window_view(np.pad(samples, _WINDOW_N // 2), _WINDOW_N)[::_HOP_N]
    power = np.concatenate(
        [np.abs(np.fft.rfft(part * np.hanning(_WINDOW_N), 2_048)) ** 2 for part in np.array_split(frames, 40)]
    )
    edges_hz = 700 * (10 ** (np.linspace(np.log10(1 + 60 / 700), np.log10(1 + 12_000 / 700), _BANDS + 2)) - 1)
    bins_hz = np.fft.rfftfreq(2_048, 1 / RATE_HZ)
    low, centre, high = edges_hz[:-2, None], edges_hz[1:-1, None], edges_hz[2:, None]
    filters = np.clip(np.minimum((bins_hz - low) / (centre - low), (high - bins_hz) / (high - centre)), 0, None)
    bands = 10 * np.log10(power @ (filters / filters.sum(axis=1, keepdims=True)).T + 1e-12)
    return np.asarray(np.maximum(bands, bands.max() - 80))


def _rise(mel: Array) -> Array:
    """(frames,) dB that the bands rise within 10 ms, on average; falls count as nothing."""
    return np.append(np.zeros(2), np.maximum(mel[2:] - mel[:-2], 0).mean(axis=1))


def _kept_onsets(before: Array, after: Array, rate: float) -> float:
    rise, stretched = _rise(before), _rise(after)
    peaks = [
        i
        for i in range(_NEAR, len(rise) - _NEAR)
        if rise[i] == rise[i - _NEAR : i + _NEAR + 1].max() and rise[i] > _ONSET_DB / 2
    ]
    kept = []
    for i in peaks:
        at = round(i / rate)
        near = stretched[max(at - _NEAR, 0) : at + _NEAR + 1]
        kept.append(min(float(near.max(initial=0.0)) / rise[i], 1.0))
    return float(np.mean(kept)) if kept else float("nan")


def _pesq(original: Array, copy: Array) -> float:
    if importlib.util.find_spec("pesq") is None:
        return float("nan")
    score = importlib.import_module("pesq").pesq
    first, second = (soxr.resample(samples, RATE_HZ, _PESQ_HZ, quality="HQ") for samples in (original, copy))
    # made for 8 to 12 s
    parts = [slice(start, start + 10 * _PESQ_HZ) for start in range(0, len(first) - 5 * _PESQ_HZ, 10 * _PESQ_HZ)]
    return float(np.mean([score(_PESQ_HZ, first[part], second[part], "wb") for part in parts]))


def _row(name: str, results: list[Result]) -> str:
    def mean(values: list[float]) -> float:
        return float(np.mean(values))

    pesq = mean([r.pesq for r in results])
    shown = "-" if np.isnan(pesq) else f"{pesq:.2f}"
    columns = f"{shown:>7}{mean([r.mel_db for r in results]):7.2f}{mean([r.onset for r in results]):8.2f}"
    columns += f"{mean([r.cpu_s for r in results]):8.2f}"
    return f"{name:24}{columns}{max(r.off_n for r in results):6}"


def smallest(_: Path) -> list[str]:
    """The arguments of its smallest run."""
    return ["--rates", "1.15", "--seconds", "2"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rates", type=float, nargs="+", default=[0.85, 0.93, 1.07, 1.15, 1.25, 1.4])
    parser.add_argument("--seconds", type=float, default=60, help="of each piece of speech, at most")
    asked = parser.parse_args()
    engines = {
        name: engine
        for name, engine in ENGINES.items()
        if "python-stretch" not in name or importlib.util.find_spec("python_stretch")
    }
    pieces = speech(asked.seconds)
    for engine in engines.values():
        engine(np.zeros(RATE_HZ, np.float32), RATE_HZ // 2)  # imports are not measured
    results = {
        (n, s, r): measured(e, samples, r)
        for n, e in engines.items()
        for s, samples in pieces.items()
        for r in asked.rates
    }
    heading = f"{'PESQ':>7}{'mel':>7}{'onset':>8}{'CPU':>8}{'off':>6}"
    print(f"{'all rates':24}{heading}")
    for name in engines:
        print(_row(name, [result for (n, _, _), result in results.items() if n == name]))
    for rate in asked.rates:
        print(f"\n{f'rate {rate:g}':24}{heading}")
        for name in engines:
            print(_row(name, [result for (n, _, r), result in results.items() if (n, r) == (name, rate)]))
    for piece in pieces:
        print(f"\n{piece:24}{heading}")
        for name in engines:
            print(_row(name, [result for (n, s, _), result in results.items() if (n, s) == (name, piece)]))


if __name__ == "__main__":
    main()
