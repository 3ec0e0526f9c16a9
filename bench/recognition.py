"""The two recognisers beside each other, with one checkpoint: what they cost, what they get wrong, what they make up.

    python -m bench.recognition --model data/models/base.pt                  # speech by espeak-ng, in English
    python -m bench.recognition --model base --clips FOLDER --language es    # sounds that are there: es00.wav, ...
    python -m bench.recognition --model base --silence 2                     # minutes of what is no speech
    python -m bench.recognition --model base --sentences 2 --recognizers faster-whisper

Processor seconds and memory are those of the recognition child, with its start and the load of the model; a conversion
has been made before. "quiet" is the longest time without progress after the model was loaded. With --silence: lines
that are made up in noise, music and applause, for each minute (an hour is sixty times as much).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import lzma
import resource
import subprocess
import sys
import tempfile
import time
import wave
from pathlib import Path
from typing import Any, Final

import numpy as np

from app.domain.dub_options import Task
from app.domain.errors import DubError
from app.domain.problems.lines import NO_SPEECH
from app.speech.ports import Recognised, RecognitionProgress, RecognitionRequest
from app.speech.registry import build_registry
from bench.sentences import RATE_HZ, SENTENCES, VOICES, Sound, from_clip, music, speak, track, words_of

ROOT: Final = Path(__file__).resolve().parents[1]
RECOGNIZERS: Final = ("openai-whisper", "faster-whisper")


def white(samples: int, seed: int) -> Sound:
    return np.asarray(np.random.default_rng(seed).standard_normal(samples), np.float32)


def pink(samples: int, seed: int) -> Sound:
    spectrum = np.fft.rfft(white(samples, seed))
    spectrum /= np.sqrt(np.maximum(1, np.arange(len(spectrum))))
    return np.asarray(np.fft.irfft(spectrum, samples), np.float32)


def applause(samples: int, seed: int) -> Sound:
    """Many people clap, each at his own pace, in swells of some seconds."""
    draw = np.random.default_rng(seed)
    made = np.zeros(samples + RATE_HZ)
    clap = np.exp(-np.arange(800) / 90) * draw.standard_normal(800)
    for _ in range(40):
        step = int(RATE_HZ / draw.uniform(3, 5))
        for at in range(int(draw.integers(step)), samples, step):
            start = at + int(draw.integers(-600, 600))
            made[max(0, start) : max(0, start) + 800] += clap * draw.uniform(0.3, 1.0)
    swell = 0.55 + 0.45 * np.sin(2 * np.pi * np.arange(samples) / RATE_HZ / 9)
    return np.asarray(made[:samples] * swell, np.float32)


def melody(samples: int, seed: int) -> Sound:
    """A fiddle that wanders over a scale, with vibrato and overtones: the nearest to a voice that is none."""
    draw = np.random.default_rng(seed)
    t = np.arange(samples) / RATE_HZ
    notes = np.repeat(draw.choice([0, 2, 4, 5, 7, 9, 11, 12], samples // (RATE_HZ // 3) + 1), RATE_HZ // 3)[:samples]
    phase = 2 * np.pi * np.cumsum(260 * 2 ** (notes / 12) * (1 + 0.008 * np.sin(2 * np.pi * 5.5 * t))) / RATE_HZ
    made = sum(np.sin(n * phase) / n for n in range(1, 8))
    return np.asarray(made * (0.6 + 0.4 * np.sin(2 * np.pi * 1.5 * t)), np.float32)


def drums(samples: int, seed: int) -> Sound:
    draw = np.random.default_rng(seed)
    made = np.zeros(samples + RATE_HZ)
    for number, at in enumerate(range(0, samples, RATE_HZ // 4)):
        t = np.arange(3000) / RATE_HZ
        kick, hat = np.sin(2 * np.pi * 60 * t) * np.exp(-t * 20), draw.standard_normal(3000) * np.exp(-t * 60)
        made[at : at + 3000] += hat if number % 4 else kick
    return np.asarray(made[:samples], np.float32)


NO_SPEECH_SOUNDS: Final = {
    "silence": lambda samples, seed: white(samples, seed) * 1e-4,
    "white noise": white,
    "pink noise": pink,
    "applause": applause,
    "chords": lambda samples, seed: music(samples),
    "melody": melody,
    "drums": drums,
}


def level(sound: Sound, rms: float = 0.1) -> Sound:
    loudness = float(np.sqrt(np.mean(sound**2)))
    return np.asarray(sound * (rms / loudness if loudness > 1e-3 else 1.0), np.float32)


def write(path: Path, sound: Sound) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, RATE_HZ, 0, "NONE", "not compressed"))
        file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
    return path


async def recognise(arguments: argparse.Namespace, recognizer: str, path: Path) -> dict[str, Any]:
    with wave.open(str(path)) as file:
        duration_s = file.getnframes() / RATE_HZ
    engines = build_registry(
        models=arguments.models, model=arguments.model, model_paths=True, threads=arguments.threads, device="cpu"
    )
    texts: list[str] = []
    told: list[float] = []

    def on_event(event: Recognised | RecognitionProgress) -> None:
        if isinstance(event, Recognised):
            texts.extend(line.text for line in event.segments)
        told.append(time.monotonic())

    began = time.monotonic()
    asked = RecognitionRequest(path, arguments.model, arguments.language, Task.TRANSCRIBE, duration_s, 0.0)
    try:
        await engines.recognizer(recognizer).transcribe(asked, on_event)
    except DubError as error:
        if error.problem is not NO_SPEECH:
            raise
    finally:
        await engines.close()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return {
        "texts": texts,
        "cpu_s": used.ru_utime + used.ru_stime,
        "wall_s": time.monotonic() - began,
        "memory_mb": used.ru_maxrss / 1024,
        "quiet_s": max((b - a for a, b in zip(told, [*told[1:], time.monotonic()], strict=True)), default=0.0),
    }


def apart(arguments: argparse.Namespace, recognizer: str, path: Path) -> dict[str, Any]:
    """`recognise` in a process of its own, whose children are the recogniser's alone."""
    given = [f"--{name}={getattr(arguments, name)}" for name in ("model", "models", "threads", "language")]
    command = [sys.executable, "-m", "bench.recognition", *given, f"--one={recognizer}", f"--sound={path}"]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def wrong_words(said: list[str], heard: list[str]) -> float:
    """Word error rate: the share of the words said that were changed, dropped or added."""
    distance = list(range(len(heard) + 1))
    for number, word in enumerate(said, 1):
        before, distance[0] = distance[0], number
        for at, other in enumerate(heard, 1):
            before, distance[at] = distance[at], min(distance[at] + 1, distance[at - 1] + 1, before + (word != other))
    return distance[-1] / max(1, len(said))


