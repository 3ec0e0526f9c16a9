"""The stages of a dub, each declared once. Whatever has to know what a stage is, reads it here.

Workflow, skipping, progress and time left, retention, export and import, the command line, the API and the page follow
from these declarations. The work of a stage is a `StageBody` in app/jobs. A new stage is an entry of `STAGES`, its body
and its test.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from operator import attrgetter
from typing import Any, Final

import msgspec

from app.domain.job import Phase
from app.domain.media import ArtifactKind
from app.domain.segment import Clip, Placement
from app.domain.stage_outputs import Finished, Mixed, Separated, Sound, SpeakersFound, Transcribed, Translated


def _none(output: Any) -> tuple[str, ...]:
    return ()


class Stage(msgspec.Struct, frozen=True, kw_only=True):
    """One stage.

    `name` is its name in the database, in archives, in events and metrics; it never changes. `title` is the page's word
    for it, `doing` the terminal's. `options` ("GROUP.NAME") are those that its output may depend on, `reads` the
    earlier stages whose outputs it uses. `output` is the type of its output; `files` names the blobs that such an
    output refers to, all of them in the blob store's folder `folder`, beside the stage's artifacts. `artifacts` are all
    kinds of files that it ever hands out. `weight` is its share of its phase's progress; `first_cost` its seconds per
    second of media before this machine has measured better. `needs_original`: it reads what the person uploaded.
    `each_language`: it runs once for every language of a job; what another stage gives is the same for all.
    """

    name: str
    phase: Phase
    title: str
    doing: str
    output: Any
    weight: float
    first_cost: float
    options: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    files: Callable[[Any], tuple[str, ...]] = _none
    folder: str = ""
    artifacts: tuple[ArtifactKind, ...] = ()
    needs_original: bool = False
    each_language: bool = False


_MIX_OPTIONS: Final = (
    "mix.background",
    "recognition.audio_track",
    "mix.duck_db",
    "mix.duck_attack_s",
    "mix.duck_hold_s",
    "mix.duck_release_s",
    "mix.keep_db",
    "mix.loudness_lufs",
    "output.audio_format",
    "output.container",
    "output.audio_codec",
)
_MUX_OPTIONS: Final = (
    "output.keep_original_track",
    "output.burn_subtitles",
    "output.burn_size",
    "output.burn_position",
    "output.burn_box",
    "output.hardware_encoder",
    "output.container",
    "recognition.task",
    "recognition.language",
    "translation.target_language",
    "translation.translator",
    "recognition.recognizer",
    "recognition.audio_track",
    "mix.loudness_lufs",
)
_FINISHED_FILES: Final = (
    ArtifactKind.VIDEO,
    ArtifactKind.SRT,
    ArtifactKind.VTT,
    ArtifactKind.ASS,
    ArtifactKind.SOURCE_SRT,
    ArtifactKind.REPORT,
)

PROBE: Final = Stage(
    name="probe",
    phase=Phase.PREPARE,
    title="Check",
    doing="reading the file",
    options=("recognition.audio_track", "recognition.language"),
    output=str,
    artifacts=(ArtifactKind.SOURCE,),
    weight=0.02,
    first_cost=0.0,
    needs_original=True,
)
INGEST: Final = Stage(
    name="ingest",
    phase=Phase.PREPARE,
    title="Listen",
    doing="decoding the sound",
    options=("recognition.audio_track",),
    reads=("probe",),
    output=Sound,
    files=Sound.keys,
    folder="ingest",
    artifacts=(ArtifactKind.PEAKS, ArtifactKind.THUMBNAIL),
    weight=0.13,
    first_cost=0.01,
    needs_original=True,
)
TRANSCRIBE: Final = Stage(
    name="transcribe",
    phase=Phase.PREPARE,
    title="Transcribe",
    doing="transcribing",
    options=(
        "recognition.recognizer",
        "recognition.model",
        "recognition.language",
        "recognition.task",
        "recognition.speak_sounds",
        "recognition.join_short_cues",
        "recognition.subtitle_encoding",
        "glossary.terms",
    ),
    reads=("ingest",),
    output=Transcribed,
    weight=0.85,
    first_cost=0.4,
    needs_original=True,
)
SPEAKERS: Final = Stage(
    name="speakers",
    phase=Phase.PREPARE,
    title="Speakers",
    doing="telling speakers apart",
    options=("recognition.speakers",),
    reads=("ingest", "transcribe"),
    output=SpeakersFound,
    weight=0.1,
    first_cost=0.0,
)
TRANSLATE: Final = Stage(
    name="translate",
    phase=Phase.PREPARE,
    title="Translate",
    doing="translating",
    options=(
        "translation.translator",
        "translation.target_language",
        "translation.formality",
        "translation.style",
        "glossary.terms",
        "recognition.language",
        "recognition.task",
    ),
    reads=("transcribe",),
    output=Translated,
    weight=0.1,
    first_cost=0.0,
    each_language=True,
)
SEPARATE: Final = Stage(
    name="separate",
    phase=Phase.RENDER,
    title="Separate",
    doing="separating",
    options=("mix.separate", "mix.separator", "mix.background", "recognition.audio_track"),
    reads=("probe", "ingest"),
    output=Separated,
    files=Separated.keys,
    folder="separated",
    weight=0.15,
    first_cost=0.0,
    needs_original=True,
)
SYNTHESIZE: Final = Stage(
    name="synthesize",
    phase=Phase.RENDER,
    title="Speak",
    doing="speaking",
    options=(
        "voices.voice",
        "voices.voice_model",
        "voices.speed",
        "translation.shorten",
        "glossary.terms",
        "voices.voice_stability",
        "voices.voice_similarity",
        "voices.voice_style",
        "voices.voice_boost",
        "voices.voice_seed",
        "voices.normalize_text",
        "recognition.language",
        "translation.target_language",
        "recognition.task",
    ),
    reads=("transcribe",),
    output=tuple[Clip, ...],
    files=lambda clips: tuple(f"{clip.key}.wav" for clip in clips),
    folder="clips",
    weight=0.5,
    first_cost=0.1,
    each_language=True,
)
FIT: Final = Stage(
    name="fit",
    phase=Phase.RENDER,
    title="Fit",
    doing="fitting",
    options=("voices.speed", "timing.align_phrases"),
    reads=("ingest", "transcribe", "synthesize"),
    output=tuple[Placement, ...],
    weight=0.03,
    first_cost=0.001,
    each_language=True,
)
MIX: Final = Stage(
    name="mix",
    phase=Phase.RENDER,
    title="Mix",
    doing="mixing",
    options=_MIX_OPTIONS,
    reads=("probe", "ingest", "transcribe", "separate", "synthesize", "fit"),
    output=Mixed,
    folder="artifacts",
    artifacts=(ArtifactKind.AUDIO, ArtifactKind.TRACK),
    weight=0.32,
    first_cost=0.02,
    needs_original=True,
    each_language=True,
)
MUX: Final = Stage(
    name="mux",
    phase=Phase.RENDER,
    title="Finish",
    doing="writing the video",
    options=_MUX_OPTIONS,
    reads=("probe", "ingest", "transcribe", "fit", "mix"),
    output=Finished,
    folder="artifacts",
    artifacts=_FINISHED_FILES,
    weight=0.15,
    first_cost=0.005,
    needs_original=True,
    each_language=True,
)

STAGES: tuple[Stage, ...] = (
    PROBE,
    INGEST,
    TRANSCRIBE,
    SPEAKERS,
    TRANSLATE,
    SEPARATE,
    SYNTHESIZE,
    FIT,
    MIX,
    MUX,
)  # in the order in which they run
DECIDES_NOTHING: Final = frozenset(
    {"recognition.review", "spending.ceiling_usd", "spending.ceiling_credits"}
)  # options that are no stage's input


def in_phase(phase: Phase) -> tuple[Stage, ...]:
    """The stages of a phase, in the order in which they run."""
    return tuple(stage for stage in STAGES if stage.phase is phase)


def find(name: str) -> Stage | None:
    """The stage of that name; None for one that only another version has."""
    return next((stage for stage in STAGES if stage.name == name), None)


def named(name: str) -> Stage:
    """The stage of that name. Raises LookupError."""
    if (stage := find(name)) is None:
        raise LookupError(f"there is no stage {name!r}")
    return stage


def names(phase: Phase) -> tuple[str, ...]:
    return tuple(stage.name for stage in in_phase(phase))


def making(folder: str) -> tuple[str, ...]:
    """The names of the stages whose files lie in that folder of the blob store: they run again when such a file is
    gone."""
    return tuple(stage.name for stage in STAGES if stage.folder == folder)


def prepare_options() -> frozenset[str]:
    """The options that decide what is recognised: once the lines are there, changing one would have no effect."""
    return frozenset(name for stage in in_phase(Phase.PREPARE) for name in stage.options)


def chosen(options: Any, stage: Stage, without: Collection[str] = ()) -> list[Any]:
    """The values of the stage's options, in the order of its declaration."""
    return [attrgetter(name)(options) for name in stage.options if name not in without]
