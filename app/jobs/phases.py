"""Starts and stops the phases of jobs, by the rules of their states. Methods block on the database."""

from __future__ import annotations

import logging
import secrets
import shutil
from collections.abc import Callable, Collection
from typing import Any, Final

from app.domain.errors import DubError
from app.domain.events import Deleted
from app.domain.job import ACTIVE, Job, JobState, Phase
from app.domain.problems.jobs import JOB_STATE, SOURCE_GONE
from app.domain.problems.lines import NOTHING_TO_SPEAK
from app.domain.secret_names import NO_KEYS, Keys
from app.domain.stages import TRANSCRIBE
from app.dubbing.casting import speakable
from app.jobs import conflicts
from app.jobs import options as job_options
from app.jobs.languages import Languages
from app.observability import metrics, tracing
from app.storage.rows import JobRow

log = logging.getLogger(__name__)

_RENDERABLE: Final = frozenset({JobState.REVIEW, JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED})


class JobPhases(Languages):
    """The part of the service that queues, stops and deletes. All languages of a job begin and stop together."""

    def approve(self, job_id: str, *, keys: Keys = NO_KEYS, seen: int | None = None) -> Job:
        """Approve the lines and render. With `seen`, only while options and background are those of that revision of
        the choices; else job_changed is raised."""
        return self._render(job_id, frozenset({JobState.REVIEW}), keys, seen)

    def render(self, job_id: str, *, keys: Keys = NO_KEYS, seen: int | None = None) -> Job:
        """Render, or render again: only changes are repeated. `seen` as for `approve`."""
        return self._render(job_id, _RENDERABLE, keys, seen)

    def retry(self, job_id: str, *, keys: Keys = NO_KEYS, seen: int | None = None) -> Job:
        """Continue from the stage that failed or was cancelled. `seen` as for `approve`."""
        row = self._store.row(job_id)
        stopped = frozenset({JobState.FAILED, JobState.CANCELLED})
        check = conflicts.render_seen(seen)
        if row.whole_id != job_id:
            check(row)
            self.retry(row.whole_id, keys=keys)
            return self.get(job_id)
        if row.job.state in stopped:
            check(row)
        self._check_original(row)
        self._floor.check()
        return self._start(job_id, row.job.phase, only_from=stopped, keys=keys, check=check)

    def cancel(self, job_id: str) -> Job:
        """Stop within two seconds. Finished work is kept for a retry."""
        row = self._store.row(job_id)
        if row.whole_id != job_id:
            self.cancel(row.whole_id)
            return self.get(job_id)
        job = self._store.transition(job_id, JobState.CANCELLED, only_from=ACTIVE)
        self._hub.forget(job_id)
        if row.workflow_id:
            self._queue.cancel(row.workflow_id)
            tracing.ended(row.workflow_id, job_id, job.phase, code="cancelled")
        metrics.JOBS_FINISHED.add(job.phase, "cancelled", row.job.stage or "", "")
        log.info("phase over", extra={"job_id": job_id, "phase": job.phase.value, "result": "cancelled"})
        return self._changed(job)

    def delete(self, job_id: str) -> None:
        """Stop the job and delete it with everything that only it owns. A further language is taken from its job."""
        row = self._store.row(job_id)
        if row.whole_id != job_id:
            return self._remove(row.whole_id, job_id)
        if row.job.state in ACTIVE and row.workflow_id:
            self._queue.cancel(row.workflow_id)
        self._store.delete(job_id, self._context.blobs)
        self._keys.forget_job_keys(job_id)
        self._hub.forget(job_id)
        for gone in (job_id, *(each.id for each in row.job.languages[1:])):
            shutil.rmtree(self._context.cache / gone, ignore_errors=True)
            self._hub.publish(Deleted(gone, 0))

    def _render(self, job_id: str, only_from: Collection[JobState], keys: Keys, seen: int | None) -> Job:
        row = self._store.row(job_id)
        if row.whole_id != job_id:
            conflicts.render_seen(seen)(row)
            self._render(row.whole_id, only_from, keys, None)
            return self.get(job_id)
        if not self._transcribed(job_id):
            raise DubError(JOB_STATE, "The lines are not there yet.")
        if not speakable(self._store.segments(job_id)[1]):
            raise DubError(NOTHING_TO_SPEAK)
        check = conflicts.render_seen(seen)
        if row.job.state in only_from:
            check(row)
            self._check_original(row)
        job_options.check(row.job.options, self._context.engines, row.job.media)
        self._floor.check()
        return self._start(job_id, Phase.RENDER, only_from=only_from, keys=keys, check=check)

    def _transcribed(self, job_id: str) -> bool:
        """Whether recognition is complete."""
        found = self._store.stage(job_id, TRANSCRIBE.name)
        return found is not None and found.finished

    def _start(
        self,
        job_id: str,
        phase: Phase,
        *,
        only_from: Collection[JobState] = (),
        keys: Keys = NO_KEYS,
        check: Callable[[JobRow], None] | None = None,
    ) -> Job:
        """Queue a phase, from one of those states (none: the row is new and queued already).

        The row comes first: an engine that is not up yet, or that dies here, finds the job by its row.
        """
        self._keys.keep_job_keys(job_id, keys)
        workflow_id = f"{job_id}-{phase.value}-{secrets.token_hex(4)}"
        fields: dict[str, Any] = {
            "phase": phase,
            "stage": None,
            "stage_progress": 0.0,
            "progress": 0.0,
            "eta_s": None,
            "error": None,
            "workflow_id": workflow_id,
        }
        if not only_from:
            job = self._store.update(job_id, **fields)
        else:
            job = self._store.transition(job_id, JobState.QUEUED, only_from=only_from, check=check, **fields)
        self._hub.forget(job_id)
        job = self._changed(job)
        log.info("phase queued", extra={"job_id": job_id, "phase": phase.value})
        self._queue.enqueue(phase, job_id, workflow_id)
        return job

    def _start_new(self, job_id: str, *, keys: Keys = NO_KEYS) -> Job:
        """Queue a job whose row is new; a refusal leaves no job."""
        try:
            return self._start(job_id, Phase.PREPARE, keys=keys)
        except DubError:
            self.delete(job_id)
            raise

    def _check_original(self, row: JobRow) -> None:
        if not all(self._context.blobs.exists(key) for key in (row.source_key, row.stem_key) if key):
            raise DubError(SOURCE_GONE)
