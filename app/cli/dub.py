"""`autodubber dub`: runs the pipeline on one file or link, without a server or a database. Only the results remain.

Spoken clips stay in `DATA/cli/clips`, so that a line is paid for once, and sounds without voices in
`DATA/cli/separated`. Everything else of a run is in `DATA/cli/run-*`,
which is deleted when the run ends; after a kill, by the next run.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from app.cli import dub_estimate, dub_link
from app.cli.dub_arguments import Address
from app.cli.dub_files import clip_folder, hand_over, longest_name, run_folder, separated_folder
from app.cli.dub_hooks import AroundStages
from app.cli.dub_parsing import check_speed, options_of
from app.cli.dub_progress import Display, display
from app.cli.dub_speakers import cast, wanted_voices
from app.cli.dub_translation import bring, check_translation
from app.cli.failures import failed, interrupted, interruptible
from app.config.settings import Settings
from app.domain.dub_options import DubOptions
from app.domain.errors import DubError
from app.domain.media import ArtifactKind
from app.domain.problems.uploads import DISK_FULL
from app.domain.report import Report
from app.domain.segment import Clip, Flag
from app.domain.voice_chosen import VoiceChosen
from app.observability import logs
from app.system import file_modes
from app.system.console import say, say_json, say_path
from app.system.exit_status import OK, UsageError, track_of

if TYPE_CHECKING:
    from app.dubbing.context import Context
    from app.jobs.estimate_schemas import Estimate
    from app.jobs.memory_store import MemoryStore

_SURE: Final = 0.8  # of the language that was found


class Flagged(msgspec.Struct, frozen=True):
    """A line that the person should look at: spoken much faster to fit, or starting late."""

    start_s: float
    text: str
    rate: float
    flags: tuple[Flag, ...]


class Dubbed(msgspec.Struct, frozen=True):
    """What `--json` prints. `audio_track` was heard, of those that `audio_tracks` names. `language_certainty` is 0..1
    where recognition found the language. `voice_chosen` is the voice of `local:auto`. `flagged` are lines that the fit
    could not place well; `stages_s` is the wall time of each stage; `report` is None where nothing was rendered
    (`--review`).
    """

    ok: bool
    input: str
    duration_s: float
    language: str | None
    language_certainty: float | None
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
    voice_chosen: VoiceChosen | None = None


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Dub the file; returns the exit status."""
    dub_link.check(arguments)
    source: Path | Address = arguments.input
    for path in inputs_of(arguments):
        if not path.is_file():
            raise UsageError(f"there is no file {path}")
    if arguments.review is not None and arguments.subtitles is not None:
        raise UsageError("--review writes the lines that recognition finds; with --subtitles there is no recognition")
    if arguments.review is not None:
        _check_review(arguments.review)
    if isinstance(source, Path) and _is_review(arguments.review, source):
        raise UsageError("--review would overwrite the input")
    track_of(arguments.audio_track)
    try:
        options = options_of(arguments, settings)
    except DubError as error:
        return failed(error, as_json=arguments.json)
    check_translation(arguments.translation, options)
    check_speed(options, settings)
    logs.configure("warning", "console")
    with display(sys.stderr) as shown:
        try:
            dubbed = asyncio.run(interruptible(_brought(arguments, options, settings, shown)))
        except DubError as error:
            return failed(error, as_json=arguments.json)
        except asyncio.CancelledError:
            return interrupted()
    if not isinstance(dubbed, Dubbed):
        say_json(dub_estimate.as_json(dubbed)) if arguments.json else dub_estimate.show(dubbed, sys.stdout)
        return OK
    if arguments.json:
        say_json(dubbed)
        return OK
    if dubbed.language_certainty is not None:
        told = "" if dubbed.language_certainty >= _SURE else "; --language CODE tells it"
        say(f"language: {dubbed.language}, {dubbed.language_certainty:.0%} certain{told}", to=sys.stderr)
    if (voice := dubbed.voice_chosen) is not None:
        licence = f" Licence: {voice.licence}." if voice.licence else ""
        say(f"voice: {voice.name} ({voice.voice}). {voice.reason}{licence}", to=sys.stderr)
    if dubbed.report is not None:
        from app.cli import dub_report
        from app.dubbing.report import needs_a_look

        dub_report.show(dubbed.report, needs_a_look, sys.stderr)
    for result in dubbed.outputs.values():
        say_path(result)
    return OK


