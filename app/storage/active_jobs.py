"""Queries for active jobs and their workflows, used to find jobs without running work."""

from __future__ import annotations

import msgspec
from sqlalchemy import Engine, select, update

from app.domain.job import ACTIVE, JobState, Phase
from app.storage import tables as t
from app.storage.database import reading


class ActiveJob(msgspec.Struct, frozen=True):
    """An active job and its workflow."""

    id: str
    phase: Phase
    stage: str | None
    is_queued: bool
    workflow_id: str | None


class ActiveJobs:
    """The part of the job store for active jobs."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def working(self) -> list[ActiveJob]:
        """Every active job, those at work first, then as they were queued; one short query."""
        columns = (t.jobs.c.id, t.jobs.c.phase, t.jobs.c.stage, t.jobs.c.state, t.jobs.c.workflow_id)
        with reading(self._engine) as c:
            waits = t.jobs.c.state == JobState.QUEUED
            found = c.execute(
                select(*columns).where(t.jobs.c.state.in_(list(ACTIVE))).order_by(waits, t.jobs.c.updated_at)
            ).all()
        return [ActiveJob(r.id, Phase(r.phase), r.stage, r.state == JobState.QUEUED, r.workflow_id) for r in found]

    def requeue(self, job_id: str, lost: str | None, workflow_id: str) -> bool:
        """Put an active job back into the queue under another workflow, whatever it was doing: the workflow `lost` does
        nothing for it any more.

        False when the job has ended, or is another workflow's by now.
        """
        owned = t.jobs.c.workflow_id.is_(None) if lost is None else t.jobs.c.workflow_id == lost
        with self._engine.begin() as c:
            waiting = update(t.jobs).where(t.jobs.c.id == job_id, t.jobs.c.state.in_(list(ACTIVE)), owned)
            return c.execute(waiting.values(state=JobState.QUEUED, workflow_id=workflow_id)).rowcount == 1
