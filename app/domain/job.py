"""A job: its options, its state, and the legal transitions."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from app.domain.dub_options import DubOptions
from app.domain.media import Artifact, MediaInfo
from app.domain.subtitle_file import SubtitleReading
from app.domain.voice_chosen import VoiceChosen


class JobState(StrEnum):
    QUEUED = "queued"
    PREPARING = "preparing"
    REVIEW = "review"
    RENDERING = "rendering"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Phase(StrEnum):
    """Which of the two workflows a queued, running, failed or cancelled job is in."""

    PREPARE = "prepare"
    RENDER = "render"


ACTIVE: Final = frozenset({JobState.QUEUED, JobState.PREPARING, JobState.RENDERING})
EDITABLE: Final = frozenset({JobState.REVIEW, JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED})

TRANSITIONS: Final[dict[JobState, frozenset[JobState]]] = {
    JobState.QUEUED: frozenset({JobState.PREPARING, JobState.RENDERING, JobState.CANCELLED, JobState.FAILED}),
    JobState.PREPARING: frozenset({JobState.REVIEW, JobState.QUEUED, JobState.FAILED, JobState.CANCELLED}),
    JobState.REVIEW: frozenset({JobState.QUEUED}),
    JobState.RENDERING: frozenset({JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED}),
    JobState.COMPLETED: frozenset({JobState.QUEUED}),
    JobState.FAILED: frozenset({JobState.QUEUED}),
    JobState.CANCELLED: frozenset({JobState.QUEUED}),
}


class Joined(msgspec.Struct, frozen=True):
    """Short subtitles that were joined: how many there were, and how many lines they became."""

    cues: int
    lines: int


class JobError(msgspec.Struct, frozen=True):
    """Why a job failed, in the words of `app.domain.catalogue`. `stage` is the name of the stage that failed.
    `segments` are the ids of the lines that are to blame, where some are.
    """

    code: str
    message: str
    hint: str
    stage: str | None
    segments: tuple[str, ...] = ()


class JobLanguage(msgspec.Struct, frozen=True):
    """One of the languages of a job that has several. `id` is the job that holds its lines, voices and files; the first
    language is the job itself. `language` is ISO 639-1, None while it is not known. `rendered`: the finished file has
    it; `stale`: it was changed since. `error` is why it is not in the file."""

    id: str
    language: str | None
    rendered: bool = False
    stale: bool = False
    error: JobError | None = None


class Job(msgspec.Struct, frozen=True):
    """A job as the person sees it. Holds no secret.

    `stage` is the name of a stage (`app.domain.stages`).
    `has_stem`: a background without voices was brought. `progress` and `stage_progress` are 0..1; `eta_s` is None until
    it can be told. `revision` grows with every edit of the segments and is their ETag. `rendered_revision` is the
    revision that the artifacts were made from (None: not yet); `stale` says that lines, options or the stem changed
    since. `choices_revision` grows with every change of the title, the options or the stem. `joined`: short subtitles
    were joined. `subtitles`: how the file that was brought was read. `source_gone`, `outputs_gone`: retention has
    deleted the original, the finished files. `language_certainty` is 0..1, the share of the speech heard that sounds
    like `language`; None where the person told it. `voice_chosen` is what `local:auto` spoke with in the last
    render, and why. `languages` are all languages of a job with more than one, the first one first. `parent_id`: this
    is a further language of that job, whose state, progress and original it shares. Times are Unix seconds.
    """

    id: str
    title: str
    state: JobState
    phase: Phase
    stage: str | None
    stage_progress: float
    progress: float
    eta_s: float | None
    options: DubOptions
    language: str | None
    media: MediaInfo | None
    size_bytes: int
    segment_count: int
    has_stem: bool
    revision: int
    rendered_revision: int | None
    choices_revision: int
    stale: bool
    error: JobError | None
    artifacts: tuple[Artifact, ...]
    created_at: float
    updated_at: float
    source_gone: bool = False
    outputs_gone: bool = False
    joined: Joined | None = None
    subtitles: SubtitleReading | None = None
    language_certainty: float | None = None
    voice_chosen: VoiceChosen | None = None
    parent_id: str | None = None
    languages: tuple[JobLanguage, ...] = ()
