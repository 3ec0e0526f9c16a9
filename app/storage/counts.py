"""Counts over all jobs, for health and metrics. Every function blocks on the database for milliseconds."""

from __future__ import annotations

import time

from sqlalchemy import Engine, func, select, text

from app.domain.job import JobState, Phase
from app.storage import tables as t
from app.storage.database import reading


def answers(engine: Engine) -> bool:
    """Query the database. Raises its error when it does not answer."""
    with reading(engine) as c:
        return c.execute(text("SELECT 1")).scalar() == 1


def queue_lengths(engine: Engine) -> dict[str, int]:
    """How many jobs wait for each phase."""
    query = select(t.jobs.c.phase, func.count()).where(t.jobs.c.state == JobState.QUEUED).group_by(t.jobs.c.phase)
    with reading(engine) as c:
        found = {str(phase): int(count) for phase, count in c.execute(query).tuples()}
    return {phase.value: found.get(phase.value, 0) for phase in Phase}


def waits_s(engine: Engine) -> dict[str, float]:
    """For how long the first job in each queue has waited, in seconds; a queue that is empty is not named."""
    query = (
        select(t.jobs.c.phase, func.min(t.jobs.c.updated_at))
        .where(t.jobs.c.state == JobState.QUEUED)
        .group_by(t.jobs.c.phase)
    )
    with reading(engine) as c:
        return {str(phase): max(0.0, time.time() - float(since)) for phase, since in c.execute(query).tuples()}
