"""Are the speakers of a dialogue told apart? Dialogues of 2 to 6 voices with pauses and overlaps are made of spoken
sentences; every line is given to a speaker, with the number of speakers told and not told.

    python -m bench.speakers --models data/models                   # speaks with the neural voices, keeps the clips
    python -m bench.speakers --clips FOLDER                         # clips that are there: VOICE_N.wav
    python -m bench.speakers --engine espeak --voices 2 --dialogues 1 --turns 6

DER: the share of the time spoken that is given to the wrong speaker, by the best assignment of groups to voices; the
lines' own times are the truth's, so that nothing is missed or heard in silence. Line accuracy: the share of lines with
the right speaker. Overlaps: a fifth of the turns begins up to half a second before the one before it has ended.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import statistics
import tempfile
import time
import wave
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import soxr

from app.speech.ports import SpeechRequest
from app.speech.registry import build_registry
from app.speech.speakers.clustering import grouped
from app.speech.speakers.diarizer import WEIGHTS
from app.speech.speakers.embedding import RATE_HZ, Encoder

SENTENCES: Final = (
    "We should have left an hour ago, before the rain began.",
    "I told you that the bridge was closed this morning.",
    "Nobody asked me what I wanted for dinner tonight.",
    "The old house by the river belongs to my uncle.",
    "Are you sure that this is the right way home?",
    "Please bring the blue folder to the meeting.",
    "No, I have never seen him before.",
    "That is exactly what she said.",
    "It was a long winter, and we had almost no wood left.",
)
VOICES: Final = {
    "neural": ["af_heart", "am_michael", "bf_emma", "bm_george", "af_bella", "am_fenrir", "af_nicole", "am_puck"],
    "espeak": ["en-us", "en-gb", "de", "fr", "es", "it"],
}
_NOISE_DB: Final = -26.0
Sound = np.ndarray[Any, np.dtype[np.float32]]


class Turn(NamedTuple):
    voice: int
    start_s: float
    end_s: float


class Score(NamedTuple):
    der: float
    lines: float
    found: int


async def clips_of(engine: str, models: Path, folder: Path, names: Sequence[str]) -> None:
    """Every sentence by every voice, as VOICE_N.wav; what is there stays."""
    voice = build_registry(models=models).voices[engine]
    try:
        for number, text in enumerate(SENTENCES):
            for name in names:
                path = folder / f"{name}_{number}.wav"
                if path.exists():
                    continue
                request = SpeechRequest(name, "", text, "en", 1.0, "", "", None)
                await voice.prepare(request, lambda _: None)
                spoken = await voice.speak(request)
                with wave.open(str(path), "wb") as file:
                    file.setnchannels(1)
                    file.setsampwidth(2)
                    file.setframerate(spoken.sample_rate_hz)
                    file.writeframes(spoken.pcm)
    finally:
        await voice.close()


def read(path: Path) -> Sound:
    with wave.open(str(path)) as file:
        data, rate_hz = file.readframes(file.getnframes()), file.getframerate()
    sound = np.frombuffer(data, "<i2").astype(np.float32) / np.float32(32768)
    audible = np.flatnonzero(np.abs(sound) > 0.01)
    return np.asarray(soxr.resample(sound[audible[0] : audible[-1] + 1], rate_hz, RATE_HZ), np.float32)


def dialogue(clips: list[list[Sound]], turns: int, dice: random.Random) -> tuple[Sound, list[Turn]]:
    """Turns of all the voices, in any order, with noise under them."""
    placed: list[tuple[Turn, Sound]] = []
    at_s, last = 0.5, -1
    for number in range(turns):
        voice = number % len(clips) if number < len(clips) else dice.randrange(len(clips))
        if voice == last and dice.random() < 0.7:
            voice = (voice + 1) % len(clips)
        sound = dice.choice(clips[voice])
        start_s = at_s
        if placed and voice != last and dice.random() < 0.2:
            start_s = max(placed[-1][0].end_s - dice.uniform(0.1, 0.5), placed[-1][0].start_s + 0.1)
        placed.append((Turn(voice, start_s, start_s + len(sound) / RATE_HZ), sound))
        at_s, last = placed[-1][0].end_s + dice.uniform(0.15, 1.0), voice
    whole = np.zeros(round((max(turn.end_s for turn, _ in placed) + 0.5) * RATE_HZ), np.float32)
    for turn, sound in placed:
        first = round(turn.start_s * RATE_HZ)
        whole[first : first + len(sound)] += sound
    noise = np.random.default_rng(dice.randrange(1 << 30)).standard_normal(len(whole)).astype(np.float32)
    level = float(np.sqrt(np.mean(np.square(whole)))) * 10 ** (_NOISE_DB / 20)
    return whole + noise * np.float32(level), [turn for turn, _ in placed]


def score(turns: Sequence[Turn], labels: Sequence[int]) -> Score:
    from scipy.optimize import linear_sum_assignment  # type: ignore[import-untyped]

    seconds = np.array([turn.end_s - turn.start_s for turn in turns])
    table = np.zeros((max(turn.voice for turn in turns) + 1, max(labels) + 1))
    for turn, label, length in zip(turns, labels, seconds, strict=True):
        if label >= 0:
            table[turn.voice, label] += length
    rows, columns = linear_sum_assignment(-table)
    right = dict(zip(columns.tolist(), rows.tolist(), strict=True))
    good = np.array([right.get(label, -1) == turn.voice for turn, label in zip(turns, labels, strict=True)])
    return Score(1 - float(seconds[good].sum() / seconds.sum()), float(good.mean()), len(set(labels) - {-1}))


def smallest(folder: Path) -> list[str]:
    """A network of the right shape that has learned nothing, and espeak-ng's voices."""
    import torch

    size = 256
    shapes = {"linear.weight": (size, size), "linear.bias": (size,)}
    for layer in range(3):
        shapes[f"lstm.weight_ih_l{layer}"] = (4 * size, size if layer else 40)
        shapes[f"lstm.weight_hh_l{layer}"] = (4 * size, size)
        shapes[f"lstm.bias_ih_l{layer}"] = shapes[f"lstm.bias_hh_l{layer}"] = (4 * size,)
    weights = folder / "ge2e.pt"
    torch.save({"model_state": {name: torch.randn(shape) * 0.1 for name, shape in shapes.items()}}, weights)
    few = ["--voices", "2", "--dialogues", "1", "--turns", "6"]
    return ["--weights", str(weights), "--models", str(folder), "--engine", "espeak", *few]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=Path("data/models"), help="folder of the models")
    parser.add_argument("--weights", type=Path, help="the encoder (default: speakers/ge2e.pt of the models)")
    parser.add_argument("--clips", type=Path, help="folder of the clips, which are made where they are missing")
    parser.add_argument("--engine", choices=tuple(VOICES), default="neural")
    parser.add_argument("--voices", type=int, help="only dialogues of so many voices (default: 2 to 6)")
    parser.add_argument("--dialogues", type=int, default=6, help="of each number of voices")
    parser.add_argument("--turns", type=int, default=30)
    arguments = parser.parse_args()
    weights = arguments.weights or arguments.models / WEIGHTS.file
    if not weights.is_file():
        raise SystemExit(f"there is no {weights}; {WEIGHTS.url}")
    with tempfile.TemporaryDirectory(prefix="bench-") as temporary:
        folder = arguments.clips or Path(temporary)
        names = VOICES[arguments.engine]
        asyncio.run(clips_of(arguments.engine, arguments.models, folder, names))
        sounds = [[read(folder / f"{name}_{n}.wav") for n in range(len(SENTENCES))] for name in names]
    encoder, dice = Encoder(weights, 2), random.Random(7)
    heard_s = spent_s = 0.0
    print("voices  count told: DER  lines | not told: DER  lines  found right")
    for count in [arguments.voices] if arguments.voices else range(2, 7):
        told: list[Score] = []
        untold: list[Score] = []
        for _ in range(arguments.dialogues):
            sound, turns = dialogue(dice.sample(sounds, count), arguments.turns, dice)
            began_s = time.process_time()
            vectors = np.stack([encoder.embed(sound[round(a * RATE_HZ) : round(b * RATE_HZ)]) for _, a, b in turns])
            seconds = np.array([turn.end_s - turn.start_s for turn in turns])
            told.append(score(turns, grouped(vectors, seconds, count).tolist()))
            spent_s, heard_s = spent_s + time.process_time() - began_s, heard_s + len(sound) / RATE_HZ
            untold.append(score(turns, grouped(vectors, seconds, None).tolist()))
        given, free = (
            (statistics.mean(one.der for one in some), statistics.mean(one.lines for one in some))
            for some in (told, untold)
        )
        right = sum(one.found == count for one in untold)
        print(
            f"{count:6}  {given[0]:15.1%} {given[1]:6.1%} | {free[0]:13.1%} {free[1]:6.1%}  {right} of {len(untold)}"
            f" ({', '.join(str(one.found) for one in untold)})"
        )
    print(f"{spent_s / heard_s:.3f} CPU seconds per second of sound")


if __name__ == "__main__":
    main()
