"""How well speech and music are told apart, what is left of the old voice, and what it costs.

    python -m bench.separate --weights data/models/spleeter/2stems/model               # 30 s of each kind
    python -m bench.separate --weights data/models/spleeter/2stems/model --voices kokoro --models data/models
    python -m bench.separate --weights data/models/spleeter/2stems/model --minutes 5 60   # memory, noise only

The mixtures are generated: sentences with pauses over chords, a beat, a drone of strings, and pink noise, 5 dB below
the speech or as `--under` says. SDR is 10 log10 of the energy of the truth by that of the difference. `left` is the
speech that remains in the background while somebody speaks, beside the speech itself: what correlates with it. `kept`
is the background's SDR in the pauses. Processor seconds are per second of sound; memory is the process's largest.
"""

from __future__ import annotations

import argparse
import asyncio
import atexit
import resource
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import numpy as np
import soxr

from app.separation import pieces
from app.separation.pieces import SOUND_HZ as RATE_HZ
from app.separation.ports import Stereo
from app.separation.spleeter.network import Spleeter
from app.speech.ports import SpeechRequest, Spoken
from bench.sentences import SENTENCES
from tests.unit.separation.checkpoints import layers, write

Mono = np.ndarray[Any, np.dtype[np.float32]]
VOICES: Final = {"espeak": ("en-us", "en-gb"), "kokoro": ("af_heart", "bm_george")}
PAUSE_S: Final = 0.8


def espeak(voice: str, text: str) -> tuple[Mono, int]:
    from app.speech.espeak.voice import EspeakVoice

    async def speak() -> Spoken:
        engine = EspeakVoice()
        spoken = await engine.speak(SpeechRequest(voice, "", text, None, 1.0, "", "", None))
        await engine.close()
        return spoken

    return samples(asyncio.run(speak()))


def samples(spoken: Spoken) -> tuple[Mono, int]:
    return np.frombuffer(spoken.pcm, "<i2").astype(np.float32) / 32768, spoken.sample_rate_hz


def kokoro(models: Path) -> Callable[[str, str], tuple[Mono, int]]:
    from app.speech.model_files import ModelFiles
    from app.speech.neural.voice import NeuralVoices

    engine, runner = NeuralVoices(ModelFiles(models)), asyncio.Runner()

    def speak(voice: str, text: str) -> tuple[Mono, int]:
        return samples(runner.run(engine.speak(SpeechRequest(voice, "", text, None, 1.0, "", "", None))))

    def end() -> None:
        runner.run(engine.close())
        runner.close()

    atexit.register(end)
    return speak


def resampled(sound: Mono, rate_hz: int) -> Mono:
    """At RATE_HZ, without the silence at its edges."""
    loud = np.flatnonzero(np.abs(sound) > 0.01)
    return np.asarray(soxr.resample(sound[loud[0] : loud[-1] + 1], rate_hz, RATE_HZ), np.float32)


def speech_at(
    speak: Callable[[str, str], tuple[Mono, int]], voice: str, texts: list[str]
) -> tuple[Stereo, list[tuple[float, float]]]:
    """Sentences with pauses, and when each is said."""
    parts = [np.zeros(RATE_HZ, np.float32)]
    spans = []
    for text in texts:
        sound, rate_hz = speak(voice, text)
        start_s = sum(map(len, parts)) / RATE_HZ
        spans.append((start_s, start_s + len(sound) / rate_hz))
        parts += [soxr.resample(sound, rate_hz, RATE_HZ), np.zeros(round(PAUSE_S * RATE_HZ), np.float32)]
    mono = np.concatenate(parts)
    return np.stack([mono, mono], 1) * np.float32(0.1 / np.sqrt(np.mean(mono**2))), spans


def speech(speak: Callable[[str, str], tuple[Mono, int]], voices: tuple[str, ...], seconds: float) -> Stereo:
    """Sentences in turns, in the middle of the picture, with pauses."""
    parts: list[Mono] = []
    texts = [text.replace(" |", "") for text in SENTENCES["en"]] * 20
    for number, text in enumerate(texts):
        sound, rate_hz = speak(voices[number % len(voices)], text)
        parts += [soxr.resample(sound, rate_hz, RATE_HZ), np.zeros(round(PAUSE_S * RATE_HZ), np.float32)]
        if sum(map(len, parts)) >= seconds * RATE_HZ:
            break
    mono = np.concatenate(parts)[: round(seconds * RATE_HZ)]
    return np.stack([mono, mono], 1) * np.float32(0.1 / np.sqrt(np.mean(mono**2)))


