"""How many translated lines fit their time, and which losses of meaning are caught: against one plain translation.

    python -m bench.translate --lines 120 --voice espeak:es

A double of a chat service translates every word into another of the same letters, 30 % too long at first, with a short
wording as long as the source. Lines have the time that the voice takes for a text as long as the source, times 0.85 to
1.2, as languages differ; what comes back is spoken by the voice and measured. A line fits that is spoken 0.9 to 1.2
times as fast as natural. `one shot` is the first wording; `by the language's rate` knows nothing of the voice, `by the
voice's rate` has heard it speak other sentences.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from app.domain.glossary import Term
from app.domain.segment import Segment, Translation
from app.dubbing.casting import VoiceChoice
from app.dubbing.context import Context
from app.dubbing.line_time import line_times
from app.dubbing.speaking_rate import RateBook, Take, counted
from app.dubbing.translate import TranslationChoice, translate
from app.speech.ports import SpeechRequest
from app.speech.registry import build_registry
from app.storage.blobs import FolderBlobs
from app.storage.workspace import Workspace
from app.system.children import Limits
from app.translation.chat import OpenAIChat
from app.translation.ports import Wishes
from bench.sentences import SENTENCES
from tests.doubles.translators import KEY, MODEL, Double, word_by_word

SLOWEST, FASTEST = 0.9, 1.2
VERBOSITY = 1.3
TAUGHT = 20  # sentences that the voice has spoken before
_SILENT = 0.01

LOSSES: tuple[tuple[str, str, str], ...] = (
    ("a number", "We counted 250 of them.", "Los hemos contado todos ya."),
    ("a negation", "She does not want to come.", "Ella quiere venir con todos."),
    ("a name", "Yesterday we met Berta here.", "Ayer la encontramos aqui mismo."),
    ("a glossary term", "We need the glue for this.", "Necesitamos el pegamento para eso."),
    ("a term to keep", "This is the Workshop tour.", "Esta es la visita del taller."),
    ("not translated", "We need three of these boards.", "We need three of these boards."),
    ("a comment", "We need three of these boards.", "Translation: necesitamos tres tablas."),
    ("two lines", "We need three of these boards.", "Necesitamos\ntres tablas."),
    ("nothing", "We need three of these boards.", ""),
)


class Bench:
    """Lines, the voice that speaks their translations, and how well those fit."""

    def __init__(self, context: Context, voice: str) -> None:
        self.context = context
        self.voices = VoiceChoice(voice, "", 1.0, "es")
        self.voice, self.voice_id = context.engines.voice(voice)
        self.lines: list[Segment] = []

    async def spoken_s(self, text: str) -> float:
        """Seconds from the first sound to the last."""
        said = await self.voice.speak(SpeechRequest(self.voice_id, "", text, "es", 1.0, "", "", None))
        loud = np.flatnonzero(np.abs(np.frombuffer(said.pcm, "<i2") / 32768) > _SILENT)
        return float(loud[-1] - loud[0]) / said.sample_rate_hz

    async def fill(self, sentences: Sequence[str]) -> None:
        chance, at_s = random.Random(7), 0.0
        for number, text in enumerate(sentences):
            lasts_s = await self.spoken_s(word_by_word(text)) * chance.uniform(0.85, 1.2)
            self.lines.append(Segment(f"{number}", at_s, at_s + lasts_s, text, text, "", False, ()))
            at_s += lasts_s + 0.3

    async def row(self, name: str, texts: dict[str, str]) -> str:
        """How many times faster than natural the lines have to be spoken, as a row."""
        paces = [await self.spoken_s(texts[line.id]) / (line.end_s - line.start_s) for line in self.lines]
        fit = sum(SLOWEST <= pace <= FASTEST for pace in paces) / len(paces)
        fast = sum(pace > FASTEST for pace in paces) / len(paces)
        return f"| {name} | {fit:.0%} | {fast:.0%} | {float(np.median(paces)):.2f} |"

    async def teach(self, sentences: Sequence[str]) -> None:
        """Remember how long the voice takes for other sentences."""
        takes = {}
        for text in map(word_by_word, sentences):
            letters, marks = counted(text)
            takes[text] = Take(letters, marks, await self.spoken_s(text))
        RateBook(self.context.cache.parent / "rates", self.voice.name, self.voice_id, "", "es").remember(takes)

    async def translated(self, double: Double, cache: Path) -> dict[str, str]:
        times = line_times(self.context, self.lines, self.voices, "es")
        choice = TranslationChoice("en", "es")
        done = await translate(chat(double), self.lines, choice, cache, lambda *_: None, times=times)
        return {line.id: line.text for line in done}


def texts(count: int) -> list[str]:
    """Lines of 4 to 16 words, as long as a film's, of words of the test sentences: no numbers, no names, no denials."""
    chance = random.Random(11)
    known = [word for sentence in SENTENCES["en"] for word in str(sentence).split()]
    words = [word for word in known if word.isalpha() and word.islower() and word not in ("not", "no", "never")]
    return [" ".join(chance.choices(words, k=chance.randint(4, 16))).capitalize() + "." for _ in range(count)]


