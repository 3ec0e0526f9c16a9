"""What each Whisper model asks of the machine: seconds for half a minute of dense speech (one window of the encoder,
100 tokens of greedy decoding), and the peak memory of a process that loads it and does that.

    python -m bench.models                                  # the checkpoints that are in data/models
    python -m bench.models --random tiny base small         # shapes only: weights by chance, nothing is downloaded
    python -m bench.models --random large-v3 --threads 4 --device cuda --times 5

Arithmetic does not depend on the values, so that weights by chance take as long as OpenAI's; only what is written is
nonsense, and exactly 100 tokens of it, because the end is never allowed. 100 tokens in 30 s is fluent speech; slower
speech has fewer, and pauses have none.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

from app.speech.whisper.child_process import leave_numba_out

WINDOW_S: Final = 30.0
TOKENS: Final = 100

# openai-whisper's own dimensions: mel bands; encoder width, heads, layers; words; decoder layers. The decoder is as
# wide as the encoder.
SHAPES: Final = {
    "tiny": (80, 384, 6, 4, 51865, 4),
    "base": (80, 512, 8, 6, 51865, 6),
    "small": (80, 768, 12, 12, 51865, 12),
    "medium": (80, 1024, 16, 24, 51865, 24),
    "turbo": (128, 1280, 20, 32, 51866, 4),
    "large-v3": (128, 1280, 20, 32, 51866, 32),
}


COLUMNS: Final = (
    ("load", 7, 1),
    ("encoder", 9, 2),
    ("decoder", 9, 2),
    ("sum", 8, 2),
    ("x real time", 13, 1),
    ("peak MiB", 10, 0),
)


def by_chance(name: str, path: Path) -> None:
    """Write a checkpoint of that shape as OpenAI's are written: fp16, `dims` and `model_state_dict`."""
    import torch

    leave_numba_out()
    from whisper.model import ModelDimensions, Whisper

    mels, width, heads, layers, words, text_layers = SHAPES[name]
    dims = ModelDimensions(mels, 1500, width, heads, layers, words, 448, width, heads, text_layers)
    torch.manual_seed(0)
    state = Whisper(dims).half().state_dict()
    torch.save({"dims": vars(dims), "model_state_dict": state}, path)


def measure(path: Path, threads: int, device: str, times: int) -> dict[str, float]:
    """In a process of its own, so that its memory is its own. The best of `times`, because others use the machine
    too."""
    import torch

    leave_numba_out()
    import whisper
    from whisper.tokenizer import get_tokenizer

    torch.set_num_threads(threads)
    began = time.perf_counter()
    model = whisper.load_model(str(path), device=device)
    loaded_s = time.perf_counter() - began
    half = device == "cuda"
    end = get_tokenizer(model.is_multilingual, num_languages=model.num_languages).eot
    asked = whisper.DecodingOptions(
        language="en", without_timestamps=True, fp16=half, sample_len=TOKENS, suppress_tokens=[end]
    )
    mel = torch.randn(1, model.dims.n_mels, 3000, device=device, dtype=torch.float16 if half else torch.float32)

    def timed(work: Any) -> tuple[float, Any]:
        if device == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        made = work()
        if device == "cuda":
            torch.cuda.synchronize()
        return time.perf_counter() - start, made

    with torch.inference_mode():
        encoded = [timed(lambda: model.encoder(mel)) for _ in range(times)]
        features = encoded[0][1]
        decoded = [timed(lambda: model.decode(features, asked)) for _ in range(times)]
    written = len(decoded[0][1][0].tokens)
    assert written == TOKENS, f"{written} tokens instead of {TOKENS}"
    return {
        "load_s": loaded_s,
        "encoder_s": min(seconds for seconds, _ in encoded),
        "decoder_s": min(seconds for seconds, _ in decoded),
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "card_mib": torch.cuda.max_memory_allocated() / 2**20 if device == "cuda" else 0.0,
    }


def in_child(path: Path, threads: int, device: str, times: int) -> dict[str, float]:
    environ = os.environ | {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "OMP_WAIT_POLICY": "PASSIVE",
        "NUMBA_NUM_THREADS": "1",
    }
    command = [
        sys.executable,
        "-m",
        "bench.models",
        "--measure",
        str(path),
        "--threads",
        str(threads),
        "--device",
        device,
        "--times",
        str(times),
    ]
    return dict(json.loads(subprocess.run(command, env=environ, check=True, capture_output=True, text=True).stdout))


def smallest(_: Path) -> list[str]:
    """The arguments of its smallest run."""
    return ["--random", "tiny", "--threads", "1", "--times", "1"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--random", nargs="*", choices=tuple(SHAPES), metavar="MODEL", help=f"of {', '.join(SHAPES)}; none: all"
    )
    parser.add_argument("--models", type=Path, default=Path("data/models"), help="the folder of real checkpoints")
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--times", type=int, default=3, help="the best of so many")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.measure is not None:
        print(json.dumps(measure(asked.measure, asked.threads, asked.device, asked.times)))
        return
    real = sorted(asked.models.glob("*.pt")) if asked.random is None else []
    if asked.random is None and not real:
        parser.error(f"no checkpoint in {asked.models}; name another folder with --models, or take --random")
    kind = "weights by chance" if asked.random is not None else str(asked.models)
    print(
        f"{kind}, {asked.threads} threads, {asked.device}; seconds for {WINDOW_S:.0f} s of speech with {TOKENS} tokens"
    )
    heads = "".join(f"{name:>{width}}" for name, width, _ in COLUMNS)
    print(f"{'model':<16}{heads}" + ("  card MiB" if asked.device == "cuda" else ""))
    with tempfile.TemporaryDirectory(prefix="bench-models-") as folder:
        for name in [path.stem for path in real] or asked.random or SHAPES:
            path = asked.models / f"{name}.pt" if real else Path(folder) / f"{name}.pt"
            if not real:
                by_chance(name, path)
            found = in_child(path, asked.threads, asked.device, asked.times)
            total = found["encoder_s"] + found["decoder_s"]
            figures = [
                found["load_s"],
                found["encoder_s"],
                found["decoder_s"],
                total,
                WINDOW_S / total,
                found["peak_mib"],
            ]
            row = f"{name:<16}" + "".join(
                f"{value:>{width}.{digits}f}" for value, (_, width, digits) in zip(figures, COLUMNS, strict=True)
            )
            print(row + (f"{found['card_mib']:>10.0f}" if asked.device == "cuda" else ""), flush=True)
            if not real:
                path.unlink()


if __name__ == "__main__":
    main()