def _is_review(review: Path | None, source: Path) -> bool:
    return review is not None and review.exists() and review.samefile(source)


def _check_review(path: Path) -> None:
    """Refuse a file that could not be written, before recognition starts."""
    folder = path.absolute().parent
    if not folder.is_dir():
        raise UsageError(f"--review: there is no folder {folder}")
    if len(os.fsencode(path.name)) > longest_name(folder):
        raise UsageError(f"--review: the name is longer than the {longest_name(folder)} bytes that its folder takes")


def inputs_of(arguments: argparse.Namespace) -> list[Path]:
    """Every input file: none of them is ever overwritten."""
    given = (arguments.input, arguments.subtitles, arguments.stem, arguments.translation)
    return [path for path in given if isinstance(path, Path)]


async def _brought(
    arguments: argparse.Namespace, options: DubOptions, settings: Settings, shown: Display
) -> Dubbed | Estimate:
    """The dub of a file, or of what is at an address."""
    if not isinstance(arguments.input, Address):
        return await _dub(arguments, options, settings, shown)
    arguments = await dub_link.bring(arguments, settings, shown)
    return await _dub(arguments, options_of(arguments, settings), settings, shown)


async def _dub(
    arguments: argparse.Namespace, options: DubOptions, settings: Settings, shown: Display
) -> Dubbed | Estimate:
    from app.jobs import options as job_options
    from app.server.engines import engines_of, limits_of

    with run_folder(settings.data) as folder:
        from app.dubbing.context import Context
        from app.storage.blobs import FolderBlobs
        from app.storage.disk_floors import Disks
        from app.storage.workspace import Workspace

        home = folder / "blobs"
        blobs = FolderBlobs(home)
        for kind in ("clips", "answers"):
            (home / kind).symlink_to(clip_folder(settings.data).resolve())
        if blobs.free_bytes() < settings.min_free_bytes:
            raise DubError(
                DISK_FULL,
                (
                    f"{blobs.free_bytes() >> 20} MB are free in {settings.data}; AUTODUBBER_MIN_FREE_BYTES asks for "
                    f"{settings.min_free_bytes >> 20}."
                ),
            )
        disks = Disks.of(settings.data, settings.min_free_bytes)
        engines = engines_of(settings, model_paths=True, disks=disks)
        try:
            job_options.check(options, engines)
            wanted_voices(arguments.speaker_voice, engines)  # said before anything is done
            context = Context(
                blobs=blobs,
                workspace=Workspace(folder / "scratch"),
                cache=folder / "cache",
                engines=engines,
                threads=settings.thread_count,
                limits=limits_of(settings),
                max_duration_s=settings.max_duration_s,
                disks=disks,
                blob_folders=(home,),
            )
            return await _stages(context, home, settings.data, arguments, options, shown)
        finally:
            await engines.close()