def chat(double: Double) -> OpenAIChat:
    return OpenAIChat(f"{double.url}/v1", MODEL, key=lambda: KEY, pause_s=0.01)


async def caught(double: Double, cache: Path) -> list[str]:
    """What happens where every answer is wrong, as rows."""
    wishes = Wishes((Term("glue", translation="cola"), Term("Workshop", keep=True)))
    rows = []
    for name, source, wrong in LOSSES:
        line = Segment("l", 0.0, 8.0, source, source, "", False, ())
        before = len(double.calls)
        double.faults = [{"text": {"1": wrong}} for _ in range(5)]
        choice = TranslationChoice("en", "es", wishes=wishes)
        (done,) = await translate(chat(double), [line], choice, cache / name, lambda *_: None)
        double.faults = []
        again = len(double.calls) - before > 1
        end = "stays in the source language, marked" if done.translation is Translation.FAILED else "taken at last"
        rows.append(f"| {name} | {'yes' if again else 'no'} | {end} |")
    return rows


async def measure(count: int, voice: str, folder: Path) -> None:
    engines = build_registry(models=folder / "models")
    context = Context(
        FolderBlobs(folder / "blobs"), Workspace(folder / "work"), folder / "cache", engines, 1, Limits(), 1e5
    )
    sentences = texts(TAUGHT + count)
    bench = Bench(context, voice)
    await bench.fill(sentences[TAUGHT : TAUGHT + count])
    print(f"{len(bench.lines)} lines, {voice}, wordings {VERBOSITY - 1:.0%} too long at first\n")
    print("| | 0.9 to 1.2 of natural | faster | median |\n|---|---|---|---|")
    one_shot = {line.id: word_by_word(line.text, VERBOSITY) for line in bench.lines}
    print(await bench.row("one shot", one_shot))
    async with Double(verbosity=VERBOSITY) as double:
        print(await bench.row("by the language's rate", await bench.translated(double, folder / "a")))
        await bench.teach(sentences[:TAUGHT])
        print(await bench.row("by the voice's rate", await bench.translated(double, folder / "b")))
        print("\n| wrong in every answer | asked for again | in the end |\n|---|---|---|")
        print("\n".join(await caught(double, folder / "c")))
    await engines.close()


def smallest(folder: Path) -> list[str]:
    """The arguments of its smallest run."""
    return ["--lines", "4"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--lines", type=int, default=120)
    parser.add_argument("--voice", default="espeak:es", help="ENGINE:VOICE, free of charge")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-translate-") as folder:
        asyncio.run(measure(arguments.lines, arguments.voice, Path(folder)))


if __name__ == "__main__":
    main()
