"""`autodubber dub`: runs the pipeline on one file, without a server or a database. Only the results remain.

Spoken clips stay in `DATA/cli/clips`, so that a line is paid for once. Everything else of a run is in `DATA/cli/run-*`, which is deleted when the run
ends; after a kill, by the next run.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from app.cli.dub_files import hand_over, kept_clips, longest_name, run_folder
from app.cli.dub_progress import Display, display
from app.cli.failures import failed, interrupted, interruptible
from app.config.settings import Settings
from app.domain.errors import DISK_FULL, DubError
from app.domain.job import NEUTRAL, Background, DubOptions, Stage, Task
from app.domain.media import MediaInfo
from app.domain.report import Report
from app.domain.segment import Clip, Flag, Segment
from app.observability import logs
from app.system import file_modes
from app.system.console import say_json, say_path
from app.system.exit_status import OK, UsageError, track_of

if TYPE_CHECKING:
    from app.dubbing.context import Kit
    from app.speech.ports import Recognised

# Arguments whose name differs from that of their option.
OPTION_OF: Final = {
    "duck_db": "--duck-db",
    "duck_attack_s": "--duck-attack",
    "duck_hold_s": "--duck-hold",
    "duck_release_s": "--duck-release",
    "keep_db": "--keep-db",
    "loudness_lufs": "--loudness",
}


class Flagged(msgspec.Struct, frozen=True):
    """A line that the person should look at: spoken much faster to fit, or starting late."""

    start_s: float
    text: str
    rate: float
    flags: tuple[Flag, ...]


class Dubbed(msgspec.Struct, frozen=True):
    """What `--json` prints. `audio_track` was heard, of those that `audio_tracks` names.
    `flagged` are lines that the fit could not place well; `stages_s` is the wall time of each stage; `report` is
    None where nothing was rendered (`--review`).
    """

    ok: bool
    input: str
    duration_s: float
    language: str | None
    audio_track: int | None
    audio_tracks: tuple[str, ...]
    lines: int
    flagged: tuple[Flagged, ...]
    cost_credits: float
    loudness_lufs: float | None
    true_peak_db: float | None
    stages_s: dict[str, float]
    outputs: dict[str, str]
    report: Report | None


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Dub the file; returns the exit status."""
    source: Path = arguments.input
    for path in inputs_of(arguments):
        if not path.is_file():
            raise UsageError(f"there is no file {path}")
    if arguments.review is not None and arguments.subtitles is not None:
        raise UsageError("--review writes the lines that recognition finds; with --subtitles there is no recognition")
    if arguments.review is not None:
        _check_review(arguments.review)
    if arguments.review is not None and arguments.review.exists() and arguments.review.samefile(source):
        raise UsageError("--review would overwrite the input")
    track_of(arguments.audio_track)
    options = options_of(arguments, settings)
    _check_speed(options, settings)
    logs.configure("warning", "console")
    with display(sys.stderr) as shown:
        try:
            dubbed = asyncio.run(interruptible(_dub(arguments, options, settings, shown)))
        except DubError as error:
            return failed(error, as_json=arguments.json)
        except asyncio.CancelledError:
            return interrupted()
    if arguments.json:
        say_json(dubbed)
        return OK
    if dubbed.report is not None:
        from app.cli import dub_report
        from app.dubbing.report import needs_a_look

        dub_report.show(dubbed.report, needs_a_look, sys.stderr)
    for result in dubbed.outputs.values():
        say_path(result)
    return OK


def _check_review(path: Path) -> None:
    """Refuse a file that could not be written, before recognition starts."""
    folder = path.absolute().parent
    if not folder.is_dir():
        raise UsageError(f"--review: there is no folder {folder}")
    if len(os.fsencode(path.name)) > longest_name(folder):
        raise UsageError(f"--review: the name is longer than the {longest_name(folder)} bytes that its folder takes")


def _check_speed(options: DubOptions, settings: Settings) -> None:
    """Refuse a speed outside the limits of the voice's engine. An unknown engine is reported with the other options."""
    from app.server.engines import engines_of
    from app.speech.registry import engine_of

    engine = engine_of(options.voice)
    voice = engines_of(settings).voices.get(engine)
    if voice is not None and not voice.speeds.allow(options.speed):
        raise UsageError(f"--speed is {voice.speeds.min:g} to {voice.speeds.max:g} with {engine}")


