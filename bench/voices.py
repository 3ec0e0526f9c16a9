"""What the local neural voices cost, how true their pace is, and whether they are understood.

    python -m bench.voices --models data/models                          # one voice of each language, and Piper's
    python -m bench.voices --models data/models --voices af_heart am_michael --model data/models/base.pt

Per second of sound: processor seconds, and seconds of the clock with `--threads`. Memory is the child's largest. `pace`
is how much shorter a line got where a speed was asked for (1.20 where 1.20 is wished for is right). With `--model`, a
Whisper checkpoint, faster-whisper writes down what it hears: `wrong` is the share of the words that are not as given.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import psutil
import soxr

from app.speech.model_files import ModelFiles
from app.speech.neural.voice import NeuralVoices
from app.speech.ports import SpeechRequest, Spoken
from bench.recognition import apart, words_of, write, wrong_words
from bench.sentences import SENTENCES
from tests.doubles.onnx_model import PIPER, write_voice

ONE_EACH: Final = ("af_heart", "bf_emma", "ef_dora", "ff_siwis", "if_sara", "pf_dora", "en_US-joe-medium")
SPEEDS: Final = (0.8, 1.2, 1.4)
SILENT: Final = 0.01


def audible(spoken: Spoken) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The sound without the silence at its edges, -1..1."""
    sound = np.frombuffer(spoken.pcm, "<i2").astype(np.float32) / 32768
    loud = np.flatnonzero(np.abs(sound) > SILENT)
    return sound[loud[0] : loud[-1] + 1] if len(loud) else sound


def request(voice: str, text: str, speed: float = 1.0) -> SpeechRequest:
    return SpeechRequest(voice, "", text, None, speed, "", "", None)


def used() -> tuple[float, float]:
    """Processor seconds and MiB of the children that speak."""
    children = psutil.Process().children(recursive=True)
    times = [child.cpu_times() for child in children]
    return sum(t.user + t.system for t in times), sum(child.memory_info().rss for child in children) / 2**20


async def measure(asked: argparse.Namespace, engine: NeuralVoices, voice: str, texts: list[str], language: str) -> str:
    await engine.speak(request(voice, texts[0][:20]))  # the model is in memory
    cpu_s, _ = used()
    began_s = time.monotonic()
    spoken = [await engine.speak(request(voice, text)) for text in texts]
    wall_s, (after_s, memory_mib) = time.monotonic() - began_s, used()
    rate_hz = spoken[0].sample_rate_hz
    sound_s = sum(len(each.pcm) for each in spoken) / 2 / rate_hz
    usual_n = sum(len(audible(each)) for each in spoken[:3])
    paces = []
    for speed in SPEEDS:
        faster = [await engine.speak(request(voice, text, speed)) for text in texts[:3]]
        paces.append(usual_n / max(1, sum(len(audible(each)) for each in faster)))
    again = await engine.speak(request(voice, texts[0]))
    wrong = "      -"
    if asked.model is not None:
        wrong = f"{100 * heard_wrong(asked, spoken, texts, language):6.1f} %"
    return (
        f"{voice:18}{(after_s - cpu_s) / sound_s:8.2f}{wall_s / sound_s:8.2f}{memory_mib:10.0f}"
        + "".join(f"{pace:7.2f}" for pace in paces)
        + f"{'yes' if again.pcm == spoken[0].pcm else 'NO':>7}{wrong}"
    )


def heard_wrong(asked: argparse.Namespace, spoken: list[Spoken], texts: list[str], language: str) -> float:
    """The share of the words that Whisper hears wrong."""
    return wrong_words(words_of(" ".join(texts)), words_of(heard(asked, spoken, language)))


def heard(asked: argparse.Namespace, spoken: list[Spoken], language: str) -> str:
    """All lines in one recording, a second apart, as Whisper hears them."""
    pause = np.zeros(16_000, np.float32)
    parts = [part for each in spoken for part in (soxr.resample(audible(each), each.sample_rate_hz, 16_000), pause)]
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "lines.wav", np.concatenate([pause, *parts]))
        known = argparse.Namespace(
            model=asked.model, models=asked.model.parent, threads=asked.threads, language=language
        )
        return " ".join(apart(known, "faster-whisper", path)["texts"])


async def run(asked: argparse.Namespace) -> None:
    engine = NeuralVoices(ModelFiles(asked.models), threads=asked.threads)
    known = {voice.id: voice.language or "en" for voice in await engine.voices()}
    print(f"{'voice':18}{'CPU s':>8}{'wall s':>8}{'MiB':>10}" + "".join(f"{speed:7.2f}" for speed in SPEEDS), end="")
    print(f"{'same':>7}{'wrong':>8}")
    for voice in asked.voices:
        language = known[voice]
        texts = [text.replace(" |", "") for text in SENTENCES.get(language, SENTENCES["en"])][: asked.sentences]
        print(await measure(asked, engine, voice, texts, language), flush=True)
    await engine.close()
    if asked.against is not None:
        print(f"the same by {asked.against.name}:")
        other = Another(ModelFiles(asked.models), threads=asked.threads)
        other.model = asked.against
        for voice in asked.voices:
            language = known[voice]
            texts = [text.replace(" |", "") for text in SENTENCES.get(language, SENTENCES["en"])][: asked.sentences]
            print(await measure(asked, other, voice, texts, language), flush=True)
        await other.close()


class Another(NeuralVoices):
    """The voices with another file in place of their model, such as fp32 where the published one is int8."""

    model: Path

    async def _fetch(self, voice: Any, on_progress: Callable[[str], None]) -> list[Path]:
        return [self.model, *(await super()._fetch(voice, on_progress))[1:]]


def smallest(folder: Path) -> list[str]:
    """The arguments of its smallest run: a voice whose sound is a number for each phoneme."""
    write_voice(folder / "piper" / "numbers.onnx", PIPER)
    (folder / "piper" / "numbers.onnx.json").write_text(
        '{"audio": {"sample_rate": 16000}, "espeak": {"voice": "en-us"}, "phoneme_id_map": '
        '{"_": [0], "^": [1], "$": [2], ".": [3], "a": [90], "l": [100], "o": [110]}}'
    )
    other = folder / "other.onnx"
    shutil.copy(folder / "piper" / "numbers.onnx", other)
    shutil.copy(folder / "piper" / "numbers.onnx.json", f"{other}.json")
    return ["--models", str(folder), "--voices", "numbers", "--sentences", "3", "--against", str(other)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=Path("data/models"), help="the models folder")
    parser.add_argument("--voices", nargs="+", default=list(ONE_EACH))
    parser.add_argument("--model", type=Path, help="a Whisper checkpoint to read them back with")
    parser.add_argument("--against", type=Path, metavar="ONNX", help="another export of the model, measured beside it")
    parser.add_argument("--sentences", type=int, default=99, help="how many of each language")
    parser.add_argument("--threads", type=int, default=2)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
