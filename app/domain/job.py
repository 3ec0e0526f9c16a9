"""The job: what the person asked for, where it stands, which steps are legal."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from app.domain.media import Artifact, MediaInfo


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


class Stage(StrEnum):
    PROBE = "probe"
    INGEST = "ingest"
    TRANSCRIBE = "transcribe"
    SYNTHESIZE = "synthesize"
    FIT = "fit"
    MIX = "mix"
    MUX = "mux"


PREPARE_STAGES: Final = (Stage.PROBE, Stage.INGEST, Stage.TRANSCRIBE)
RENDER_STAGES: Final = (Stage.SYNTHESIZE, Stage.FIT, Stage.MIX, Stage.MUX)

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


class Task(StrEnum):
    """What recognition writes: the spoken words, or (Whisper's own) an English translation of them."""

    TRANSCRIBE = "transcribe"
    TRANSLATE = "translate"


class Background(StrEnum):
    """What happens to the original sound: lowered under the voice, left as it is, or removed."""

    DUCK = "duck"
    KEEP = "keep"
    REPLACE = "replace"


class DubOptions(msgspec.Struct, frozen=True):
    """Everything a person may choose. No field has a default: `app.jobs.service.default_options` fills them in.

    `language` is ISO 639-1 or None for detection. `recognizer` is a name in the registry, or "subtitles" when the person
    brought them. `model` is a Whisper model name or the path of a checkpoint. `voice` is "ENGINE:VOICE" ("espeak:en").
    `voice_model` is the engine's model ("eleven_multilingual_v2"), "" for its default. `speed` is 0.7-1.2.
    `audio_track` counts the source's audio streams from 0. `review` stops after transcription for the person to read.
    """

    language: str | None
    task: Task
    recognizer: str
    model: str
    voice: str
    voice_model: str
    speed: float
    background: Background
    keep_original_track: bool
    burn_subtitles: bool
    audio_track: int
    review: bool


MIN_SPEED: Final = 0.7
MAX_SPEED: Final = 1.2


class JobError(msgspec.Struct, frozen=True):
    """Why a job failed, in the catalogue's words (`app.domain.errors`)."""

    code: str
    message: str
    hint: str
    stage: Stage | None


class Job(msgspec.Struct, frozen=True):
    """A job as the person sees it. Holds no secret.

    `progress` and `stage_progress` are 0..1; `eta_s` is None until it can be told. `revision` grows with every edit of the
    segments and is their ETag. `rendered_revision` is the revision that the artifacts were made from (None: not yet);
    `stale` says that lines or options changed since. Times are Unix seconds.
    """

    id: str
    title: str
    state: JobState
    phase: Phase
    stage: Stage | None
    stage_progress: float
    progress: float
    eta_s: float | None
    options: DubOptions
    language: str | None
    media: MediaInfo | None
    size_bytes: int
    segment_count: int
    revision: int
    rendered_revision: int | None
    stale: bool
    error: JobError | None
    artifacts: tuple[Artifact, ...]
    created_at: float
    updated_at: float
