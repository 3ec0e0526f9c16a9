"""Edits, previews and the cost of the lines of a job. Methods block on the database unless they are async."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from app.domain.errors import DubError
from app.domain.glossary import Suggestion
from app.domain.job import Job, Phase
from app.domain.problems.jobs import JOB_STATE
from app.domain.secret_names import NO_KEYS, Keys
from app.domain.segment import Segment
from app.domain.speaker import Script, introduced
from app.dubbing.glossary_suggestions import suggestions
from app.dubbing.pipeline import written_language
from app.jobs import editing, estimate, preview
from app.jobs.estimate_schemas import Estimate
from app.jobs.eta import stage_costs
from app.jobs.schemas import SegmentChanges, Segments, SplitSegment
from app.jobs.translation_edits import TranslationEdits, which_lines
from app.jobs.translation_schemas import Which
from app.spending.paying import paid_by


class LineEdits(TranslationEdits):
    """The part of the service for lines."""

    def edit(self, job_id: str, revision: int, changes: SegmentChanges) -> Segments:
        """Raises as `editing.apply`, and engine_unknown, speaker_not_found, too_many_speakers."""
        for edit in changes.edit:
            if isinstance(edit.voice, str):
                self._context.engines.voice(edit.voice)

        def change(job: Job, script: Script) -> Script:
            return introduced(editing.apply(changes, script.segments, _duration_s(job)), script.speakers)

        return self._edit(job_id, revision, change)

    def split(self, job_id: str, segment_id: str, revision: int, request: SplitSegment) -> Segments:
        return self._edit(job_id, revision, _lines_only(lambda lines: editing.split(segment_id, request.at, lines)))

    def merge(self, job_id: str, segment_id: str, revision: int) -> Segments:
        return self._edit(job_id, revision, _lines_only(lambda lines: editing.merge(segment_id, lines)))

    def suggested_terms(self, job_id: str) -> tuple[Suggestion, ...]:
        """Names and terms of the lines that are not in the job's glossary. Raises job_not_found."""
        job, (_, lines) = self._store.get(job_id), self._store.segments(job_id)
        return suggestions(lines, job.options.glossary.terms, written_language(job.options, job.language))

    async def preview(self, job_id: str, segment_id: str, *, keys: Keys = NO_KEYS) -> bytes:
        await asyncio.to_thread(self._floor.check)
        whole_id = await asyncio.to_thread(self._whole_id, job_id)
        with paid_by(self._store.ledger(whole_id)):
            return await preview.preview_line(self._context, self._store, job_id, segment_id, keys=keys)

    async def estimate(self, job_id: str, *, translate: Which | None = None, keys: Keys = NO_KEYS) -> Estimate:
        """What the job would cost from where it is to its end; with `translate`, what translating those lines again
        would."""
        if translate is not None:
            lines = await asyncio.to_thread(lambda: self._store.segments(job_id)[1])
            wanted = which_lines(translate, lines)
            return await estimate.estimate_translation(self._context, self._store, job_id, wanted, keys=keys)
        costs_s = await asyncio.to_thread(
            lambda: stage_costs(self._store, Phase.PREPARE) | stage_costs(self._store, Phase.RENDER)
        )
        return await estimate.estimate_job(self._context, self._store, job_id, keys=keys, costs_s=costs_s)


def _duration_s(job: Job) -> float:
    if job.media is None:
        raise DubError(JOB_STATE, "The video has not been read yet.")
    return job.media.duration_s


def _lines_only(change: Callable[[tuple[Segment, ...]], list[Segment]]) -> Callable[[Job, Script], Script]:
    return lambda _job, script: Script(tuple(change(script.segments)), script.speakers)
