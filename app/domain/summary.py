"""The summary of a job in a list: enough to show and follow it, without options and files."""

from __future__ import annotations

import msgspec

from app.domain.job import JobError, JobState, Phase


class Length(msgspec.Struct, frozen=True):
    """The duration of a source; the part of `MediaInfo` that a list shows."""

    duration_s: float


class JobSummary(msgspec.Struct, frozen=True):
    """A job in a list. A field that `Job` has too means the same there.

    `recognizer` is the one of its options. `thumbnail` is the SHA-256 of the picture at `/media/ID/thumbnail`, None
    where there is none.
    """

    id: str
    title: str
    state: JobState
    phase: Phase
    stage: str | None
    stage_progress: float
    progress: float
    eta_s: float | None
    recognizer: str
    language: str | None
    media: Length | None
    size_bytes: int
    segment_count: int
    stale: bool
    error: JobError | None
    thumbnail: str | None
    created_at: float
    updated_at: float
    source_gone: bool
    outputs_gone: bool
