"""Edits, previews and the cost of the lines of a job. Methods block on the database unless they are async."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from app.domain.errors import DubError
from app.domain.events import SegmentsChanged
from app.domain.job import EDITABLE, Job
from app.domain.problems.jobs import JOB_STATE
from app.domain.secret_names import NO_KEYS, Keys
from app.domain.segment import Segment
from app.jobs import editing, estimate, preview
from app.jobs.job_reading import JobReading
from app.jobs.schemas import Estimate, SegmentChanges, Segments, SplitSegment


class LineEdits(JobReading):
    """The part of the service for lines."""

    def edit(self, job_id: str, revision: int, changes: SegmentChanges) -> Segments:
        return self._edit(job_id, revision, lambda job, lines: editing.apply(changes, lines, _duration_s(job)))

    def split(self, job_id: str, segment_id: str, revision: int, request: SplitSegment) -> Segments:
        return self._edit(job_id, revision, lambda job, lines: editing.split(segment_id, request.at, lines))

    def merge(self, job_id: str, segment_id: str, revision: int) -> Segments:
        return self._edit(job_id, revision, lambda job, lines: editing.merge(segment_id, lines))

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
