"""How long a dub takes from end to end, against its slowest part: a job without review, engines of known costs.

    python -m bench.pipeline --minutes 30 --slowest 450

The recogniser hands over 30 s of speech at a time, the translator takes 25 lines a request, the voice speaks four lines
at once and is paid for; each waits as long as its cost says. Everything else is real: decoding, fit, mix, files. Each
part is the slowest once, the others cost 60 and 40 % of it. `to the last word` is from the beginning of recognition to
the last line that is spoken; `whole` has decoding, mix and files, too, which cost this machine what they cost. `same`:
each line was translated and spoken once, in as few requests as the stages need. `--in-order` is without working ahead.
"""

from __future__ import annotations

import argparse
import asyncio
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from app.domain.dub_options import DubOptions, changed
from app.domain.stages import STAGES
from app.dubbing.context import Context
from app.jobs.events import Hub
from app.jobs.memory_store import JOB_ID, MemoryStore, NoKeys
from app.jobs.stage_hooks import InnerHooks, StageRun, run_stage
from app.jobs.stages import StageWork
from app.media.ffmpeg import tool
from app.speech.ports import SpeedLimits
from app.speech.registry import Registry
from app.storage.blobs import FolderBlobs
from app.storage.workspace import Workspace
from app.system.children import Limits
from tests.doubles.paced import Recogniser, Talker, Translator, after, lines

LINE_S = 3.0
CHUNK, BATCH, WIDTH = 10, 25, 4
PARTS = ("recognition", "translation", "speech")
SPOKEN = ("transcribe", "speakers", "translate", "synthesize")
MOST = 1.15
SHARES = (1.0, 0.6, 0.4)
WIDE = SpeedLimits(0.7, 1.2)
OPTIONS = {
    "recognizer": "paced",
    "voice": "paced:a",
    "translator": "paced",
    "language": "en",
    "target_language": "es",
    "review": False,
    "background": "duck",
}


def film(path: Path, seconds: float) -> Path:
    """A small picture with a quiet sound."""
    picture = ["-f", "lavfi", "-i", f"color=size=64x48:rate=5:duration={seconds}"]
    sound = ["-f", "lavfi", "-i", f"anoisesrc=amplitude=0.1:duration={seconds}"]
    codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-shortest"]
    subprocess.run([tool(), "-v", "error", "-y", *picture, *sound, *codecs, path], check=True)
    return path


async def dub(folder: Path, source: Path, seconds: float, costs_s: dict[str, float], *, ahead: bool) -> dict[str, Any]:
    """One job from its file to its video; how long it took, and what was asked."""
    found = lines(int(seconds / LINE_S), LINE_S)
    chunks, batches = -(-len(found) // CHUNK), -(-len(found) // BATCH)
    recogniser = Recogniser(found, chunk=CHUNK, wait=after(costs_s["recognition"] / chunks))
    translator = Translator(most_lines=BATCH, wait=after(costs_s["translation"] / batches))
    voice = Talker(width=WIDTH, wait=after(costs_s["speech"] * WIDTH / len(found)), speeds=WIDE)
    blobs = FolderBlobs(folder / "blobs")
    (folder / "blobs" / "uploads").mkdir(parents=True)
    (folder / "blobs" / "uploads" / "input").symlink_to(source)
    context = Context(
        blobs,
        Workspace(folder / "scratch"),
        folder / "cache",
        Registry((recogniser,), (voice,), (translator,)),
        2,
        Limits(),
        36_000.0,
        ahead=ahead,
    )
    store = MemoryStore(
        changed(DubOptions(), **OPTIONS), title="film", source_key="uploads/input", subtitles_key=None, stem_key=None
    )
    inner = InnerHooks(store, StageWork(store=store, keys=NoKeys(), context=context, hub=Hub()))
    took: dict[str, float] = {}

    async def read(run: StageRun, go: Any) -> None:
        run.row, began_s = store.row(JOB_ID), time.monotonic()
        await go()
        took[run.stage.name] = time.monotonic() - began_s

    began_s = time.monotonic()
    for stage in STAGES:
        await run_stage(StageRun(stage, JOB_ID), (read, inner.named, inner.worked, inner.recorded))
    whole_s = time.monotonic() - began_s
    return {"whole_s": whole_s, "requests": len(translator.asked), "lines": sorted(voice.said), "stages": took}


def scenario(slowest: str, slowest_s: float) -> dict[str, float]:
    others = [part for part in PARTS if part != slowest]
    return {part: share * slowest_s for part, share in zip((slowest, *others), SHARES, strict=True)}


async def measure(seconds: float, slowest_s: float, parts: Sequence[str], *, in_order: bool) -> bool:
    """Print the table; whether every ratio is small enough, and each line was asked for once."""
    head = ("recognition", "translation", "speech", "sum", "to the last word", "ratio", "whole", "ratio", "same")
    print("| slowest part | " + " | ".join(head) + " |")
    print("|---" * (len(head) + 1) + "|")
    good = True
    with tempfile.TemporaryDirectory() as scratch:
        source = await asyncio.to_thread(film, Path(scratch) / "film.mp4", seconds)
        for part in parts:
            costs_s = scenario(part, slowest_s)
            done = await dub(Path(scratch) / part, source, seconds, costs_s, ahead=not in_order)
            spoken_s = sum(done["stages"][name] for name in SPOKEN)
            ratio, count = spoken_s / slowest_s, int(seconds / LINE_S)
            same = done["requests"] == -(-count // BATCH) and len(set(done["lines"])) == len(done["lines"]) == count
            good = good and same and ratio <= MOST
            numbers = [*(costs_s[each] for each in PARTS), sum(costs_s.values()), spoken_s]
            cells = [*(f"{number:.1f} s" for number in numbers), f"{ratio:.2f}"]
            whole_s = done["whole_s"]
            cells += [f"{whole_s:.1f} s", f"{whole_s / slowest_s:.2f}", "yes" if same else "NO"]
            print(f"| {part} | " + " | ".join(cells) + " |", flush=True)
            stages = ", ".join(f"{name} {s:.1f}" for name, s in done["stages"].items() if s >= 0.1)
            print(f"  stages: {stages}", flush=True)
    return good


def smallest(folder: Path) -> list[str]:
    return ["--minutes", "1.5", "--slowest", "1", "--part", "speech"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=30.0, help="length of the film")
    parser.add_argument("--slowest", type=float, default=450.0, metavar="S", help="what the slowest part costs")
    parser.add_argument("--part", choices=PARTS, action="append", help="only with this one as the slowest")
    parser.add_argument("--in-order", action="store_true", help="one stage after the other")
    arguments = parser.parse_args()
    good = asyncio.run(
        measure(arguments.minutes * 60, arguments.slowest, arguments.part or PARTS, in_order=arguments.in_order)
    )
    print(f"to the last word: every ratio is at most {MOST}" if good else f"a ratio is above {MOST}")


if __name__ == "__main__":
    main()
