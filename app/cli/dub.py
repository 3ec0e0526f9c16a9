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
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.cli import dub_estimate, dub_languages, dub_link
from app.cli.dub_arguments import Address
from app.cli.dub_files import clip_folder, longest_name, run_folder, separated_folder
from app.cli.dub_hooks import AroundStages
from app.cli.dub_parsing import check_speed, options_of
from app.cli.dub_progress import Display, display
from app.cli.dub_result import Dubbed, inputs_of, rendered, reviewed
from app.cli.dub_speakers import cast, wanted_voices
from app.cli.dub_translation import bring, check_translation
from app.cli.failures import exit_status, failed, interrupted, interruptible
from app.config.settings import Settings
from app.domain.dub_options import DubOptions
from app.domain.errors import DubError
from app.domain.problems.uploads import DISK_FULL
from app.observability import logs
from app.system.console import say, say_json, say_path
from app.system.exit_status import OK, UsageError, track_of

if TYPE_CHECKING:
    from app.dubbing.context import Context
    from app.jobs.estimate_schemas import Estimate

_SURE: Final = 0.8  # of the language that was found


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Dub the file; returns the exit status."""
    dub_link.check(arguments)
    dub_languages.split(arguments)
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
        return _status(dubbed)
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
        for language in dubbed.languages:
            if language.report is not None:
                say(f"{language.language}:", to=sys.stderr)
                dub_report.show(language.report, needs_a_look, sys.stderr)
    for result in (*dubbed.outputs.values(), *(path for each in dubbed.languages for path in each.outputs.values())):
        say_path(result)
    return _status(dubbed)


def _status(dubbed: Dubbed) -> int:
    """That of the first language that is left out, if one is: the video has the others."""
    from app.domain.catalogue import catalogue

    lacking = [each.error.code for each in dubbed.languages if each.error is not None]
    return exit_status(catalogue()[lacking[0]]) if lacking else OK


def _is_review(review: Path | None, source: Path) -> bool:
    return review is not None and review.exists() and review.samefile(source)


def _check_review(path: Path) -> None:
    """Refuse a file that could not be written, before recognition starts."""
    folder = path.absolute().parent
    if not folder.is_dir():
        raise UsageError(f"--review: there is no folder {folder}")
    if len(os.fsencode(path.name)) > longest_name(folder):
        raise UsageError(f"--review: the name is longer than the {longest_name(folder)} bytes that its folder takes")


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
            further = dub_languages.options_of_each(arguments, options, engines)
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
                ahead=settings.ahead,
            )
            return await _stages(context, home, settings.data, arguments, options, further, shown)
        finally:
            await engines.close()


async def _stages(
    context: Context,
    home: Path,
    data: Path,
    arguments: argparse.Namespace,
    options: DubOptions,
    further: dict[str, DubOptions],
    shown: Display,
) -> Dubbed | Estimate:
    """The declared stages in their order, on a job in memory with its `further` languages. `home` is the folder of the
    blobs, into which the person's files are linked; `data` the data folder."""
    from app.domain.job import Phase
    from app.domain.stages import PROBE, in_phase
    from app.dubbing.separation import stage as separation
    from app.jobs.events import Hub
    from app.jobs.memory_languages import MemoryLanguages
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
    jobs = MemoryLanguages(store, further)
    outlives = separation.chosen(context.engines, options, has_stem=stem_key is not None) is not None
    # only a sound that outlives the run is named by the bytes of the file
    digest: Callable[[Path, Path], str] = sha256_in_steps if outlives else lambda source, _steps: JOB_ID
    if outlives:
        (home / "separated").symlink_to(separated_folder(data).resolve())
    inner = InnerHooks(jobs, StageWork(store=jobs, keys=NoKeys(), context=context, hub=Hub(), digest=digest))
    around = AroundStages(context, jobs, shown, reviews=arguments.review is not None)
    hooks = (around.checked, around.shown, around.read, inner.named, inner.tidied, inner.worked, inner.recorded)
    if arguments.estimate:
        await run_stage(StageRun(PROBE, JOB_ID), hooks)
        return await dub_estimate.estimate(context, jobs, arguments)
    for phase in Phase:
        for stage in in_phase(phase):
            await dub_languages.run_each(stage, jobs, hooks, shown)
        if phase is Phase.PREPARE and arguments.speaker_voice:
            cast(store, wanted_voices(arguments.speaker_voice, context.engines))
        if phase is Phase.PREPARE and arguments.translation is not None:
            await asyncio.to_thread(bring, store, arguments.translation)
        if phase is Phase.PREPARE and arguments.review is not None:
            return reviewed(arguments, store, shown)
    return rendered(context, arguments, jobs, shown)
