"""Request and response bodies of jobs. An UNSET field keeps its value (or gets the default, when a job is created)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from app.domain.dub_options import (
    GROUP_OF,
    AudioCodec,
    AudioFormat,
    Background,
    BurnPosition,
    BurnSize,
    Container,
    Formality,
    JoinShortCues,
    Separate,
    SpeakerCount,
    Task,
)
from app.domain.glossary import MOST_TERMS, Term
from app.domain.job import Job
from app.domain.media import MAX_TEXT_CHARACTERS
from app.domain.segment import MAX_CHANGES, MAX_LINES, MAX_RATE, MIN_RATE, Segment
from app.domain.speaker import COLOURS, LOUDEST_DB, QUIETEST_DB, Speaker
from app.domain.summary import JobSummary
from app.jobs.language_schemas import MOST_FURTHER, LanguageNew

Text = Annotated[str, msgspec.Meta(max_length=MAX_TEXT_CHARACTERS)]
Short = Annotated[str, msgspec.Meta(max_length=255)]
Share = Annotated[float, msgspec.Meta(ge=0, le=1)]
Rate = Annotated[float, msgspec.Meta(ge=MIN_RATE, le=MAX_RATE)]
Level = Annotated[float, msgspec.Meta(ge=QUIETEST_DB, le=LOUDEST_DB)]
Ceiling = Annotated[float, msgspec.Meta(ge=0, le=1e9)]
Id = Annotated[str, msgspec.Meta(max_length=64)]
Terms = Annotated[tuple[Term, ...], msgspec.Meta(max_length=MOST_TERMS)]
_CHANGES = msgspec.Meta(max_length=MAX_CHANGES)


class _GroupPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`version` may be sent back as it came."""

    version: Literal[1] | UnsetType = UNSET


class RecognitionPatch(_GroupPatch, frozen=True, forbid_unknown_fields=True):
    """Changes to `RecognitionOptions`."""

    language: Short | UnsetType | None = UNSET
    task: Task | UnsetType = UNSET
    recognizer: Short | UnsetType = UNSET
    model: Short | UnsetType = UNSET
    audio_track: Annotated[int, msgspec.Meta(ge=0, le=63)] | UnsetType | None = UNSET
    speak_sounds: bool | UnsetType = UNSET
    join_short_cues: JoinShortCues | UnsetType = UNSET
    subtitle_encoding: Short | UnsetType | None = UNSET
    speakers: SpeakerCount | UnsetType = UNSET
    review: bool | UnsetType = UNSET


class TranslationPatch(_GroupPatch, frozen=True, forbid_unknown_fields=True):
    """Changes to `TranslationOptions`."""

    target_language: Short | UnsetType | None = UNSET
    translator: Short | UnsetType = UNSET
    formality: Formality | UnsetType = UNSET
    style: Annotated[str, msgspec.Meta(max_length=500)] | UnsetType = UNSET
    shorten: bool | UnsetType = UNSET


class GlossaryPatch(_GroupPatch, frozen=True, forbid_unknown_fields=True):
    """Changes to `GlossaryOptions`."""

    terms: Terms | UnsetType = UNSET


class VoicesPatch(_GroupPatch, frozen=True, forbid_unknown_fields=True):
    """Changes to `VoiceOptions`."""

    voice: Short | UnsetType = UNSET
    voice_model: Short | UnsetType = UNSET
    speed: float | UnsetType = UNSET
    normalize_text: bool | UnsetType = UNSET
    voice_stability: Share | UnsetType | None = UNSET
    voice_similarity: Share | UnsetType | None = UNSET
    voice_style: Share | UnsetType | None = UNSET
    voice_boost: bool | UnsetType | None = UNSET
    voice_seed: Annotated[int, msgspec.Meta(ge=0, le=4_294_967_295)] | UnsetType | None = UNSET


class TimingPatch(_GroupPatch, frozen=True, forbid_unknown_fields=True):
    """Changes to `TimingOptions`."""

    align_phrases: bool | UnsetType = UNSET


