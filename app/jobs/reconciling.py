"""Reconciles jobs with workflows every few seconds: a job without a running workflow does not stay active.

Failures that could not be written are written. A job whose workflow is unknown to the engine, ended or lost is queued
again and continues from its finished stages; after a few attempts, or on a full disk, it fails with a reason. Every
write names the workflow that it is for: a job that was cancelled, finished or restarted in the meantime is left alone.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Mapping
from typing import Final

from app.domain.errors import DubError, Problem
from app.domain.job import JobError, Phase
from app.domain.problems.requests import INTERNAL
from app.domain.problems.uploads import DISK_FULL
from app.jobs.failures import Failures
from app.storage.active_jobs import ActiveJob, ActiveJobs

log = logging.getLogger(__name__)

_WAITS: Final = frozenset({"ENQUEUED", "DELAYED"})
_RUNS: Final = "PENDING"
UNKNOWN_S: Final = 2.0  # between a job's row and its workflow's
# between the moment that a workflow is claimed and its first line, and between its last line and its end in the record
LOST_S: Final = 15.0
MOST_AGAIN: Final = 5


class Reconciler:
    """`statuses` tells what the engine knows of workflows, `runs` whether one is at work in this process, `enqueue`
    queues one. Blocks."""

    def __init__(
        self,
        *,
        store: ActiveJobs,
        failures: Failures,
        statuses: Callable[[Collection[str]], Mapping[str, str]],
        runs: Callable[[str], bool],
        enqueue: Callable[[Phase, str, str], None],
    ) -> None:
        self._store, self._failures = store, failures
        self._statuses, self._runs, self._enqueue = statuses, runs, enqueue
        self._strange_since: dict[str, float] = {}
        self._again: dict[str, int] = {}

    def settle(self, *, at_launch: bool = False) -> int:
        """Check every active job; returns how many were changed. `at_launch`: no work runs yet, so there is no waiting
        period."""
        settled = self._failures.retry_unwritten()
        working = self._store.working()
        self._again = {job.id: count for job in working if (count := self._again.get(job.id))}
        statuses = self._statuses([job.workflow_id for job in working if job.workflow_id]) if working else {}
        strange: dict[str, float] = {}
        now = time.monotonic()
        for job in working:
            status = statuses.get(job.workflow_id or "")
            if status in _WAITS or (status == _RUNS and (at_launch or self._runs(job.workflow_id or ""))):
                continue
            if self._failures.waits(job.id, job.workflow_id):
                continue
            since = strange[f"{job.id} {job.workflow_id}"] = self._strange_since.get(f"{job.id} {job.workflow_id}", now)
            patience_s = 0.0 if at_launch else UNKNOWN_S if status is None else LOST_S if status == _RUNS else 0.0
            if now - since >= patience_s:
                settled += self._queue_again(job, known=status is not None)
        self._strange_since = strange
        return settled

    def _queue_again(self, job: ActiveJob, *, known: bool) -> bool:
        """One job that nothing works for. A workflow that the engine has never seen keeps its name: whoever is about to
        queue it may do so."""
        workflow_id = job.workflow_id or f"{job.id}-{job.phase.value}-0"
        if known:
            workflow_id = f"{job.id}-{job.phase.value}-{time.time_ns():x}"
            if self._again.get(job.id, 0) >= MOST_AGAIN:
                self._fail(job, INTERNAL)
                return True
        try:
            if (known or not job.is_queued or not job.workflow_id) and not self._store.requeue(
                job.id, job.workflow_id, workflow_id
            ):
                return False
        except DubError as error:
            if error.problem is not DISK_FULL:
                raise
            self._fail(job, DISK_FULL)
            return True
        if known:
            self._again[job.id] = self._again.get(job.id, 0) + 1
        log.info("queueing job again", extra={"job_id": job.id})
        self._enqueue(job.phase, job.id, workflow_id)
        return True

    def _fail(self, job: ActiveJob, problem: Problem) -> None:
        self._failures.write(job.id, job.workflow_id, JobError(problem.code, problem.message, problem.hint, job.stage))