async def speech(arguments: argparse.Namespace, folder: Path) -> None:
    texts = [text.replace("| ", "") for text in SENTENCES[arguments.language][: arguments.sentences]]
    engines = build_registry(models=arguments.models)
    if arguments.clips:
        sounds = [from_clip(arguments.clips / f"{arguments.language}{n:02d}.wav") for n in range(len(texts))]
    else:
        sounds = [await speak(engines, arguments.engine, arguments.language, text) for text in texts]
    await engines.close()
    path = write(folder / "speech.wav", track(sounds, texts, 0)[0])
    short = write(folder / "short.wav", sounds[0])
    said = words_of(" ".join(texts))
    print(f"{'':16}{'cpu s':>10}{'memory MB':>12}{'wrong words':>14}{'quiet s':>10}{'wall s':>9}")
    for recognizer in arguments.recognizers:
        apart(arguments, recognizer, short)  # converts
        runs = [apart(arguments, recognizer, path) for _ in range(arguments.times)]
        best = min(runs, key=lambda run: run["cpu_s"])
        rate = wrong_words(said, words_of(" ".join(best["texts"])))
        numbers = f"{best['cpu_s']:>10.2f}{best['memory_mb']:>12.0f}{100 * rate:>12.1f} %{best['quiet_s']:>10.1f}"
        print(f"{recognizer:16}{numbers}{best['wall_s']:>9.1f}", flush=True)


def silence(arguments: argparse.Namespace, folder: Path) -> None:
    print(f"lines made up in {arguments.silence:g} minutes of it")
    print(f"{'':16}" + "".join(f"{recognizer:>18}" for recognizer in arguments.recognizers))
    for name, sound in NO_SPEECH_SOUNDS.items():
        path = write(folder / "sound.wav", level(sound(round(arguments.silence * 60 * RATE_HZ), 1)))
        cells, shown = "", []
        for recognizer in arguments.recognizers:
            texts = apart(arguments, recognizer, path)["texts"]
            cells += f"{len(texts):>18}"
            shown += texts
        print(f"{name:16}{cells}   {'; '.join(shown)[:120]}", flush=True)


def smallest(folder: Path) -> list[str]:
    """The arguments of its smallest run: with the checkpoint of the tests."""
    model = folder / "micro.pt"
    model.write_bytes(lzma.decompress((ROOT / "tests" / "fixtures" / "whisper-micro.pt.xz").read_bytes()))
    return ["--model", str(model), "--models", str(folder), "--recognizers", "faster-whisper", "--sentences", "1"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="base", help="a name, or the path of a checkpoint")
    parser.add_argument("--models", type=Path, default=Path("data/models"), help="where checkpoints are")
    parser.add_argument("--recognizers", nargs="+", default=list(RECOGNIZERS), choices=RECOGNIZERS)
    parser.add_argument("--engine", default="espeak", choices=sorted(VOICES))
    parser.add_argument("--clips", type=Path, help="a folder with the sentences' sounds")
    parser.add_argument("--language", default="en", choices=list(SENTENCES))
    parser.add_argument("--sentences", type=int, default=99)
    parser.add_argument("--silence", type=float, default=0.0, metavar="MINUTES")
    parser.add_argument("--times", type=int, default=1, help="the best of so many runs is shown")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    parser.add_argument("--sound", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        sys.stdout.write(json.dumps(asyncio.run(recognise(arguments, arguments.one, arguments.sound))))
        return
    with tempfile.TemporaryDirectory() as folder:
        if arguments.silence:
            silence(arguments, Path(folder))
        else:
            asyncio.run(speech(arguments, Path(folder)))


if __name__ == "__main__":
    main()
