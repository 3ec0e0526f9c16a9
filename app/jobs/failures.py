"""Records failures of jobs. While the database cannot be written, they are kept in memory and written later.

A kill of the server loses failures in memory. Such a job is then active without a workflow, and is queued again.
"""

from __future__ import annotations

import threading

import structlog

from app.domain.errors import DubError
from app.domain.events import StateChanged
from app.domain.job import JobError, JobState, Phase
from app.domain.problems.jobs import JOB_NOT_FOUND, JOB_STATE
from app.jobs.events import Hub
from app.observability import metrics, tracing
from app.storage.jobs import JobStore

log = structlog.get_logger(__name__)


class Failures:
    """May be called from any thread; every method blocks on the database."""

    def __init__(self, store: JobStore, hub: Hub) -> None:
        self._store, self._hub = store, hub
        self._lock = threading.Lock()
        self._unwritten: dict[str, tuple[str | None, JobError]] = {}

    def write(self, job_id: str, workflow_id: str | None, failure: JobError) -> None:
        """Record that the job failed, unless it belongs to another workflow by now. Never raises: a failure that cannot
        be written is kept."""
        try:
            job = self._store.transition(
                job_id, JobState.FAILED, owner=workflow_id, error=failure, stage=failure.stage, eta_s=None
            )
        except DubError as error:
            if error.problem in (JOB_NOT_FOUND, JOB_STATE):
                self._forget(job_id, workflow_id)
            else:
                self._keep(job_id, workflow_id, failure, str(error))
        except Exception as error:  # the boundary of a job: whatever the database raises, the failure is not lost
            self._keep(job_id, workflow_id, failure, f"{type(error).__name__}: {error}"[:300])
        else:
            self._forget(job_id, workflow_id)
            over(workflow_id or "", job_id, job.phase, failure)
            self._hub.forget(job_id)
            self._hub.publish(StateChanged(job_id, 0, job))

    def retry_unwritten(self) -> int:
        """Retry the failures that could not be written; returns how many were written."""
        with self._lock:
            waiting = dict(self._unwritten)
        for job_id, (workflow_id, failure) in waiting.items():
            self.write(job_id, workflow_id, failure)
        return len(waiting) - len(self._unwritten) if waiting else 0

    def waits(self, job_id: str, workflow_id: str | None) -> bool:
        """Whether that workflow's failure is not written yet."""
        unwritten = self._unwritten.get(job_id)
        return unwritten is not None and unwritten[0] == workflow_id

    def _keep(self, job_id: str, workflow_id: str | None, failure: JobError, reason: str) -> None:
        with self._lock:
            known = self._unwritten.get(job_id)
            self._unwritten[job_id] = (workflow_id, failure)
        if known is None:
            log.error("a failure cannot be written yet", job_id=job_id, code=failure.code, reason=reason)

    def _forget(self, job_id: str, workflow_id: str | None) -> None:
        with self._lock:
            if self.waits(job_id, workflow_id):
                del self._unwritten[job_id]


def over(
    workflow_id: str, job_id: str, phase: Phase, failure: JobError | None = None, *, followed_by: str = ""
) -> None:
    """Log, count and trace the end of a phase."""
    code, stage = (failure.code, failure.stage or "") if failure else ("", "")
    result = "failed" if failure else "done"
    metrics.JOBS_FINISHED.add(phase, result, stage, code)
    tracing.ended(workflow_id, job_id, phase, code=code, followed_by=followed_by)
    log.info("phase over", job_id=job_id, phase=phase.value, result=result, **({"code": code} if code else {}))
