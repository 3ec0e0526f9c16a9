"""How much is stretched when the voice is asked for the pace that a line needs, against stretching alone.

    python -m bench.pace --models data/models --voices neural:af_heart neural:en_US-joe-medium espeak:en

Sentences of `bench.sentences` get slots as a translation meets them: the time that a usual speaker takes, times 0.75 to
1.15, and pauses of 0.1 to 0.8 s. `stretched`: the share of lines that are stretched by more than 1.05. `rushed`: heard
more than 1.25 times as fast as usual, however that was got. `foreseen` is the same voice as if it cost money: asked
once, with lengths foreseen from the first half of the sentences.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import tempfile
from pathlib import Path
from typing import Any

import msgspec

from app.domain.segment import Clip, Placement, Segment
from app.dubbing import pipeline
from app.dubbing.casting import VoiceChoice
from app.dubbing.context import Context
from app.dubbing.pace import spoken_to_fit
from app.dubbing.synthesize import synthesize
from app.speech.ports import CostUnit
from app.speech.registry import build_registry
from app.storage.blobs import FolderBlobs
from app.storage.workspace import Workspace
from app.system.children import Limits
from bench.sentences import SENTENCES

USUAL_LETTER_S = 1 / 13.0
STRETCHED, RUSHED = 1.05, 1.25


def lines_of(texts: list[str], seed: int) -> tuple[list[Segment], float]:
    """The texts in slots, and the length of the video."""
    chance, at_s, lines = random.Random(seed), 0.5, list[Segment]()
    for number, text in enumerate(texts):
        letters = sum(c.isalnum() for c in text)
        slot_s = letters * USUAL_LETTER_S * chance.uniform(0.75, 1.15)
        lines.append(Segment(f"{number}", at_s, at_s + slot_s, text, text, "", False, ()))
        at_s += slot_s + chance.uniform(0.1, 0.8)
    return lines, at_s + 1.0


def context_of(folder: Path, models: Path, threads: int) -> Context:
    engines = build_registry(models=models, threads=threads, voice_downloads=False)
    return Context(
        FolderBlobs(folder / "blobs"), Workspace(folder / "work"), folder / "cache", engines, threads, Limits(), 1e5
    )


def shown(name: str, clips: tuple[Clip, ...], placed: tuple[Placement, ...], more: str = "") -> str:
    stretched = sum(each.rate > STRETCHED for each in placed)
    rushed = sum(each.rate * each.pace > RUSHED for each in placed)
    asked = sum(each.pace != 1 for each in clips)
    mean = sum(abs(each.rate - 1) for each in placed) / len(placed)
    count = len(placed)
    return f"  {name:12}{stretched / count:10.0%}{rushed / count:9.0%}{mean:12.3f}{asked:12}{more}"


async def measure(asked: argparse.Namespace, context: Context, voice: str, language: str) -> None:
    texts = [text.replace(" |", "") for text in SENTENCES.get(language, SENTENCES["en"])][: asked.sentences]
    lines, duration_s = lines_of(texts, asked.seed)
    choice = VoiceChoice(voice, "", 1.0, language)
    quiet: dict[str, Any] = {"on_clip": lambda _: None, "report": lambda *_: None}
    speeds = {line.id: 1.0 for line in lines}
    print(f"{voice}, {len(lines)} lines")
    clips = await synthesize(context, lines, choice, **quiet)
    print(shown("stretched", clips, await pipeline.fit(context, lines, clips, speeds, duration_s)))
    clips = await spoken_to_fit(context, lines, choice, duration_s, **quiet)
    print(shown("asked", clips, await pipeline.fit(context, lines, clips, speeds, duration_s)))
    with tempfile.TemporaryDirectory(prefix="pace") as folder:
        fresh = msgspec.structs.replace(
            context, blobs=FolderBlobs(Path(folder) / "blobs"), cache=Path(folder) / "cache"
        )
        engine: Any = context.engines.voice(voice)[0]
        half = len(lines) // 2
        await spoken_to_fit(fresh, lines[:half], choice, duration_s, **quiet)
        engine.cost_unit = CostUnit("credit", None)
        try:
            rest = lines[half:] if half else lines
            clips = await spoken_to_fit(fresh, rest, choice, duration_s, **quiet)
            placed = await pipeline.fit(fresh, rest, clips, speeds, duration_s)
        finally:
            engine.cost_unit = None
        print(shown("foreseen", clips, placed, f"   ({len(rest)} lines)"), flush=True)


async def run(asked: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(prefix="pace") as folder:
        context = context_of(Path(folder), asked.models, asked.threads)
        known = {f"{voice.engine}:{voice.id}": voice.language or "en" for voice in await context.engines.all_voices()}
        print(f"  {'':12}{'stretched':>10}{'rushed':>9}{'mean':>12}{'asked for':>12}")
        for voice in asked.voices:
            await measure(asked, context, voice, known.get(voice, "en"))
        for engine in context.engines.voices.values():
            await engine.close()


def smallest(folder: Path) -> list[str]:
    """The arguments of its smallest run."""
    return ["--models", str(folder), "--voices", "espeak:en", "--sentences", "4"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=Path("data/models"), help="the models folder")
    parser.add_argument("--voices", nargs="+", default=["neural:af_heart", "neural:en_US-joe-medium", "espeak:en"])
    parser.add_argument("--sentences", type=int, default=99, help="how many of each language")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--threads", type=int, default=2)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
