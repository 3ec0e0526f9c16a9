"""Are recognised lines sentences, and do they start where somebody begins to speak? Known sentences, spoken with pauses
of 0.2 to 1.5 s and music under them, are recognised once for each language; the same result is cut by three rules.

    python -m bench.sentences --model data/models/base.pt              # five languages, with espeak-ng's voices
    python -m bench.sentences --model base --engine neural             # with the neural voices
    python -m bench.sentences --model base --clips FOLDER              # sounds that are there: en00.wav, en01.wav, ...
    python -m bench.sentences --model base --languages en --sentences 3 --recognizer openai-whisper

segments: Whisper's own, as they come. sentence split: WhisperX's rule, each segment split at the sentence ends that
nltk's Punkt finds, with the times of its words. ours: app.dubbing.spoken.sentences. A line is whole when it begins
where a sentence or clause begins, ends where one ends, lasts at most 12 s and fits into two subtitle rows. Starts are
those of lines that begin a sentence, against the first audible sample of its sound.
"""

from __future__ import annotations

import argparse
import asyncio
import difflib
import lzma
import re
import statistics
import tempfile
import wave
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import soxr

from app.domain.dub_options import Task
from app.domain.segment import Segment
from app.dubbing.spoken.sentences import LONGEST_S
from app.dubbing.subtitles.line_breaks import break_lines
from app.dubbing.transcribe import Sentences
from app.speech.ports import Recognised, RecognitionProgress, RecognitionRequest, SpeechRequest
from app.speech.registry import Registry, build_registry, recognizer_by_default

ROOT: Final = Path(__file__).resolve().parents[1]
RATE_HZ: Final = 16_000
VOICES: Final = {
    "espeak": {"en": "en-us", "es": "es", "fr": "fr-fr", "it": "it", "pt": "pt-br"},
    "neural": {"en": "af_heart", "es": "ef_dora", "fr": "ff_siwis", "it": "if_sara", "pt": "pf_dora"},
}
_AUDIBLE: Final = 0.01
_MUSIC_DB: Final = -20.0  # under the speech
Sound = np.ndarray[Any, np.dtype[np.float32]]


def _sentences() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for line in Path(__file__).with_name("spoken_sentences.txt").read_text(encoding="utf-8").splitlines()[1:]:
        if line.startswith("["):
            texts = found[line.strip("[]")] = []
        else:
            texts.append(line)
    return found


SENTENCES: Final = _sentences()


class Line(NamedTuple):
    start_s: float
    end_s: float
    text: str


class Sentence(NamedTuple):
    start_s: float
    text: str


async def speak(engines: Registry, engine: str, language: str, text: str) -> Sound:
    voice, voice_id = engines.voice(f"{engine}:{VOICES[engine][language]}")
    said = await voice.speak(SpeechRequest(voice_id, "", text, language, 1.0, "", "", None))
    return at_rate(np.frombuffer(said.pcm, "<i2").astype(np.float32) / 32768, said.sample_rate_hz)


def from_clip(path: Path) -> Sound:
    with wave.open(str(path)) as file:
        return at_rate(
            np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768, file.getframerate()
        )


def at_rate(sound: Sound, rate_hz: int) -> Sound:
    """At 16 kHz, of one loudness, without silent edges."""
    sound = soxr.resample(sound, rate_hz, RATE_HZ) if rate_hz != RATE_HZ else sound
    loud = np.flatnonzero(np.abs(sound) > _AUDIBLE * np.abs(sound).max())
    sound = sound[loud[0] : loud[-1] + 1]
    return np.asarray(sound * (0.1 / np.sqrt(np.mean(sound**2))), np.float32)


def music(samples: int) -> Sound:
    """Slow chords with their overtones."""
    t = np.arange(samples) / RATE_HZ
    made = np.zeros(samples)
    for chord, at in enumerate(range(0, samples, 2 * RATE_HZ)):
        for note in ((0, 4, 7), (5, 9, 12), (7, 11, 14), (-3, 0, 4))[chord % 4]:
            hz = 220 * 2 ** (note / 12)
            part = slice(at, at + 2 * RATE_HZ)
            made[part] += sum(np.sin(2 * np.pi * hz * n * t[part]) / n**2 for n in (1, 2, 3)) * np.exp(
                -(t[part] - t[at])
            )
    return np.asarray(made / np.sqrt(np.mean(made**2)) * 0.1 * 10 ** (_MUSIC_DB / 20), np.float32)


