"""Edits, previews and the cost of the lines of a job. Methods block on the database unless they are async."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from app.domain.errors import DubError
from app.domain.events import SegmentsChanged
from app.domain.job import EDITABLE, Job
from app.domain.problems.jobs import JOB_STATE
from app.domain.problems.lines import EDIT_CONFLICT, SEGMENT_NOT_FOUND
from app.domain.secret_names import NO_KEYS, Keys
from app.domain.segment import Segment, Translation
from app.dubbing.pipeline import written_language
from app.dubbing.translate import TranslationChoice, translate
from app.jobs import editing, estimate, preview
from app.jobs.job_reading import JobReading
from app.jobs.schemas import Estimate, SegmentChanges, Segments, SplitSegment, TranslateSegments
from app.jobs.stage_hooks import silent


class LineEdits(JobReading):
    """The part of the service for lines."""

    def edit(self, job_id: str, revision: int, changes: SegmentChanges) -> Segments:
        return self._edit(job_id, revision, lambda job, lines: editing.apply(changes, lines, _duration_s(job)))

    def split(self, job_id: str, segment_id: str, revision: int, request: SplitSegment) -> Segments:
        return self._edit(job_id, revision, lambda job, lines: editing.split(segment_id, request.at, lines))

    def merge(self, job_id: str, segment_id: str, revision: int) -> Segments:
        return self._edit(job_id, revision, lambda job, lines: editing.merge(segment_id, lines))

    async def translate(
        self, job_id: str, revision: int, request: TranslateSegments, *, keys: Keys = NO_KEYS
    ) -> Segments:
        """Translate lines again, now. Raises job_state for a job without a translator, segment_not_found, edit_conflict
        and the translator's errors."""
        job, (now, lines) = await asyncio.to_thread(lambda: (self._store.get(job_id), self._store.segments(job_id)))
        options = job.options.translation
        if job.state not in EDITABLE or not options.translator or options.target_language is None:
            raise DubError(JOB_STATE, "It has no translator, or is at work.")
        if now != revision:
            raise DubError(EDIT_CONFLICT, revision=now)
        wanted = [line for line in lines if line.id in set(request.ids)]
        if len(wanted) != len(set(request.ids)):
            raise DubError(SEGMENT_NOT_FOUND)
        translator = self._context.engines.translator(options.translator)
        source = written_language(job.options, job.language)
        choice = TranslationChoice(source, options.target_language, job.options.voices.speed, keys.of(translator.name))
        cache = self._context.cache / job_id / "translations"
        done = await translate(translator, wanted, choice, cache, silent, among=lines, again=True)
        # a line without a usable answer keeps the text that it has
        new = {line.id: line for line in done if line.translation is not Translation.FAILED}
        return await asyncio.to_thread(
            self._edit, job_id, revision, lambda _job, known: [new.get(line.id, line) for line in known]
        )

    async def preview(self, job_id: str, segment_id: str, *, keys: Keys = NO_KEYS) -> bytes:
        await asyncio.to_thread(self._floor.check)
        return await preview.preview_line(self._context, self._store, job_id, segment_id, keys=keys)

    async def estimate(self, job_id: str, *, keys: Keys = NO_KEYS) -> Estimate:
        return await estimate.estimate_render(self._context, self._store, job_id, keys=keys)

    def _edit(
        self, job_id: str, revision: int, change: Callable[[Job, tuple[Segment, ...]], list[Segment]]
    ) -> Segments:
        now, lines, changed, gone = self._store.edit_segments(job_id, revision, EDITABLE, change)
        if changed or gone:
            self._hub.publish(SegmentsChanged(job_id, 0, now, changed, gone))
            self._changed(self._store.get(job_id))
        return Segments(now, lines)


def _duration_s(job: Job) -> float:
    if job.media is None:
        raise DubError(JOB_STATE, "The video has not been read yet.")
    return job.media.duration_s
