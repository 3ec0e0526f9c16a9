"""`autodubber dub`: the pipeline on one file, with no server, no database and nothing left behind but the results.

Spoken clips stay in `DATA/cli/clips`, so that a line that was paid for is not paid for again; everything else of a run lies in
`DATA/cli/run-*`, which goes when the run ends, however it ends (a killed one's is swept by the next).
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import fcntl
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import msgspec

from app import logs
from app.domain import errors
from app.domain.errors import DISK_FULL, DubError, Problem
from app.domain.job import MAX_SPEED, MIN_SPEED, NEUTRAL, Background, DubOptions, Stage, Task
from app.domain.media import Artifact, ArtifactKind
from app.domain.segment import Clip, Flag, Placement, Segment
from app.dub_display import Display, display
from app.exit_status import BAD_INPUT, ENGINE, ENVIRONMENT, INTERNAL, INTERRUPTED, OK, UsageError
from app.settings import Settings

if TYPE_CHECKING:
    from app.dubbing.kit import Kit
    from app.speech.ports import Recognised

CLIP_KEPT_S: Final = 30 * 24 * 3600.0

_BAD_INPUT: Final = (
    errors.FILE_EMPTY, errors.NOT_MEDIA, errors.PLAYLIST, errors.NO_AUDIO, errors.AUDIO_TRACK_MISSING, errors.MEDIA_TOO_LONG, errors.MEDIA_DAMAGED,
    errors.MEDIA_LIMIT, errors.STEM_INVALID, errors.SUBTITLES_INVALID, errors.SUBTITLES_EMPTY, errors.TEXT_TOO_LONG, errors.TEXT_INVALID,
    errors.TIMES_INVALID, errors.NO_SPEECH, errors.NOTHING_TO_SPEAK, errors.DOES_NOT_FIT, errors.LANGUAGE_UNKNOWN, errors.SPEED_RANGE,
    errors.MODEL_UNKNOWN, errors.CANNOT_TRANSLATE, errors.CONTAINER_UNSUITABLE, errors.TRACK_LENGTH,
)  # fmt: skip
_ENGINE: Final = (
    errors.ENGINE_UNKNOWN, errors.VOICE_UNKNOWN, errors.VOICE_MODEL_UNKNOWN, errors.KEY_MISSING, errors.KEY_INVALID, errors.QUOTA_EXCEEDED,
    errors.PLAN_REQUIRED, errors.SPEECH_BUSY, errors.SPEECH_FAILED, errors.SPEECH_REFUSED,
)  # fmt: skip
_ENVIRONMENT: Final = (
    errors.DISK_FULL,
    errors.MODEL_DOWNLOAD,
    errors.MODEL_DAMAGED,
    errors.OUT_OF_MEMORY,
    errors.ENGINE_UNAVAILABLE,
    errors.MEDIA_TOOL_FAILED,
)


class Flagged(msgspec.Struct, frozen=True):
    """A line that the person should look at: spoken much faster to fit, or starting late."""

    start_s: float
    text: str
    rate: float
    flags: tuple[Flag, ...]


class Dubbed(msgspec.Struct, frozen=True):
    """What `--json` prints. `flagged` are lines the person should look at; `stages_s` is the wall time of each stage."""

    ok: bool
    input: str
    duration_s: float
    language: str | None
    lines: int
    flagged: tuple[Flagged, ...]
    cost_credits: float
    loudness_lufs: float | None
    true_peak_db: float | None
    stages_s: dict[str, float]
    outputs: dict[str, str]


def exit_status(problem: Problem) -> int:
    """The exit status of a catalogue error; see `app.exit_status`."""
    return BAD_INPUT if problem in _BAD_INPUT else ENGINE if problem in _ENGINE else ENVIRONMENT if problem in _ENVIRONMENT else INTERNAL


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Dub as the command line says; returns the exit status."""
    source: Path = arguments.input
    for path in [source] + ([arguments.subtitles] if arguments.subtitles else []):
        if not path.is_file():
            raise UsageError(f"there is no file {path}")
    if arguments.review is not None and arguments.subtitles is not None:
        raise UsageError("--review writes the lines that recognition finds; with --subtitles there is no recognition")
    if arguments.review is not None and arguments.review.exists() and arguments.review.samefile(source):
        raise UsageError("--review would overwrite the input")
    if not MIN_SPEED <= arguments.speed <= MAX_SPEED:
        raise UsageError(f"--speed is {MIN_SPEED} to {MAX_SPEED}")
    if arguments.audio_track < 0:
        raise UsageError("--audio-track counts from 0")
    logs.configure("warning", "console")
    with display(sys.stderr) as shown:
        try:
            dubbed = asyncio.run(_interruptible(_dub(arguments, settings, shown)))
        except DubError as error:
            return _failed(error, as_json=arguments.json)
        except asyncio.CancelledError:
            print("autodubber: interrupted", file=sys.stderr)
            return INTERRUPTED
    if arguments.json:
        print(msgspec.json.encode(dubbed).decode())
    else:
        for path in dubbed.outputs.values():
            print(path)
    return OK