async def _stages(
    context: Context, home: Path, data: Path, arguments: argparse.Namespace, options: DubOptions, shown: Display
) -> Dubbed | Estimate:
    """The declared stages in their order, on a job in memory. `home` is the folder of the blobs, into which the
    person's files are linked; `data` the data folder."""
    from app.domain.job import Phase
    from app.domain.stages import PROBE, in_phase
    from app.dubbing.separation import stage as separation
    from app.jobs.events import Hub
    from app.jobs.memory_store import JOB_ID, MemoryStore, NoKeys
    from app.jobs.stage_hooks import InnerHooks, StageRun, run_stage
    from app.jobs.stages import StageWork
    from app.storage.hashing import sha256_in_steps

    attached = {
        name: home / "uploads" / name for name in ("input", "subtitles", "stem") if getattr(arguments, name) is not None
    }
    for name, path in attached.items():
        path.parent.mkdir(exist_ok=True)
        path.symlink_to(getattr(arguments, name).resolve())
    subtitles_key, stem_key = (f"uploads/{name}" if name in attached else None for name in ("subtitles", "stem"))
    store = MemoryStore(
        options, title=arguments.input.stem, source_key="uploads/input", subtitles_key=subtitles_key, stem_key=stem_key
    )
    outlives = separation.chosen(context.engines, options, has_stem=stem_key is not None) is not None
    # only a sound that outlives the run is named by the bytes of the file
    digest: Callable[[Path, Path], str] = sha256_in_steps if outlives else lambda source, _steps: JOB_ID
    if outlives:
        (home / "separated").symlink_to(separated_folder(data).resolve())
    inner = InnerHooks(store, StageWork(store=store, keys=NoKeys(), context=context, hub=Hub(), digest=digest))
    around = AroundStages(context, store, shown, reviews=arguments.review is not None)
    hooks = (around.checked, around.shown, around.read, inner.named, inner.tidied, inner.worked, inner.recorded)
    if arguments.estimate:
        await run_stage(StageRun(PROBE, JOB_ID), hooks)
        return await dub_estimate.estimate(context, store, arguments)
    for phase in Phase:
        for stage in in_phase(phase):
            await run_stage(StageRun(stage, JOB_ID), hooks)
        if phase is Phase.PREPARE and arguments.speaker_voice:
            cast(store, wanted_voices(arguments.speaker_voice, context.engines))
        if phase is Phase.PREPARE and arguments.translation is not None:
            await asyncio.to_thread(bring, store, arguments.translation)
        if phase is Phase.PREPARE and arguments.review is not None:
            return _reviewed(arguments, store, shown)
    return _rendered(context, arguments, store, shown)


def _reviewed(arguments: argparse.Namespace, store: MemoryStore, shown: Display) -> Dubbed:
    """The lines as SRT, for the person to read."""
    from app.dubbing.finish import cues_for
    from app.dubbing.subtitles.srt_vtt import write_srt

    with file_modes.as_the_person():
        arguments.review.write_text(write_srt(cues_for(store.segments(store.job.id)[1], ())), encoding="utf-8")
    return _result(arguments, store, (), None, shown, {"review": str(arguments.review)})


def _rendered(context: Context, arguments: argparse.Namespace, store: MemoryStore, shown: Display) -> Dubbed:
    """The finished files, put beside the source or where the person wants them."""
    from app.domain import stages
    from app.storage.blobs import bytes_of

    (told,) = store.artifacts([ArtifactKind.REPORT])
    files = [
        *store.artifacts({*stages.MUX.artifacts} - {ArtifactKind.REPORT}),
        *store.artifacts([ArtifactKind.AUDIO]),
        told,
    ]
    outputs = hand_over(
        context,
        files,
        arguments.input.resolve().stem,
        arguments.output or arguments.input.resolve().parent,
        inputs_of(arguments),
    )
    report = msgspec.json.decode(bytes_of(context.blobs, told.key), type=Report)
    return _result(arguments, store, store.output(stages.SYNTHESIZE), report, shown, outputs)


def _result(
    arguments: argparse.Namespace,
    store: MemoryStore,
    clips: Sequence[Clip],
    report: Report | None,
    shown: Display,
    outputs: dict[str, str],
) -> Dubbed:
    from app.domain import stages
    from app.dubbing import audio_tracks

    job, info, segments = store.job, store.job.media, store.segments(store.job.id)[1]
    lines = report.lines if report else ()
    return Dubbed(
        ok=True,
        input=str(arguments.input),
        duration_s=round(store.output(stages.INGEST).duration_s, 3),
        language=job.language,
        language_certainty=job.language_certainty,
        audio_track=audio_tracks.heard(info, job.options) if info and info.audio else None,
        audio_tracks=tuple(map(audio_tracks.named, info.audio)) if info else (),
        lines=len(segments),
        flagged=tuple(
            Flagged(line.start_s, line.text, round(line.rate, 3), line.flags) for line in lines if line.flags
        ),
        cost_credits=sum(clip.cost_credits for clip in clips),
        loudness_lufs=report.loudness_lufs if report else None,
        true_peak_db=report.true_peak_db if report else None,
        stages_s=shown.stages_s(),
        outputs=outputs,
        report=report,
        voice_chosen=job.voice_chosen,
    )