def track(sounds: Sequence[Sound], texts: Sequence[str], seed: int) -> tuple[Sound, list[Sentence]]:
    """The sentences one after another, with the music; 0.2 to 1.5 s apart."""
    draw = np.random.default_rng(seed)
    pauses = draw.permutation(np.linspace(0.2, 1.5, len(sounds)))
    parts, told, at = [np.zeros(RATE_HZ, np.float32)], [], RATE_HZ
    for sound, text, pause_s in zip(sounds, texts, pauses, strict=True):
        told.append(Sentence(at / RATE_HZ, text))
        gap = np.zeros(round(pause_s * RATE_HZ), np.float32)
        parts += [sound, gap]
        at += len(sound) + len(gap)
    whole = np.concatenate(parts)
    return whole + music(len(whole)), told


async def recognise(engines: Registry, recognizer: str, model: str, path: Path, language: str) -> list[Recognised]:
    with wave.open(str(path)) as file:
        duration_s = file.getnframes() / RATE_HZ
    heard: list[Recognised] = []

    def on_event(event: Recognised | RecognitionProgress) -> None:
        if isinstance(event, Recognised):
            heard.append(event)

    asked = RecognitionRequest(path, model, language, Task.TRANSCRIBE, duration_s, 0.0)
    await engines.recognizer(recognizer).transcribe(asked, on_event)
    return heard


# ---------------------------------------------------------------- the rules


def as_they_come(heard: Sequence[Recognised]) -> list[Line]:
    return [Line(line.start_s, line.end_s, line.text) for chunk in heard for line in chunk.segments]


_ABBREVIATIONS: Final = frozenset({"dr", "vs", "mr", "mrs", "prof"})  # WhisperX's list for Punkt


def split_at_sentences(heard: Sequence[Recognised]) -> list[Line]:
    lines = []
    for segment in (line for chunk in heard for line in chunk.segments):
        for words in _punkt(segment):
            text = "".join(word.text for word in words).strip()
            lines.append(Line(words[0].start_s, words[-1].end_s, text))
    return lines


def _punkt(segment: Segment) -> list[list[Any]]:
    if not segment.words:
        return []
    parts: list[list[Any]] = [[]]
    for word, following in zip(segment.words, [*segment.words[1:], None], strict=True):
        parts[-1].append(word)
        bare = word.text.strip().strip("\"')]»”").casefold()
        ends = bare.endswith((".", "?", "!")) and bare.rstrip(".") not in _ABBREVIATIONS
        if ends and following is not None and following.text.startswith(" "):
            parts.append([])
    return parts


def sentences(heard: Sequence[Recognised]) -> list[Line]:
    ours = Sentences()
    chunks = [ours.take(chunk) for chunk in heard]
    if (rest := ours.rest()) is not None:
        chunks.append(rest)
    return as_they_come(chunks)


RULES: Final[dict[str, Callable[[Sequence[Recognised]], list[Line]]]] = {
    "segments": as_they_come,
    "sentence split": split_at_sentences,
    "ours": sentences,
}

# ---------------------------------------------------------------- measures


def words_of(text: str) -> list[str]:
    return re.findall(r"[\w'\u2019]+", text.casefold())


class Measured(NamedTuple):
    lines: int
    whole: int
    start_errors_s: list[float]
    worst: list[str]


def measure(lines: Sequence[Line], told: Sequence[Sentence]) -> Measured:
    """Each recognised word is laid on the word that was said; then each line's edges are looked up."""
    said: list[str] = []
    begins: dict[int, float | None] = {}  # of a sentence, with its start; of a clause, None
    ends: set[int] = set()
    for sentence in told:
        begins[len(said)] = sentence.start_s
        for clause in re.split(r"(?<=[,;:])\s+|\|\s*", sentence.text):
            begins.setdefault(len(said), None)
            said += words_of(clause)
            ends.add(len(said) - 1)
    heard = [(word, number) for number, line in enumerate(lines) for word in words_of(line.text)]
    lies = _laid([word for word, _ in heard], said)
    whole, errors, worst = 0, [], []
    for number, line in enumerate(lines):
        places = [place for (_, owner), place in zip(heard, lies, strict=True) if owner == number]
        if not places:
            worst.append(line.text)
            continue
        fits = line.end_s - line.start_s <= LONGEST_S and len(break_lines(line.text)) <= 2
        if fits and places[0] in begins and places[-1] in ends:
            whole += 1
        else:
            worst.append(line.text)
        if (start_s := begins.get(places[0])) is not None:
            errors.append(line.start_s - start_s)
    return Measured(len(lines), whole, errors, worst)


