"""A job: its options, its state, and the legal transitions."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final

import msgspec

from app.domain.media import Artifact, MediaInfo
from app.domain.subtitle_file import BroughtSubtitles


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


class Task(StrEnum):
    """What recognition writes: the spoken words, or (Whisper's own) an English translation of them."""

    TRANSCRIBE = "transcribe"
    TRANSLATE = "translate"


class Background(StrEnum):
    """What happens to the original sound: lowered under the voice, unchanged, or removed."""

    DUCK = "duck"
    KEEP = "keep"
    REPLACE = "replace"


class AudioFormat(StrEnum):
    """The format of the sound file: AAC in MP4, Opus in Ogg, MP3, or a lossless one."""

    M4A = "m4a"
    OPUS = "opus"
    MP3 = "mp3"
    WAV = "wav"
    FLAC = "flac"


class Container(StrEnum):
    """What the video comes in. `auto` is MP4 where the picture may be copied into it, else MKV. WebM takes VP8, VP9 and AV1 and speaks Opus."""

    AUTO = "auto"
    MP4 = "mp4"
    MKV = "mkv"
    WEBM = "webm"


class AudioCodec(StrEnum):
    """How the dub is coded in the video: AAC everywhere, Opus in MKV and WebM."""

    AAC = "aac"
    OPUS = "opus"


class BurnSize(StrEnum):
    SMALL = "small"
    MEDIUM = "medium"
    LARGE = "large"


class BurnPosition(StrEnum):
    BOTTOM = "bottom"
    TOP = "top"


class JoinShortCues(StrEnum):
    """Whether subtitles of a word or two are joined to sentences before they are spoken; `auto`: where the file looks like it."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


class Joined(msgspec.Struct, frozen=True):
    """Short subtitles that were joined: how many there were, and how many lines they became."""

    cues: int
    lines: int


class DubOptions(msgspec.Struct, frozen=True):
    """Everything a person may choose. No field has a default: `app.jobs.service.default_options` fills them in.

    What is heard: `language` is ISO 639-1 or None for detection; `target_language` is the language that the lines are spoken in when it is
    another one (translated by hand, or brought), None for the same. `recognizer` is a name in the registry, or "subtitles" when the person
    brought them. `speak_sounds`: sound descriptions, lyrics, speakers' names and credits are spoken as they stand (they are left out else);
    `join_short_cues` is about brought subtitles, and so is `subtitle_encoding` (None: it is guessed). `model` is a Whisper
    model's name, the name of a checkpoint in the models folder, or, where the operator chose it, a checkpoint's path.
    `audio_track` counts the source's audio streams from 0;
    None takes the best one (`app.dubbing.audio_tracks`).
    How it is spoken: `voice` is "ENGINE:VOICE" ("espeak:en"); `voice_model` is the engine's model ("eleven_multilingual_v2"), "" for its
    default; `speed` is a factor within the limits of the voice's engine. `review` stops after transcription for the person to read.
    The mix: `background` with `duck_db` (how far the original, or its stem, is lowered under the voice, negative; None: as far as the voice
    needs), `duck_attack_s`, `duck_hold_s`, `duck_release_s`, and `keep_db` (its level when it is kept). `loudness_lufs` is the
    whole's integrated loudness, None to leave it.
    The files: `audio_format`, `container`, `audio_codec` (of the video's dub), `keep_original_track`; `burn_subtitles` with `burn_size`,
    `burn_position`, `burn_box`; `hardware_encoder` uses the machine's video encoder for burning, if it has one.
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
    audio_track: Annotated[int, msgspec.Meta(ge=0, le=63)] | None
    review: bool
    target_language: str | None
    duck_db: float | None
    duck_attack_s: float
    duck_hold_s: float
    duck_release_s: float
    keep_db: float
    loudness_lufs: float | None
    audio_format: AudioFormat
    container: Container
    audio_codec: AudioCodec
    burn_size: BurnSize
    burn_position: BurnPosition
    burn_box: bool
    hardware_encoder: bool
    speak_sounds: bool
    join_short_cues: JoinShortCues
    subtitle_encoding: str | None


# What the operator's settings do not decide. Rows from before a field existed are given these by the migration that brought it.
NEUTRAL: Final[dict[str, Any]] = {
    "target_language": None,
    "duck_db": None,
    "duck_attack_s": 0.12,
    "duck_hold_s": 0.8,
    "duck_release_s": 0.45,
    "keep_db": 0.0,
    "loudness_lufs": -16.0,
    "audio_format": AudioFormat.M4A,
    "container": Container.AUTO,
    "audio_codec": AudioCodec.AAC,
    "burn_size": BurnSize.MEDIUM,
    "burn_position": BurnPosition.BOTTOM,
    "burn_box": False,
    "hardware_encoder": False,
    "speak_sounds": False,
    "join_short_cues": JoinShortCues.AUTO,
    "subtitle_encoding": None,
}


def effective(options: DubOptions) -> DubOptions:
    """The same dub, with what decides nothing about it at rest: what burns when nothing is burned, how to duck when nothing is ducked."""
    idle: dict[str, Any] = {"review": True}
    if not options.burn_subtitles:
        idle["hardware_encoder"] = NEUTRAL["hardware_encoder"]  # the style stays: the ASS file has it too
    if options.background is not Background.DUCK:
        idle["duck_db"] = NEUTRAL["duck_db"]
    if options.background is not Background.KEEP:
        idle["keep_db"] = NEUTRAL["keep_db"]
    return msgspec.structs.replace(options, **idle)


def same_dub(a: DubOptions, b: DubOptions) -> bool:
    """Whether a render with one would give what a render with the other gave."""
    return effective(a) == effective(b)


LOUDNESS_TARGETS: Final = (-14.0, -16.0, -23.0)  # streaming music, spoken word and podcasts, EBU R 128 broadcast


class JobError(msgspec.Struct, frozen=True):
    """Why a job failed, in the catalogue's words (`app.domain.errors`). `stage` is the name of the stage that failed.
    `segments` are the ids of the lines that are to blame, where some are.
    """

    code: str
    message: str
    hint: str
    stage: str | None
    segments: tuple[str, ...] = ()


class Job(msgspec.Struct, frozen=True):
    """A job as the person sees it. Holds no secret.

    `stage` is the name of a stage (`app.domain.stages`).
    `has_stem`: a background without voices was brought. `progress` and `stage_progress` are 0..1; `eta_s` is None until it can be told.
    `revision` grows with every edit of the segments and is their ETag. `rendered_revision` is the revision that the artifacts were made from
    (None: not yet); `stale` says that lines, options or the stem changed since. `joined`: short subtitles were
    joined. `subtitles`: how the file that was brought was read. `source_gone`,
    `outputs_gone`: retention has deleted the original, the finished files. Times are Unix seconds.
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
    stale: bool
    error: JobError | None
    artifacts: tuple[Artifact, ...]
    created_at: float
    updated_at: float
    source_gone: bool = False
    outputs_gone: bool = False
    joined: Joined | None = None
    subtitles: BroughtSubtitles | None = None