def _failed(error: DubError, *, as_json: bool) -> int:
    if as_json:
        problem = {"code": error.problem.code, "message": error.message, "hint": error.problem.hint}
        print(msgspec.json.encode({"ok": False, "error": problem}).decode())
    print(f"autodubber: {error.message}\n  {error.problem.hint}", file=sys.stderr)
    return exit_status(error.problem)


async def _interruptible(work: Any) -> Dubbed:
    """Run to the end; SIGINT or SIGTERM cancels it, which kills the children and removes the scratch."""
    task = asyncio.ensure_future(work)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, task.cancel)
    dubbed: Dubbed = await task
    return dubbed


@contextlib.contextmanager
def run_folder(data: Path) -> Iterator[Path]:
    """A folder for one run, removed when the block ends; what killed runs left is removed first."""
    home = data / "cli"
    home.mkdir(parents=True, exist_ok=True)
    for old in home.glob("run-*"):
        with contextlib.suppress(OSError), (old / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(old)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=home))
    try:
        with (folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def kept_clips(data: Path) -> Path:
    """The folder of spoken lines that outlives a run; what nobody used for 30 days goes."""
    folder = data / "cli" / "clips"
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if time.time() - path.stat().st_mtime > CLIP_KEPT_S:
            path.unlink(missing_ok=True)
    return folder


def options_of(arguments: argparse.Namespace, settings: Settings) -> DubOptions:
    """The options as typed, the rest from the settings."""
    return DubOptions(
        language=arguments.language, task=Task(arguments.task), recognizer="subtitles" if arguments.subtitles else settings.recognizer,
        model=arguments.model or settings.model, voice=arguments.voice or settings.voice, voice_model=arguments.voice_model, speed=arguments.speed,
        background=Background(arguments.background), keep_original_track=arguments.keep_original_track, burn_subtitles=arguments.burn,
        audio_track=arguments.audio_track, review=arguments.review is not None, **NEUTRAL,
    )  # fmt: skip


async def _dub(arguments: argparse.Namespace, settings: Settings, shown: Display) -> Dubbed:
    from app.engines import engines_of, limits_of

    options = options_of(arguments, settings)
    with run_folder(settings.data) as folder:
        from app.dubbing.kit import Kit
        from app.storage.blobs import BlobStore
        from app.storage.workspace import Workspace

        blobs = BlobStore(folder / "blobs")
        (blobs.root / "clips").symlink_to(kept_clips(settings.data).resolve())
        if blobs.free_bytes() < settings.min_free_bytes:
            raise DubError(
                DISK_FULL,
                f"{blobs.free_bytes() >> 20} MB are free in {settings.data}; AUTODUBBER_MIN_FREE_BYTES asks for {settings.min_free_bytes >> 20}.",
            )
        engines = engines_of(settings)
        try:
            kit = Kit(
                blobs=blobs, workspace=Workspace(folder / "scratch"), cache=folder / "cache", engines=engines, threads=settings.thread_count,
                limits=limits_of(settings), max_duration_s=settings.max_duration_s,
            )  # fmt: skip
            return await _stages(kit, arguments, options, shown, folder / "cache")
        finally:
            await engines.close()


async def _stages(kit: Kit, arguments: argparse.Namespace, options: DubOptions, shown: Display, cache: Path) -> Dubbed:
    from app.dubbing import pipeline
    from app.dubbing.finish import cues_for, finish
    from app.dubbing.subtitles import write_srt
    from app.dubbing.synthesize import VoiceChoice, synthesize
    from app.dubbing.transcribe import from_subtitles, transcribe
    from app.speech.ports import SpeechRequest

    source: Path = arguments.input.resolve()
    with shown.stage(Stage.PROBE):
        brought = arguments.subtitles.read_bytes() if arguments.subtitles else None
        info = await pipeline.probe(kit, source, options, has_subtitles=brought is not None)
    if not arguments.review:  # a voice that cannot speak is told now, not after an hour of recognition
        voice, voice_id = kit.engines.voice(options.voice)
        language = pipeline.spoken_language(options, None)
        await voice.check(SpeechRequest(voice_id, options.voice_model, "a", language, options.speed, "", "", None))
    with shown.stage(Stage.INGEST) as report:
        sound = await pipeline.ingest(kit, source, "cli", info, options, report)
    language = options.language
    with shown.stage(Stage.TRANSCRIBE) as report:
        if brought is not None:
            segments = from_subtitles(brought, sound.duration_s)
        else:
            found: list[Segment] = []

            def on_chunk(chunk: Recognised) -> None:
                found.extend(chunk.segments)

            language = await transcribe(
                kit, kit.blobs.path(sound.speech), options, sound.duration_s, language=None, resume_at_s=0.0, on_chunk=on_chunk, report=report
            )
            segments = tuple(sorted(found, key=lambda segment: segment.start_s))
    if not segments:
        raise DubError(errors.NO_SPEECH)
    if arguments.review:
        arguments.review.write_text(write_srt(cues_for(segments, ())), encoding="utf-8")
        return _result(arguments, sound.duration_s, language, segments, (), (), None, None, shown, {"review": str(arguments.review)})
    choice = VoiceChoice(options.voice, options.voice_model, options.speed, pipeline.spoken_language(options, language))
    with shown.stage(Stage.SYNTHESIZE) as report:
        clips = await synthesize(kit, segments, choice, on_clip=lambda _: None, report=report)
    with shown.stage(Stage.FIT):
        placements = await pipeline.fit(kit, segments, clips, options, sound.duration_s)
    with shown.stage(Stage.MIX) as report:
        mixed = await pipeline.mix(kit, source, "cli", info, sound, segments, clips, placements, options, cache, report)
    with shown.stage(Stage.MUX) as report:
        finished = await finish(kit, source, info, sound, kit.blobs.path(mixed.track.key), segments, placements, options, language, report)
    inputs = [source] + ([arguments.subtitles.resolve()] if arguments.subtitles else [])
    outputs = hand_over(kit, [*finished.artifacts, mixed.audio], source.stem, arguments.output or source.parent, inputs)
    return _result(arguments, sound.duration_s, language, segments, clips, placements, mixed.loudness_lufs, mixed.true_peak_db, shown, outputs)


def hand_over(kit: Kit, artifacts: Sequence[Artifact], stem: str, folder: Path, inputs: Sequence[Path]) -> dict[str, str]:
    """Put the results into `folder` as STEM.dub.EXTENSION, replacing earlier results, but never one of the inputs: then STEM.dub-2.EXTENSION."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise UsageError(f"{folder} is a file, not a folder") from None
    taken = {path.resolve() for path in inputs}
    number = 1
    while True:
        name = f"{stem}.dub" if number == 1 else f"{stem}.dub-{number}"
        targets = {artifact.kind: (folder / f"{name}.{artifact.extension}").resolve() for artifact in artifacts}
        if not taken & set(targets.values()):
            break
        number += 1
    for artifact in artifacts:
        target = targets[artifact.kind]
        partial = target.with_name(f".{target.name}.part")
        try:
            shutil.copyfile(kit.blobs.path(artifact.key), partial)
            partial.replace(target)
        except OSError as error:
            if error.errno in (28, 122):  # ENOSPC, EDQUOT
                raise DubError(DISK_FULL, str(folder)) from error
            raise
        finally:
            partial.unlink(missing_ok=True)
    order = list(ArtifactKind)
    return {kind.value: str(targets[kind]) for kind in sorted(targets, key=order.index)}


def _result(
    arguments: argparse.Namespace, duration_s: float, language: str | None, segments: Sequence[Segment], clips: Sequence[Clip],
    placements: Sequence[Placement], loudness_lufs: float | None, true_peak_db: float | None, shown: Display, outputs: dict[str, str],
) -> Dubbed:  # fmt: skip
    texts = {segment.id: segment for segment in segments}
    flagged = tuple(Flagged(texts[p.segment_id].start_s, texts[p.segment_id].text, round(p.rate, 3), p.flags) for p in placements if p.flags)
    for line in flagged:
        shown.note(f"{line.start_s:.1f} s: {', '.join(line.flags)}: {line.text}")
    credits = sum(clip.cost_credits for clip in clips)
    return Dubbed(
        True,
        str(arguments.input),
        round(duration_s, 3),
        language,
        len(segments),
        flagged,
        credits,
        loudness_lufs,
        true_peak_db,
        shown.stages_s(),
        outputs,
    )