def _laid(heard: Sequence[str], said: Sequence[str]) -> list[int]:
    """For each word heard, the index of the word said: equal ones by their longest common runs, others in between."""
    found: list[int] = []
    for tag, a, b, c, d in difflib.SequenceMatcher(None, heard, said, autojunk=False).get_opcodes():
        for n in range(a, b):
            if tag == "equal":
                found.append(c + n - a)
            elif d > c:  # replaced: the first on the first, the last on the last
                found.append(d - 1 if n == b - 1 else min(c + n - a, d - 1))
            else:
                found.append(max(0, c - 1))
    return found


async def one_language(arguments: argparse.Namespace, engines: Registry, language: str) -> dict[str, Measured]:
    texts = SENTENCES[language][: arguments.sentences]
    if arguments.clips:
        sounds = [from_clip(arguments.clips / f"{language}{n:02d}.wav") for n in range(len(texts))]
    else:
        sounds = [await speak(engines, arguments.engine, language, text.replace("| ", "")) for text in texts]
    found = {rule: Measured(0, 0, [], []) for rule in RULES}
    for seed in range(arguments.times):
        sound, told = track(sounds, texts, seed)
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "speech.wav"
            with wave.open(str(path), "wb") as file:
                file.setparams((1, 2, RATE_HZ, 0, "NONE", "not compressed"))
                file.writeframes((np.clip(sound, -1, 1) * 32767).astype("<i2").tobytes())
            heard = await recognise(engines, arguments.recognizer, arguments.model, path, language)
        for rule, cut in RULES.items():
            more = measure(cut(heard), told)
            found[rule] = Measured(*(a + b for a, b in zip(found[rule], more, strict=True)))
    return found


async def run(arguments: argparse.Namespace) -> None:
    engines = build_registry(
        models=arguments.models, model=arguments.model, model_paths=True, threads=arguments.threads, device="cpu"
    )
    total = {rule: Measured(0, 0, [], []) for rule in RULES}
    print(f"{'':6}" + "".join(f"{rule:>30}" for rule in RULES))
    print(f"{'':6}" + f"{'lines':>10}{'whole':>8}{'start':>12}" * len(RULES))
    try:
        for language in arguments.languages:
            found = await one_language(arguments, engines, language)
            row(language, found)
            for rule in RULES:
                total[rule] = Measured(*(a + b for a, b in zip(total[rule], found[rule], strict=True)))
            if arguments.verbose:
                for text in found["ours"].worst:
                    print(f"       not whole: {text}")
    finally:
        await engines.close()
    row("all", total)


def row(name: str, found: dict[str, Measured]) -> None:
    cells = ""
    for measured in found.values():
        share = 100 * measured.whole / max(1, measured.lines)
        start_ms = 1000 * statistics.median(map(abs, measured.start_errors_s)) if measured.start_errors_s else 0.0
        cells += f"{measured.lines:>10}{share:>6.0f} %{start_ms:>9.0f} ms"
    print(f"{name:6}{cells}", flush=True)


def smallest(folder: Path) -> list[str]:
    """The arguments of its smallest run: with the checkpoint of the tests."""
    model = folder / "micro.pt"
    model.write_bytes(lzma.decompress((ROOT / "tests" / "fixtures" / "whisper-micro.pt.xz").read_bytes()))
    return ["--model", str(model), "--models", str(folder), "--languages", "en", "--sentences", "2"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="base", help="a name, or the path of a checkpoint")
    parser.add_argument("--models", type=Path, default=Path("data/models"), help="where checkpoints are")
    parser.add_argument("--recognizer", default=recognizer_by_default("auto"))
    parser.add_argument("--engine", default="espeak", choices=sorted(VOICES))
    parser.add_argument("--clips", type=Path, help="a folder with the sentences' sounds")
    parser.add_argument("--languages", nargs="+", default=list(SENTENCES), choices=list(SENTENCES))
    parser.add_argument("--sentences", type=int, default=99, help="how many of each language")
    parser.add_argument("--times", type=int, default=1, help="how often, each time with other pauses")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--verbose", action="store_true", help="show the lines that are not whole")
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
