"""Events of a job's WebSocket. Every event carries the job's `seq`, which only grows."""

from __future__ import annotations

import msgspec

from app.domain.job import Job
from app.domain.link import Link
from app.domain.segment import Segment
from app.domain.speaker import Speaker


class JobSnapshot(msgspec.Struct, frozen=True, tag="snapshot", tag_field="type"):
    """The first event of a connection: the whole job, as in the database. Earlier events are not needed."""

    job_id: str
    seq: int
    job: Job
    segments: tuple[Segment, ...]
    speakers: tuple[Speaker, ...] = ()


class StateChanged(msgspec.Struct, frozen=True, tag="state", tag_field="type"):
    """The job's row changed: state, options, artifacts, error."""

    job_id: str
    seq: int
    job: Job


class Progress(msgspec.Struct, frozen=True, tag="progress", tag_field="type"):
    """`stage` is the name of the stage. `message` is a short text for the person ("model: 120 of 144 MB"), or "".
    `language` is the one that is worked on, where the job has several."""

    job_id: str
    seq: int
    stage: str
    stage_progress: float
    progress: float
    eta_s: float | None
    message: str
    language: str | None = None


class SegmentsChanged(msgspec.Struct, frozen=True, tag="segments", tag_field="type"):
    """Segments that are new or changed, and the ids of deleted ones; all speakers, where one of them has changed."""

    job_id: str
    seq: int
    revision: int
    segments: tuple[Segment, ...]
    removed: tuple[str, ...]
    speakers: tuple[Speaker, ...] | None = None


class Deleted(msgspec.Struct, frozen=True, tag="deleted", tag_field="type"):
    job_id: str
    seq: int


class Heartbeat(msgspec.Struct, frozen=True, tag="heartbeat", tag_field="type"):
    """Sent every 5 s, so that a client notices a dead connection."""

    at: float


class LinkChanged(msgspec.Struct, frozen=True, tag="link", tag_field="type"):
    """A link is new or has changed; `link` is None when it is gone."""

    link_id: str
    seq: int
    link: Link | None


JobEvent = JobSnapshot | StateChanged | Progress | SegmentsChanged | Deleted
AnyEvent = JobEvent | LinkChanged
