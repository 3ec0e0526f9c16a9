"""How much the dub speaks when the original does: each line in one piece, and phrase by phrase.

    python -m bench.alignment --models data/models --model data/models/base.pt --clips tests/fixtures/clips

The originals are sentences of `bench.sentences`, spoken by the first voice with pauses of 0.3 to 1.2 s between their
phrases, and the sound files of `--clips` (named by their language, "es_30s.flac"). Whisper writes them down with the
times of words; the second voice (the language's own, for the clips) says the same. `IoU` counts frames of 50 ms: both
speak, divided by one of them speaks. With `--brought` the generated sentences are the lines, as a subtitle file has
them: recognition cuts a line at a long pause by itself. `rushed` are lines heard more than 1.25 times as fast as usual.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import random
import re
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import soxr

from app.domain.dub_options import DubOptions, changed
from app.domain.errors import DubError
from app.domain.media import AudioStream, MediaInfo
from app.domain.segment import Clip, Placement, Segment
from app.dubbing import pipeline
from app.dubbing.casting import VoiceChoice
from app.dubbing.context import Context
from app.dubbing.mixing.clip import read_wav
from app.dubbing.pace import spoken_to_fit
from app.dubbing.timing.phrases import speech_spans
from app.dubbing.transcribe import transcribe
from app.media.decode import audio_blocks
from app.speech.ports import SpeechRequest
from app.speech.registry import build_registry
from app.storage.blobs import FolderBlobs
from app.storage.workspace import Workspace
from app.system.children import Limits
from bench.recognition import smallest as smallest_recognition
from bench.recognition import write
from bench.sentences import SENTENCES
from bench.voices import audible

FRAME_S: Final = 0.05
RATE_HZ: Final = 16_000
RUSHED: Final = 1.25
OF_LANGUAGE: Final = {"en": "am_michael", "es": "em_alex", "fr": "ff_siwis"}

Sound = np.ndarray[Any, np.dtype[np.float32]]


async def generated(context: Context, voice: str, number: int) -> tuple[Sound, list[Segment]]:
    """Two sentences with pauses between their phrases, 16 kHz, and each sentence as a line."""
    engine, voice_id = context.engines.voice(voice)
    chance, texts = random.Random(number), SENTENCES["en"]
    parts: list[Sound] = [np.zeros(RATE_HZ // 2, np.float32)]
    lines: list[Segment] = []
    for text in (texts[number % len(texts)], texts[(number + 3) % len(texts)]):
        start_n = sum(map(len, parts))
        for phrase in re.split(r"(?<=[,;:])\s+|\|\s*", text):
            spoken = await engine.speak(SpeechRequest(voice_id, "", phrase.strip(), "en", 1.0, "", "", None))
            parts.append(np.asarray(soxr.resample(audible(spoken), spoken.sample_rate_hz, RATE_HZ), np.float32))
            parts.append(np.zeros(round(chance.uniform(0.3, 1.2) * RATE_HZ), np.float32))
        end_n, said = sum(map(len, parts[:-1])), text.replace("| ", "")
        parts.append(np.zeros(RATE_HZ // 2, np.float32))
        lines.append(Segment(said[:20], start_n / RATE_HZ, end_n / RATE_HZ, said, said, "", False, ()))
    return np.concatenate(parts), lines


def recorded(path: Path) -> Sound:
    sound = np.concatenate([block[:, :2].mean(axis=1) for block in audio_blocks(path, 0)])
    return np.asarray(soxr.resample(sound, 48_000, RATE_HZ), np.float32)


def frames_of(spans: Sequence[tuple[float, float]], count: int) -> np.ndarray[Any, np.dtype[np.bool_]]:
    active = np.zeros(count, np.bool_)
    for start_s, end_s in spans:
        active[max(0, round(start_s / FRAME_S)) : max(0, round(end_s / FRAME_S))] = True
    return active


def heard(context: Context, clips: Sequence[Clip], placed: Sequence[Placement]) -> list[tuple[float, float]]:
    """Where the dub speaks."""
    keys = {clip.segment_id: pipeline.sound_of(clip) for clip in clips}
    spans = []
    for line in placed:
        with context.blobs.local_copy(keys[line.segment_id]) as path:
            samples, rate_hz = read_wav(path)
        for piece in line.phrases or (line,):
            first_n = round(piece.trim_start_s * rate_hz)
            kept = samples[first_n : len(samples) - round(piece.trim_end_s * rate_hz)]
            found = speech_spans(kept.astype(np.float64), rate_hz, pause_s=FRAME_S)
            spans += [(piece.start_s + a / line.rate, piece.start_s + b / line.rate) for a, b in found]
    return spans


async def lines_of(context: Context, asked: argparse.Namespace, speech: Path, language: str, s: float) -> list[Segment]:
    options = changed(DubOptions(), recognizer="faster-whisper", model=str(asked.model), language=language)
    info = MediaInfo("wav", s, 0.0, 1, None, (AudioStream(0, 0, "pcm_s16le", RATE_HZ, 1, None, None),))
    found: list[Segment] = []
    with contextlib.suppress(DubError):  # no speech was found: no lines
        await transcribe(
            context,
            speech,
            options,
            s,
            language=language,
            resume_at_s=0.0,
            on_chunk=lambda chunk: found.extend(chunk.segments),
            report=lambda *_: None,
            info=info,
        )
    return found


async def measure(
    context: Context,
    asked: argparse.Namespace,
    name: str,
    sound: Sound,
    voice: str,
    language: str,
    brought: list[Segment] | None = None,
) -> tuple[float, float, int, int]:
    duration_s = len(sound) / RATE_HZ
    with tempfile.TemporaryDirectory(prefix="align") as folder:
        path = write(Path(folder) / "speech.wav", sound)
        context.blobs.put(f"ingest/{name}.wav", path.read_bytes())
        lines = brought or await lines_of(context, asked, path, language, duration_s)
    if not lines:
        print(f"{name:14}{0:6}")
        return 0.0, 0.0, 0, 0
    choice = VoiceChoice(voice, "", 1.0, language)
    clips = await spoken_to_fit(context, lines, choice, duration_s, on_clip=lambda _: None, report=lambda *_: None)
    speeds = {line.id: 1.0 for line in lines}
    before = await pipeline.fit(context, lines, clips, speeds, duration_s)
    after = await pipeline.fit(context, lines, clips, speeds, duration_s, speech=f"ingest/{name}.wav")
    count = int(duration_s / FRAME_S) + 1
    original = frames_of(speech_spans(sound.astype(np.float64), RATE_HZ, pause_s=FRAME_S), count)
    ious = []
    for placed in (before, after):
        dub = frames_of(heard(context, clips, placed), count)
        ious.append(float((dub & original).sum() / max((dub | original).sum(), 1)))
    rushed = [sum(line.rate * line.pace > RUSHED for line in placed) for placed in (before, after)]
    parted = sum(bool(line.phrases) for line in after)
    cells = f"{len(lines):6}{parted:8}{ious[0]:9.2f}{ious[1]:8.2f}{rushed[0]:9}{rushed[1]:8}"
    print(f"{name:14}{cells}", flush=True)
    return ious[0], ious[1], rushed[0], rushed[1]


async def run(asked: argparse.Namespace) -> None:
    with tempfile.TemporaryDirectory(prefix="align") as folder:
        engines = build_registry(
            models=asked.models, model=str(asked.model), model_paths=True, threads=asked.threads, device="cpu"
        )
        root = Path(folder)
        blobs, work = FolderBlobs(root / "blobs"), Workspace(root / "work")
        context = Context(blobs, work, root / "cache", engines, asked.threads, Limits(), 1e5)
        print(f"{'':14}{'lines':>6}{'parted':>8}{'IoU':>9}{'phrased':>8}{'rushed':>9}{'phrased':>8}")
        tables: dict[str, list[tuple[float, float, int, int]]] = {"generated": [], "clips": []}
        for number in range(asked.generated):
            sound, lines = await generated(context, asked.voices[0], number)
            name = f"generated_{number + 1}"
            tables["generated"].append(
                await measure(context, asked, name, sound, asked.voices[1], "en", lines if asked.brought else None)
            )
        for path in sorted(asked.clips.glob("*.flac")) if asked.clips else ():
            language = path.name[:2]
            voice = f"neural:{OF_LANGUAGE[language]}"
            tables["clips"].append(await measure(context, asked, path.stem, recorded(path), voice, language))
        for name, rows in tables.items():
            if rows:
                mean = np.mean([row[:2] for row in rows], axis=0)
                worse = sum(row[3] for row in rows) - sum(row[2] for row in rows)
                print(f"{name}: IoU {mean[0]:.3f} -> {mean[1]:.3f}, rushed lines {worse:+d}")
        for engine in engines.voices.values():
            await engine.close()


def smallest(folder: Path) -> list[str]:
    """The arguments of its smallest run: with the checkpoint of the tests."""
    return [*smallest_recognition(folder)[:4], "--voices", "espeak:en", "espeak:en", "--generated", "1"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=Path, default=Path("data/models"), help="the models folder")
    parser.add_argument("--model", default="base", help="a Whisper model, or the path of a checkpoint")
    parser.add_argument("--voices", nargs=2, default=["neural:af_heart", "neural:am_michael"])
    parser.add_argument("--generated", type=int, default=10, help="how many originals are made")
    parser.add_argument("--brought", action="store_true", help="whole sentences as lines, as subtitles have them")
    parser.add_argument("--clips", type=Path, help="a folder of recordings")
    parser.add_argument("--threads", type=int, default=2)
    asyncio.run(run(parser.parse_args()))


if __name__ == "__main__":
    main()