def inputs_of(arguments: argparse.Namespace) -> list[Path]:
    """Every input file: none of them is ever overwritten."""
    return [path for path in (arguments.input, arguments.subtitles, arguments.stem) if path is not None]


def options_of(arguments: argparse.Namespace, settings: Settings) -> DubOptions:
    """The options from the arguments, else from the settings. Raises UsageError for a value out of range."""
    from app.jobs.options import patched
    from app.jobs.schemas import OptionsPatch

    typed = {name: getattr(arguments, name) for name in NEUTRAL if getattr(arguments, name) is not None}
    if "loudness_lufs" in typed:
        typed["loudness_lufs"] = _loudness(typed["loudness_lufs"])
    try:
        patch = msgspec.convert(typed, OptionsPatch)
    except msgspec.ValidationError as error:
        what, _, where = str(error).partition(" - at `$.")
        raise UsageError(f"{OPTION_OF.get(where.rstrip('`'), where)}: {what}") from None
    options = DubOptions(
        language=arguments.language, task=Task(arguments.task), recognizer="subtitles" if arguments.subtitles else settings.recognizer,
        model=arguments.model or settings.model, voice=arguments.voice or settings.voice, voice_model=arguments.voice_model, speed=arguments.speed,
        background=Background(arguments.background), keep_original_track=arguments.keep_original_track, burn_subtitles=arguments.burn,
        audio_track=track_of(arguments.audio_track), review=arguments.review is not None, **NEUTRAL,
    )  # fmt: skip
    return patched(options, patch)


def _loudness(text: str) -> float | None:
    try:
        return None if text == "off" else float(text)
    except ValueError:
        raise UsageError("--loudness is a number of LUFS, or off") from None


async def _dub(arguments: argparse.Namespace, options: DubOptions, settings: Settings, shown: Display) -> Dubbed:
    from app.jobs import options as job_options
    from app.server.engines import engines_of, limits_of

    with run_folder(settings.data) as folder:
        from app.dubbing.context import Kit
        from app.storage.blobs import BlobStore
        from app.storage.disk_floors import Disks
        from app.storage.workspace import Workspace

        blobs = BlobStore(folder / "blobs")
        for kind in ("clips", "answers"):
            (blobs.root / kind).symlink_to(kept_clips(settings.data).resolve())
        if blobs.free_bytes() < settings.min_free_bytes:
            raise DubError(
                DISK_FULL,
                f"{blobs.free_bytes() >> 20} MB are free in {settings.data}; AUTODUBBER_MIN_FREE_BYTES asks for {settings.min_free_bytes >> 20}.",
            )
        disks = Disks.of(settings.data, settings.min_free_bytes)
        engines = engines_of(settings, model_paths=True, disks=disks)
        try:
            job_options.check(options, engines)
            kit = Kit(
                blobs=blobs, workspace=Workspace(folder / "scratch"), cache=folder / "cache", engines=engines, threads=settings.thread_count,
                limits=limits_of(settings), max_duration_s=settings.max_duration_s, disks=disks,
            )  # fmt: skip
            return await _stages(kit, arguments, options, shown, folder / "cache")
        finally:
            await engines.close()


