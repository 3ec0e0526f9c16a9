"""Sums over all jobs, for health and metrics. Every function blocks on the database for milliseconds."""

from __future__ import annotations

from sqlalchemy import Engine, func, select, text

from app.domain.job import JobState, Phase
from app.storage import tables as t
from app.storage.database import reading


def answers(engine: Engine) -> bool:
    """Whether the database answers. Raises what it raises."""
    with reading(engine) as c:
        return c.execute(text("SELECT 1")).scalar() == 1


def queue_lengths(engine: Engine) -> dict[str, int]:
    """How many jobs wait for each phase."""
    query = select(t.jobs.c.phase, func.count()).where(t.jobs.c.state == JobState.QUEUED).group_by(t.jobs.c.phase)
    with reading(engine) as c:
        found = {str(phase): int(count) for phase, count in c.execute(query).tuples()}
    return {phase.value: found.get(phase.value, 0) for phase in Phase}


def stage_totals(engine: Engine) -> dict[str, tuple[int, float]]:
    """Per stage, how many have finished and the seconds they took, over the jobs that are kept."""
    query = select(t.stages.c.stage, func.count(), func.sum(t.stages.c.seconds)).group_by(t.stages.c.stage)
    with reading(engine) as c:
        return {str(stage): (int(count), float(seconds)) for stage, count, seconds in c.execute(query).tuples()}