class MixPatch(_GroupPatch, frozen=True, forbid_unknown_fields=True):
    """Changes to `MixOptions`."""

    background: Background | UnsetType = UNSET
    separate: Separate | UnsetType = UNSET
    separator: Short | UnsetType = UNSET
    duck_db: Annotated[float, msgspec.Meta(ge=-60, le=0)] | UnsetType | None = UNSET
    duck_attack_s: Annotated[float, msgspec.Meta(ge=0, le=2)] | UnsetType = UNSET
    duck_hold_s: Annotated[float, msgspec.Meta(ge=0, le=10)] | UnsetType = UNSET
    duck_release_s: Annotated[float, msgspec.Meta(ge=0, le=10)] | UnsetType = UNSET
    keep_db: Annotated[float, msgspec.Meta(ge=-60, le=12)] | UnsetType = UNSET
    loudness_lufs: Annotated[float, msgspec.Meta(ge=-36, le=-8)] | UnsetType | None = UNSET


class OutputPatch(_GroupPatch, frozen=True, forbid_unknown_fields=True):
    """Changes to `OutputOptions`."""

    audio_format: AudioFormat | UnsetType = UNSET
    container: Container | UnsetType = UNSET
    audio_codec: AudioCodec | UnsetType = UNSET
    keep_original_track: bool | UnsetType = UNSET
    burn_subtitles: bool | UnsetType = UNSET
    burn_size: BurnSize | UnsetType = UNSET
    burn_position: BurnPosition | UnsetType = UNSET
    burn_box: bool | UnsetType = UNSET
    hardware_encoder: bool | UnsetType = UNSET


class SpendingPatch(_GroupPatch, frozen=True, forbid_unknown_fields=True):
    """Changes to `SpendingOptions`."""

    ceiling_usd: Ceiling | UnsetType | None = UNSET
    ceiling_credits: Ceiling | UnsetType | None = UNSET


PATCHES: Final[dict[str, type[_GroupPatch]]] = {
    "recognition": RecognitionPatch,
    "translation": TranslationPatch,
    "glossary": GlossaryPatch,
    "voices": VoicesPatch,
    "timing": TimingPatch,
    "mix": MixPatch,
    "output": OutputPatch,
    "spending": SpendingPatch,
}
# Every option by its name alone, as before there were groups. Taken for one more version.
if TYPE_CHECKING:
    _Flat = msgspec.Struct
else:
    _FIELDS = [field for kind in PATCHES.values() for field in msgspec.structs.fields(kind) if field.name != "version"]
    _Flat = msgspec.defstruct(
        "_Flat", [(field.name, field.type, UNSET) for field in _FIELDS], frozen=True, forbid_unknown_fields=True
    )


class OptionsPatch(_Flat, frozen=True, forbid_unknown_fields=True):
    """Changes to `DubOptions`; see its groups for what each means. The names outside of a group are deprecated."""

    recognition: RecognitionPatch | UnsetType = UNSET
    translation: TranslationPatch | UnsetType = UNSET
    glossary: GlossaryPatch | UnsetType = UNSET
    voices: VoicesPatch | UnsetType = UNSET
    timing: TimingPatch | UnsetType = UNSET
    mix: MixPatch | UnsetType = UNSET
    output: OutputPatch | UnsetType = UNSET
    spending: SpendingPatch | UnsetType = UNSET


def asked(patch: OptionsPatch) -> dict[str, Any]:
    """What is asked for, by the options' names; where a name comes in its group and alone, the group counts."""
    groups = [patch, *(group for name in PATCHES if (group := getattr(patch, name)) is not UNSET)]
    return {
        name: value
        for group in groups
        for name in group.__struct_fields__
        if name in GROUP_OF and (value := getattr(group, name)) is not UNSET
    }


def deprecated(patch: OptionsPatch) -> tuple[str, ...]:
    """The options that are asked for by a deprecated name."""
    return tuple(name for name in GROUP_OF if getattr(patch, name) is not UNSET)