def tones(length_n: int, beat_s: float, chords: tuple[tuple[float, ...], ...], decay: float, drums: float) -> Stereo:
    t = np.arange(round(beat_s * RATE_HZ)) / RATE_HZ
    random = np.random.default_rng(3)
    parts = []
    for beat in range(-(-length_n // len(t))):
        part = np.zeros((len(t), 2))
        for place, pitch in enumerate(chords[beat // 4 % len(chords)]):
            note = sum(np.sin(2 * np.pi * pitch * h * t + h) / h for h in range(1, 7)) * np.exp(-decay * t)
            part += note[:, None] * ((1.0, 0.4) if place % 2 else (0.4, 1.0))
        hit = random.standard_normal(len(t)) * np.exp(-50 * t) + 3 * np.sin(2 * np.pi * 55 * t) * np.exp(-18 * t)
        parts.append(part + drums * hit[:, None])
    return np.concatenate(parts)[:length_n].astype(np.float32)


def pink(length_n: int, seed: int = 5) -> Stereo:
    white = np.fft.rfft(np.random.default_rng(seed).standard_normal((length_n, 2)), axis=0)
    white /= np.sqrt(np.maximum(np.arange(len(white)), 1))[:, None]
    return np.fft.irfft(white, length_n, axis=0).astype(np.float32)


CHORDS: Final = ((220.0, 277.2, 329.6), (261.6, 329.6, 392.0), (329.6, 415.3, 493.9), (196.0, 246.9, 293.7))
KINDS: Final[dict[str, Callable[[int], Stereo]]] = {
    "chords": lambda n: tones(n, 0.5, CHORDS, 4.0, 0.0),
    "beat": lambda n: tones(n, 0.4, CHORDS, 6.0, 2.0),
    "strings": lambda n: tones(n, 2.0, CHORDS, 0.2, 0.0),
    "noise": pink,
}


def sdr_db(truth: Stereo, heard: Stereo) -> float:
    return float(10 * np.log10(np.sum(truth.astype(float) ** 2) / np.sum((truth.astype(float) - heard) ** 2)))


def left_db(voice: Stereo, music: Stereo, background: Stereo) -> float:
    """The speech in what is wrong with the background, by windows of 50 ms."""
    size = RATE_HZ // 20
    count = len(voice) // size
    said = voice[: count * size].reshape(count, -1).astype(float)
    wrong = (background - music)[: count * size].reshape(count, -1)
    energy = np.sum(said**2, 1)
    loud = energy > energy.max() * 1e-3
    share = np.sum(said * wrong, 1)[loud] / energy[loud]
    return float(10 * np.log10(np.sum(share**2 * energy[loud]) / np.sum(energy[loud])))


def mixtures(asked: argparse.Namespace, model: Spleeter) -> None:
    speak = kokoro(asked.models) if asked.voices == "kokoro" else espeak
    voice = speech(speak, VOICES[asked.voices], asked.seconds)
    pause = np.abs(voice[:, 0]) < 1e-4
    print("| under the voice | voice SDR, before -> after | music SDR | left of the voice | kept in pauses | CPU |")
    print("|---|---|---|---|---|---|")
    for kind, make in KINDS.items():
        music = make(len(voice))
        music *= np.sqrt(np.mean(voice**2) / np.mean(music**2)) * np.float32(10 ** (-asked.under / 20))
        mixture = voice + music
        began_s = time.process_time()
        heard = np.concatenate([*pieces.background(model, lambda a, b, m=mixture: m[a:b], len(mixture))])
        cpu = (time.process_time() - began_s) / asked.seconds
        print(
            f"| {kind} | {sdr_db(voice, mixture):.1f} -> {sdr_db(voice, mixture - heard):.1f} dB "
            f"| {sdr_db(music, mixture):.1f} -> {sdr_db(music, heard):.1f} dB "
            f"| {left_db(voice, music, heard):.1f} dB | {sdr_db(music[pause], heard[pause]):.1f} dB | {cpu:.2f} |",
            flush=True,
        )


def memory(minutes: float, model: Spleeter) -> None:
    """A recording that is made as it is read."""
    second = pink(RATE_HZ) * np.float32(5)
    length_n = round(minutes * 60 * RATE_HZ)
    began_s = time.process_time()
    total_n = 0
    for piece in pieces.background(model, lambda a, b: second[np.arange(a, b) % RATE_HZ], length_n):
        total_n += len(piece)
    assert total_n == length_n
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{minutes:g} min: {(time.process_time() - began_s) / minutes / 60:.2f} CPU s per s, {largest:.0f} MiB")


def smallest(folder: Path) -> list[str]:
    """The arguments of its smallest run: a network of a few filters that knows nothing."""
    write(folder / "model", layers())
    return ["--weights", str(folder / "model"), "--seconds", "10"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--weights", type=Path, required=True, help="the checkpoint's files without their endings")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each mixture; at least 10")
    parser.add_argument("--under", type=float, default=5.0, help="dB of the music below the speech")
    parser.add_argument("--voices", choices=tuple(VOICES), default="espeak")
    parser.add_argument("--models", type=Path, help="the folder of the neural voices")
    parser.add_argument("--minutes", type=float, nargs="*", help="measure memory over so many minutes instead")
    parser.add_argument("--threads", type=int, default=2)
    asked = parser.parse_args()
    model = Spleeter(asked.weights, asked.threads)
    for minutes in asked.minutes or ():
        memory(minutes, model)
    if not asked.minutes:
        mixtures(asked, model)


if __name__ == "__main__":
    main()
