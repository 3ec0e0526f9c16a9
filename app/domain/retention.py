"""Kinds of files, rules of retention and reasons of deletions. Plain data; sizes are bytes, times Unix seconds."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from app.domain.job import ACTIVE, JobState

DAY_S: Final = 24 * 3600.0


class Kind(StrEnum):
    """The kinds of files that rules apply to. `sources` are originals with their background and recognition track;
    `outputs` are finished files with the chunks that they are made of; `jobs` is a job with everything."""

    JOBS = "jobs"
    SOURCES = "sources"
    CLIPS = "clips"
    OUTPUTS = "outputs"
    BACKUPS = "backups"


class Why(StrEnum):
    """The reason of a deletion: too old, too large, or unused (left by a crash, or a copy that only saves time)."""

    AGE = "age"
    SIZE = "size"
    UNUSED = "unused"


# What an ended job may lose while the job itself stays. A job in review needs all its files.
ENDED: Final = frozenset({JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED})
IDLE: Final = frozenset(JobState) - ACTIVE


class Rule(msgspec.Struct, frozen=True):
    """How long one kind is kept, and how many bytes of it; 0 means no limit. `..._variable` name the settings that
    change it, or ""."""

    kind: Kind
    keep_days: float
    max_bytes: int
    keep_variable: str
    max_variable: str


class Held(msgspec.Struct, frozen=True):
    """A job and its files by kind, with their sizes. `source` names its original file: jobs with the same source share
    it."""

    job_id: str
    title: str
    state: JobState
    at: float
    source: str
    files: dict[Kind, tuple[tuple[str, int], ...]]
    shared: tuple[tuple[str, int], ...] = ()  # deleted only with the whole job
    languages: tuple[str, ...] = ()  # the ids of its further languages


class Deletion(msgspec.Struct, frozen=True):
    """One planned deletion. `job_ids` are the jobs that lose files (several when they share a source, none for files
        without a job);
    `names` are files outside of jobs. `bytes` is the space that becomes free: files that another job still needs do not
    count.
    """

    kind: Kind
    why: Why
    bytes: int
    job_ids: tuple[str, ...]
    title: str
    at: float
    names: tuple[str, ...] = ()