class CreateJob(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A job from a finished upload. `subtitles_upload_id` brings an SRT, WebVTT or ASS file instead of recognition,
    `stem_upload_id` the background without voices. `languages` are further ones of the same video, beside that of the
    options."""

    upload_id: str
    title: Short | UnsetType = UNSET
    options: OptionsPatch = OptionsPatch()
    subtitles_upload_id: str | None = None
    stem_upload_id: str | None = None
    languages: Annotated[tuple[LanguageNew, ...], msgspec.Meta(max_length=MOST_FURTHER)] = ()


class JobPatch(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`stem_upload_id` brings a background without voices; None takes it away."""

    title: Short | UnsetType = UNSET
    options: OptionsPatch = OptionsPatch()
    stem_upload_id: str | UnsetType | None = UNSET


class SegmentEdit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Changes to one line. `original` is the source of a line that was translated. `speaker` is the id or the name of a
    speaker; a new name adds one. `voice`, `speed` and `level_db` are this line's own, None its speaker's. An unknown or
    absent `id` is an error; new lines are `SegmentNew`."""

    id: str
    text: Text | UnsetType = UNSET
    original: Text | UnsetType = UNSET
    start_s: float | UnsetType = UNSET
    end_s: float | UnsetType = UNSET
    speaker: Short | UnsetType = UNSET
    skip: bool | UnsetType = UNSET
    start_locked: bool | UnsetType = UNSET
    locked_rate: Rate | UnsetType | None = UNSET
    voice: Short | UnsetType | None = UNSET
    speed: Rate | UnsetType | None = UNSET
    level_db: Level | UnsetType | None = UNSET


class SegmentNew(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A new line; without `speaker` it is said by the one who speaks next to it."""

    text: Text
    start_s: float
    end_s: float
    speaker: Short | UnsetType = UNSET


class SegmentChanges(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """PATCH of the lines, applied completely or not at all. At most 2,000 changes together, and 20,000 lines in the
    end."""

    edit: Annotated[Sequence[SegmentEdit], _CHANGES] = ()
    add: Annotated[Sequence[SegmentNew], _CHANGES] = ()
    remove: Annotated[Sequence[Annotated[str, msgspec.Meta(max_length=64)]], _CHANGES] = ()


class SplitSegment(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Split before the character `at` of the text; the time is divided by word times when known, else by length."""

    at: Annotated[int, msgspec.Meta(ge=1, le=MAX_TEXT_CHARACTERS)]


class Segments(msgspec.Struct, frozen=True):
    """The lines with who speaks them, and their revision (the ETag, as `"REVISION"`)."""

    revision: int
    segments: Annotated[Sequence[Segment], msgspec.Meta(max_length=MAX_LINES)]
    speakers: Sequence[Speaker] = ()


class SpeakerFields(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What can be chosen of a speaker; see `Speaker`."""

    name: Short | UnsetType = UNSET
    colour: Annotated[int, msgspec.Meta(ge=0, lt=COLOURS)] | UnsetType = UNSET
    voice: Short | UnsetType | None = UNSET
    voice_model: Short | UnsetType = UNSET
    speed: Rate | UnsetType | None = UNSET
    level_db: Level | UnsetType = UNSET


class SpeakerPatch(SpeakerFields, frozen=True, forbid_unknown_fields=True):
    """Changes to a speaker."""


class SpeakerNew(SpeakerFields, frozen=True, forbid_unknown_fields=True):
    """A new speaker ("Speaker N" without a name), and the ids of the lines that they say."""

    segments: Annotated[Sequence[Id], _CHANGES] = ()


class CloneVoice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """`have_the_right`: the person who asks has the speaker's consent, or another right to clone the voice. It is
    recorded with the speaker."""

    have_the_right: bool
    engine: Annotated[str, msgspec.Meta(max_length=40)] = "elevenlabs"


class SpeakerMerge(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The id of the speaker who gets the lines."""

    into: Id


class SpeakerTold(Speaker, frozen=True, kw_only=True):
    """A speaker, and how many lines they have."""

    lines: int


class Speakers(msgspec.Struct, frozen=True):
    """The speakers; their revision is that of the lines."""

    revision: int
    speakers: Sequence[SpeakerTold]


class JobPage(msgspec.Struct, frozen=True):
    """A page of jobs, newest first. `next` is the cursor of the following page, None at the end; `total` counts all
    that match."""

    jobs: tuple[JobSummary, ...]
    next: str | None
    total: int


class WholeJobPage(msgspec.Struct, frozen=True):
    """A page of whole jobs, as version 0.1 listed them. Deprecated: it goes with the version after the next."""

    jobs: tuple[Job, ...]
    next: str | None
    total: int
