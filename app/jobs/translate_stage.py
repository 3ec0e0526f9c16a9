"""The stage that translates the lines, where a translator was chosen."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from app.domain import stages
from app.domain.events import SegmentsChanged
from app.domain.secret_names import NO_KEYS
from app.domain.segment import Segment, Translation
from app.domain.stage_outputs import Translated
from app.dubbing.context import Report
from app.dubbing.line_time import LineTime, line_times
from app.dubbing.pipeline import written_language
from app.dubbing.translate import TranslationChoice, same_language, source_of, translate, wishes
from app.jobs.ahead import ahead
from app.jobs.options import choice_of
from app.jobs.stages import Done, StageBody, body_of
from app.storage.job_row import JobRow

_OPEN: Final = (Translation.NONE, Translation.FAILED)


@body_of(stages.TRANSLATE)
class Translate(StageBody):
    """Each answer is in the job's cache before the next is asked for; the lines are changed all at once at the end."""

    def inputs(self, row: JobRow) -> Any:
        options = row.job.options.translation
        source = written_language(row.job.options, row.job.language)
        if not options.translator or options.target_language is None or same_language(source, options.target_language):
            return []
        return [
            options.translator,
            options.target_language,
            source,
            [[line.id, line.skip, source_of(line)] for line in self.lines(row)],
            *wishes(row.job.options).parts(),
        ]

    async def work(self, row: JobRow, name: str, report: Report) -> Done:
        job_id, options = row.job.id, row.job.options
        if not await asyncio.to_thread(self.inputs, row):
            return Done(Translated(0, 0))
        translator = self._context.engines.translator(options.translation.translator)
        keys = await asyncio.to_thread(self._keys.job_keys, row.whole_id)
        choice = TranslationChoice(
            written_language(options, row.job.language),
            options.translation.target_language or "",
            options.voices.speed,
            keys.of(translator.name),
            wishes(options),
        )
        lines = await asyncio.to_thread(self.lines, row)
        times = await asyncio.to_thread(self._times, row, lines, choice.target)
        cache = self._context.cache / job_id / "translations"
        # a further language may have been worked on before: what a person wrote stays
        wanted = [line for line in lines if row.job.parent_id is None or line.translation in _OPEN]
        async with ahead(self._context, self._store, self._keys, row) as working:
            done = await translate(
                translator, wanted, choice, cache, report, among=lines, times=times, on_lines=working.translated
            )
        revision = await asyncio.to_thread(self._store.replace_segments, job_id, done)
        self._hub.publish(SegmentsChanged(job_id, 0, revision, done, ()))
        return Done(Translated(len(done), sum(line.translation is Translation.FAILED for line in done)))

    def _times(self, row: JobRow, lines: Sequence[Segment], language: str) -> dict[str, LineTime]:
        """For the voices as they are chosen now."""
        voices = choice_of(row.job, row.speakers, NO_KEYS, self._context.engines)
        return line_times(self._context, lines, voices, language)

    def tidy(self, job_id: str) -> None:
        """What was bought stays: a line that is translated again asks only for itself."""
