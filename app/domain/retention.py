"""What is kept, for how long, and why something is deleted. Plain data and one rule; sizes are bytes, times Unix seconds."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from app.domain.job import ACTIVE, JobState

DAY_S: Final = 24 * 3600.0


class Kind(StrEnum):
    """What retention knows. `sources` are originals with their background and recognition track; `outputs` are finished files with the chunks
    that they are made of; `jobs` is a job with everything."""

    JOBS = "jobs"
    SOURCES = "sources"
    CLIPS = "clips"
    OUTPUTS = "outputs"
    BACKUPS = "backups"


class Why(StrEnum):
    """Older than is kept; more than is kept; nothing needs it (a crash left it, or it is only a copy that saves time)."""

    AGE = "age"
    SIZE = "size"
    UNUSED = "unused"


# What a job that has ended may lose while the job stays. A job that waits for its review needs all that it has.
ENDED: Final = frozenset({JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED})
IDLE: Final = frozenset(JobState) - ACTIVE


class Rule(msgspec.Struct, frozen=True):
    """How long one kind is kept and how much of it; 0: for ever, without limit. The variables change it; "" where there is none."""

    kind: Kind
    keep_days: float
    max_bytes: int
    keep_variable: str
    max_variable: str


class Held(msgspec.Struct, frozen=True):
    """One job and the files that it needs, by kind, each with its size. `source` names its original: jobs with the same one share it."""

    job_id: str
    title: str
    state: JobState
    at: float
    source: str
    files: dict[Kind, tuple[tuple[str, int], ...]]
    shared: tuple[tuple[str, int], ...] = ()  # goes only with the whole job


class Deletion(msgspec.Struct, frozen=True):
    """One thing to delete. `job_ids` are the jobs that lose it (several where they share an original, none for what belongs to no job);
    `names` are files outside of jobs. `bytes` is the room that it makes: what another job still needs stays and does not count.
    """

    kind: Kind
    why: Why
    bytes: int
    job_ids: tuple[str, ...]
    title: str
    at: float
    names: tuple[str, ...] = ()
