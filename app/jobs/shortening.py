"""Hurried lines get shorter wordings by themselves, where the person allowed it (`translation.shorten`)."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from app.domain.errors import DubError
from app.domain.events import SegmentsChanged
from app.domain.problems.lines import DOES_NOT_FIT
from app.domain.secret_names import Keys
from app.domain.segment import Clip, Segment
from app.dubbing import pipeline
from app.dubbing.casting import VoiceChoice
from app.dubbing.context import Context, Report
from app.dubbing.line_time import line_times
from app.dubbing.shorten import shortened
from app.dubbing.translate import TranslationChoice, wishes
from app.jobs.events import Hub
from app.jobs.stages import WorkStore, media_of
from app.storage.job_row import JobRow


def shortens(row: JobRow) -> bool:
    """Whether the person allowed it, and the lines are translated."""
    options = row.job.options.translation
    return options.shorten and bool(options.translator) and options.target_language is not None


async def shorten_hurried(
    context: Context,
    store: WorkStore,
    hub: Hub,
    row: JobRow,
    keys: Keys,
    lines: Sequence[Segment],
    clips: Sequence[Clip],
    voices: VoiceChoice,
    report: Report,
) -> bool:
    """Give hurried lines a shorter wording; returns whether any has one, which is then stored. Raises the translator's
    errors."""
    options = row.job.options
    translator = context.engines.translator(options.translation.translator)
    if not translator.instructed:  # it takes no limits
        return False
    speeds = {line.id: voices.of(line).speed for line in lines}
    target = options.translation.target_language or ""
    source = pipeline.written_language(options, row.job.language)
    choice = TranslationChoice(source, target, options.voices.speed, keys.of(translator.name), wishes(options))
    times = await asyncio.to_thread(line_times, context, lines, voices, target)
    try:
        placed = await pipeline.fit(context, lines, clips, speeds, media_of(row.job).duration_s)
        heard = {each.segment_id: each.rate * each.pace for each in placed}
    except DubError as error:
        if error.problem is not DOES_NOT_FIT:  # the next stage says so, if shorter wordings do not mend it
            raise
        heard = {line.id: times[line.id].pace(line.text) for line in lines if not line.skip}
    changed = await shortened(translator, lines, choice, times, heard, report)
    if not changed:
        return False
    revision = await asyncio.to_thread(store.replace_segments, row.job.id, changed)
    hub.publish(SegmentsChanged(row.job.id, 0, revision, changed, ()))
    return True