async def _stages(kit: Kit, arguments: argparse.Namespace, options: DubOptions, shown: Display, cache: Path) -> Dubbed:
    from app.dubbing import audio_tracks as sound_tracks
    from app.dubbing import pipeline
    from app.dubbing.finish import cues_for, finish
    from app.dubbing.report import keep_report, report_of
    from app.dubbing.subtitles.srt_vtt import write_srt
    from app.dubbing.synthesize import VoiceChoice, synthesize
    from app.dubbing.transcribe import from_subtitles, no_speech, transcribe
    from app.speech.ports import SpeechRequest

    source: Path = arguments.input.resolve()
    with shown.stage(Stage.PROBE):
        brought = arguments.subtitles.read_bytes() if arguments.subtitles else None
        info = await pipeline.probe(kit, source, options, has_subtitles=brought is not None)
        told = [f"{'*' if stream.track == sound_tracks.heard(info, options) else ' '} {sound_tracks.named(stream)}" for stream in info.audio]
        stem = arguments.stem.resolve() if arguments.stem else None
        if stem is not None:
            await pipeline.check_stem(kit, stem)
    if info.incomplete:
        shown.note(f"the file is incomplete and is dubbed as far as it goes: {info.incomplete}")
    if len(told) > 1:
        shown.note("audio tracks (* is heard; --audio-track N takes another):", *told)
    if not arguments.review:  # report a voice that cannot speak now, not after an hour of recognition
        voice, voice_id = kit.engines.voice(options.voice)
        language = pipeline.spoken_language(options, None)
        await voice.check(SpeechRequest(voice_id, options.voice_model, "a", language, options.speed, "", "", None))
    with shown.stage(Stage.INGEST) as report:
        sound = await pipeline.ingest(kit, source, "cli", info, options, report)
        info = pipeline.after_ingest(info, sound)
        pipeline.check_media(info, options)
    language, joined, subtitles = options.language, None, None
    with shown.stage(Stage.TRANSCRIBE) as report:
        if brought is not None:
            lines = await asyncio.to_thread(from_subtitles, brought, sound.duration_s, options)
            segments, joined, subtitles = lines.segments, lines.joined, lines.subtitles
        else:
            found: list[Segment] = []

            def on_chunk(chunk: Recognised) -> None:
                found.extend(chunk.segments)

            language = await transcribe(
                kit, kit.blobs.path(sound.speech), options, sound.duration_s, language=None, resume_at_s=0.0, on_chunk=on_chunk, report=report,
                info=info,
            )  # fmt: skip
            segments = tuple(sorted(found, key=lambda segment: segment.start_s))
    if not segments:
        raise no_speech(info, options)
    if arguments.review:
        with file_modes.as_the_person():
            arguments.review.write_text(write_srt(cues_for(segments, ())), encoding="utf-8")
        return _result(arguments, info, options, sound.duration_s, language, segments, (), None, shown, {"review": str(arguments.review)})
    choice = VoiceChoice(options.voice, options.voice_model, options.speed, pipeline.spoken_language(options, language))
    with shown.stage(Stage.SYNTHESIZE) as report:
        clips = await synthesize(kit, segments, choice, on_clip=lambda _: None, report=report)
    with shown.stage(Stage.FIT):
        placements = await pipeline.fit(kit, segments, clips, options, sound.duration_s)
    with shown.stage(Stage.MIX) as report:
        mixed = await pipeline.mix(
            kit, source, "cli", info, sound, segments, clips, placements, options, cache, report, stem=stem, stem_id="cli" if stem else ""
        )
    with shown.stage(Stage.MUX) as report:
        finished = await finish(kit, source, info, sound, kit.blobs.path(mixed.track.key), segments, placements, options, language, report)
    result = report_of(segments, placements, mixed, finished, options, sound.duration_s, joined, subtitles)
    artifacts = [*finished.artifacts, mixed.audio, await keep_report(kit, result)]
    outputs = hand_over(kit, artifacts, source.stem, arguments.output or source.parent, inputs_of(arguments))
    return _result(arguments, info, options, sound.duration_s, language, segments, clips, result, shown, outputs)


def _result(
    arguments: argparse.Namespace, info: MediaInfo, options: DubOptions, duration_s: float, language: str | None, segments: Sequence[Segment],
    clips: Sequence[Clip], report: Report | None, shown: Display, outputs: dict[str, str],
) -> Dubbed:  # fmt: skip
    from app.dubbing import audio_tracks as sound_tracks

    lines = report.lines if report else ()
    return Dubbed(
        ok=True, input=str(arguments.input), duration_s=round(duration_s, 3), language=language,
        audio_track=sound_tracks.heard(info, options) if info.audio else None, audio_tracks=tuple(map(sound_tracks.named, info.audio)),
        lines=len(segments),
        flagged=tuple(Flagged(line.start_s, line.text, round(line.rate, 3), line.flags) for line in lines if line.flags),
        cost_credits=sum(clip.cost_credits for clip in clips), loudness_lufs=report.loudness_lufs if report else None,
        true_peak_db=report.true_peak_db if report else None, stages_s=shown.stages_s(), outputs=outputs, report=report,
    )  # fmt: skip
