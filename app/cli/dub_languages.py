"""Several languages of one run: `autodubber dub --to es,fr,de`."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from app.cli.dub_progress import Display
from app.domain.dub_options import DubOptions
from app.domain.errors import DubError
from app.system.exit_status import UsageError

if TYPE_CHECKING:
    from app.domain.stages import Stage
    from app.jobs.memory_languages import MemoryLanguages
    from app.jobs.stage_hooks import Hook
    from app.speech.registry import Registry


class Shown(msgspec.Struct, frozen=True):
    """A stage at one of several languages, as it is shown."""

    name: str
    doing: str


def split(arguments: argparse.Namespace) -> None:
    """The first language of `--to` is the dub's own, and a player's first; `arguments.languages` are the others. Raises
    UsageError."""
    found = [each.strip() for each in (arguments.target_language or "").split(",")]
    arguments.languages = tuple(found[1:])
    if arguments.languages:
        if not all(found) or len(set(found)) < len(found):
            raise UsageError(
                f"--to is a language, or several different ones with commas, not {arguments.target_language}"
            )
        if arguments.translation is not None:
            raise UsageError("--translation is of one language; --to names several")
        if arguments.review is not None:
            raise UsageError("--review writes the lines of one language; --to names several")
        if not arguments.translator:
            raise UsageError("--to with several languages needs --translator")
        arguments.target_language = found[0]
    voices_for(arguments)


def voices_for(arguments: argparse.Namespace) -> dict[str, str]:
    """The voices of `--voice-for`, by language. Raises UsageError."""
    found: dict[str, str] = {}
    for text in arguments.voice_for:
        language, sign, voice = text.partition("=")
        if not sign or language.strip() not in arguments.languages:
            raise UsageError(f"--voice-for is LANGUAGE=ENGINE:VOICE with a further language of --to, not {text}")
        found[language.strip()] = voice
    return found


def options_of_each(arguments: argparse.Namespace, options: DubOptions, engines: Registry) -> dict[str, DubOptions]:
    """The options of the further languages, by the ids of their jobs in memory. Raises as `options.check`."""
    from app.jobs import options as job_options
    from app.jobs.language_options import options_in
    from app.jobs.language_schemas import LanguageNew
    from app.jobs.memory_store import JOB_ID

    voices = voices_for(arguments)
    found = {}
    for language in arguments.languages:
        own = options_in(options, LanguageNew(language, voices.get(language, msgspec.UNSET)))
        job_options.check(own, engines)
        found[f"{JOB_ID}-{language}"] = own
    return found


async def run_each(stage: Stage, jobs: MemoryLanguages, hooks: Sequence[Hook], shown: Display) -> None:
    """Run the stage, once for each language where it is the language's. A further language that fails is left out from
    then on, and is told. Raises what the first one raises."""
    from app.domain.job import JobError
    from app.domain.stages import MUX, TRANSLATE
    from app.jobs.memory_store import JOB_ID
    from app.jobs.stage_hooks import StageRun, run_stage

    first, *further = jobs.stores
    languages = [first] if not stage.each_language else [*further, first] if stage is MUX else [first, *further]
    for part, language_id in enumerate(languages):
        if jobs.stores[language_id].job.error is not None:
            continue
        if stage is TRANSLATE:
            jobs.take_lines(language_id)
        try:
            await run_stage(StageRun(stage, language_id, part=part, parts=len(languages)), hooks)
        except DubError as error:
            if language_id == JOB_ID:
                raise
            failure = JobError(error.problem.code, error.message, error.problem.hint, stage.name)
            jobs.update(language_id, error=failure)
            shown.note(f"{jobs.language(language_id)} is left out: {error.message} {error.problem.hint}")
