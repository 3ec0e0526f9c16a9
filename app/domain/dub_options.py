"""What a person may choose of a dub, in groups. Every field has a default; stored options of any version are read, and
nothing of them is lost.

A field that a later version wrote is kept as it came (`later`) and written back, so that a row goes through this
version unharmed. A field that an earlier version did not know has its default. So a new field needs a default here and
no migration.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated, Any, Final, Literal

import msgspec
from msgspec import UNSET, UnsetType

from app.domain.glossary import Term
from app.domain.spending import Ceiling


class Task(StrEnum):
    """What recognition writes: the spoken words, or (Whisper's own) an English translation of them."""

    TRANSCRIBE = "transcribe"
    TRANSLATE = "translate"


class Background(StrEnum):
    """What happens to the original sound: lowered under the voice, unchanged, or removed."""

    DUCK = "duck"
    KEEP = "keep"
    REPLACE = "replace"


class Separate(StrEnum):
    """Whether the old voice is taken out of the original sound, so that its music stays; `auto`: where the model is
    here and the original is lowered."""

    OFF = "off"
    AUTO = "auto"
    ON = "on"


class AudioFormat(StrEnum):
    """The format of the sound file: AAC in MP4, Opus in Ogg, MP3, or a lossless one."""

    M4A = "m4a"
    OPUS = "opus"
    MP3 = "mp3"
    WAV = "wav"
    FLAC = "flac"


class Container(StrEnum):
    """What the video comes in. `auto` is MP4 where the picture may be copied into it, else MKV. WebM takes VP8, VP9 and
    AV1 and speaks Opus."""

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


class Formality(StrEnum):
    """How people are addressed in the translation, where its language has several ways."""

    DEFAULT = "default"
    FORMAL = "formal"
    INFORMAL = "informal"


class JoinShortCues(StrEnum):
    """Whether subtitles of a word or two are joined to sentences before they are spoken; `auto`: where the file looks
    like it."""

    AUTO = "auto"
    ON = "on"
    OFF = "off"


Version = Annotated[int, msgspec.Meta(ge=1)]
Later = dict[str, Any] | UnsetType
SpeakerCount = Literal["off", "auto"] | Annotated[int, msgspec.Meta(ge=1, le=10)]
AudioTrack = Annotated[int, msgspec.Meta(ge=0, le=63)] | None


class RecognitionOptions(msgspec.Struct, frozen=True, kw_only=True):
    """What is heard, and where the lines come from.

    `language` is ISO 639-1, None for detection. `recognizer` is a name in the registry, or "subtitles" when the person
    brought them. `model` is a Whisper model's name, the name of a checkpoint in the models folder, or, where the
    operator chose it, a checkpoint's path. `audio_track` counts the source's audio streams from 0; None takes the best
    one (`app.dubbing.audio_tracks`). `speak_sounds`: sound descriptions, lyrics, speakers' names and credits are spoken
    as they stand (they are left out else). `join_short_cues` is about subtitles that were brought, and so is
    `subtitle_encoding` (None: it is guessed). `speakers`: who says which line is found out, where the model for it is
    here ("auto"), or for so many speakers. `review` stops after recognition, for the person to read the lines.
    """

    version: Version = 1
    language: str | None = None
    task: Task = Task.TRANSCRIBE
    recognizer: str = "openai-whisper"
    model: str = ""
    audio_track: AudioTrack = None
    speak_sounds: bool = False
    join_short_cues: JoinShortCues = JoinShortCues.AUTO
    subtitle_encoding: str | None = None
    speakers: SpeakerCount = "auto"
    review: bool = True
    later: Later = UNSET


class TranslationOptions(msgspec.Struct, frozen=True, kw_only=True):
    """`target_language` is the language of the lines when it is another one than the video's, else None. `translator`
    is the engine that translates them into it; "" when they are translated by hand, or brought. `formality` is for
    DeepL and chat models, `style` is told to chat models in a person's words. `shorten`: a line that is hurried once it
    has been spoken gets a shorter wording, and is spoken again."""

    version: Version = 1
    target_language: str | None = None
    translator: str = ""
    formality: Formality = Formality.DEFAULT
    style: str = ""
    shorten: bool = False
    later: Later = UNSET


class GlossaryOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Terms and names that recognition, translation and voices are told."""

    version: Version = 1
    terms: tuple[Term, ...] = ()
    later: Later = UNSET


class VoiceOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the lines are spoken. `voice` is "ENGINE:VOICE"; `voice_model` is the engine's model, "" for its default;
    `speed` is a factor within the engine's limits. `normalize_text`: numbers, units and abbreviations are written out
    for voices that do not do it themselves. What is named `voice_` tunes voices of engines that know it
    (`app.domain.voice_tuning`); None leaves it to the voice."""

    version: Version = 1
    voice: str = "espeak:auto"
    voice_model: str = ""
    speed: float = 1.0
    normalize_text: bool = True
    voice_stability: float | None = None
    voice_similarity: float | None = None
    voice_style: float | None = None
    voice_boost: bool | None = None
    voice_seed: int | None = None
    later: Later = UNSET


class TimingOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the lines are placed. `align_phrases`: where the original pauses inside a line, the dub pauses too."""

    version: Version = 1
    align_phrases: bool = False
    later: Later = UNSET


class MixOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The sound of the whole.

    `separate` makes a background without voices of the original; one that was brought goes before it. `separator` is
    the engine that does it, "" for the model on this machine. `duck_db` is how
    far the original, or its stem, is lowered under the voice (negative; None: as far as the voice needs), with
    `duck_attack_s`, `duck_hold_s` and `duck_release_s`; `keep_db` is its level when it is kept. `loudness_lufs` is the
    whole's integrated loudness, None leaves it.
    """

    version: Version = 1
    background: Background = Background.DUCK
    separate: Separate = Separate.AUTO
    separator: str = ""
    duck_db: float | None = None
    duck_attack_s: float = 0.12
    duck_hold_s: float = 0.8
    duck_release_s: float = 0.45
    keep_db: float = 0.0
    loudness_lufs: float | None = -16.0
    later: Later = UNSET


class OutputOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The files. `audio_codec` is that of the video's dub; `hardware_encoder` uses the machine's video encoder for
    burning, if it has one."""

    version: Version = 1
    audio_format: AudioFormat = AudioFormat.M4A
    container: Container = Container.AUTO
    audio_codec: AudioCodec = AudioCodec.AAC
    keep_original_track: bool = False
    burn_subtitles: bool = False
    burn_size: BurnSize = BurnSize.MEDIUM
    burn_position: BurnPosition = BurnPosition.BOTTOM
    burn_box: bool = False
    hardware_encoder: bool = False
    later: Later = UNSET


class SpendingOptions(msgspec.Struct, frozen=True, kw_only=True):
    """The most that the job may spend at paid services, in US dollars and in ElevenLabs' credits; None is no limit."""

    version: Version = 1
    ceiling_usd: float | None = None
    ceiling_credits: float | None = None
    later: Later = UNSET

    @property
    def ceiling(self) -> Ceiling:
        return Ceiling(self.ceiling_usd, self.ceiling_credits)


class DubOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a person may choose. What the operator's settings decide is filled in by
    `app.server.services.defaults`.

    No two groups have a field of the same name. `later` are groups of a later version.
    """

    recognition: RecognitionOptions = RecognitionOptions()
    translation: TranslationOptions = TranslationOptions()
    glossary: GlossaryOptions = GlossaryOptions()
    voices: VoiceOptions = VoiceOptions()
    timing: TimingOptions = TimingOptions()
    mix: MixOptions = MixOptions()
    output: OutputOptions = OutputOptions()
    spending: SpendingOptions = SpendingOptions()
    later: Later = UNSET


GROUPS: Final[dict[str, type[msgspec.Struct]]] = {
    "recognition": RecognitionOptions,
    "translation": TranslationOptions,
    "glossary": GlossaryOptions,
    "voices": VoiceOptions,
    "timing": TimingOptions,
    "mix": MixOptions,
    "output": OutputOptions,
    "spending": SpendingOptions,
}
_ABOUT: Final = ("version", "later")
# The group of every option, by the option's name, which stood alone before there were groups.
GROUP_OF: Final[dict[str, str]] = {
    field: group for group, kind in GROUPS.items() for field in kind.__struct_fields__ if field not in _ABOUT
}


def changed(options: DubOptions, /, **fields: Any) -> DubOptions:
    """The same options but for these fields, which are named without their group."""
    return msgspec.structs.replace(
        options,
        **{
            group: msgspec.structs.replace(getattr(options, group), **some) for group, some in in_groups(fields).items()
        },
    )


def in_groups(fields: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Fields that are named without their group, by group."""
    found: dict[str, dict[str, Any]] = {}
    for name, value in fields.items():
        found.setdefault(GROUP_OF[name], {})[name] = value
    return found


def to_row(options: DubOptions) -> dict[str, Any]:
    """As it is stored and archived: what a later version wrote stands where that version looks for it."""
    row = msgspec.to_builtins(options)
    groups = {name: row.pop(name) for name in GROUPS}
    return {**row.get("later", {}), **{name: {**group.pop("later", {}), **group} for name, group in groups.items()}}


def from_row(row: Mapping[str, Any]) -> DubOptions:
    """Stored options of any version. Raises msgspec.ValidationError."""
    return msgspec.convert(readable(row), DubOptions)


def readable(row: Mapping[str, Any]) -> dict[str, Any]:
    """Stored options of any version in the shape of this one, values unchecked: from before there were groups, and with
    fields of later ones."""
    known: dict[str, Any] = in_groups({name: value for name, value in row.items() if name in GROUP_OF})
    later = {name: value for name, value in row.items() if name not in GROUP_OF and name not in GROUPS}
    for name, kind in GROUPS.items():
        group = row.get(name, {})
        if not isinstance(group, Mapping):  # whoever converts it says so
            known[name] = group
            continue
        fields = set(kind.__struct_fields__) - {"later"}
        unknown = {field: value for field, value in group.items() if field not in fields}
        mine = {field: value for field, value in group.items() if field in fields}
        known[name] = {**known.get(name, {}), **mine, **({"later": unknown} if unknown else {})}
    return {**known, **({"later": later} if later else {})}


def effective(options: DubOptions) -> DubOptions:
    """The same dub, with what decides nothing about it at rest: what burns when nothing is burned, how to duck when
    nothing is ducked."""
    idle: dict[str, Any] = {"review": True, "ceiling_usd": None, "ceiling_credits": None}
    if not options.output.burn_subtitles:
        idle["hardware_encoder"] = False  # the style stays: the ASS file has it too
    if options.mix.background is not Background.DUCK:
        idle["duck_db"] = None
    if options.mix.background is not Background.KEEP:
        idle["keep_db"] = 0.0
    if options.mix.background is Background.REPLACE:
        idle["separate"] = Separate.AUTO
    if options.mix.separate is not Separate.ON:
        idle["separator"] = ""
    return changed(options, **idle)


def spoken_in(options: DubOptions, language: str | None) -> str | None:
    """The language that the voice speaks; `language` is the one that was recognised."""
    heard = options.recognition.language or language
    return options.translation.target_language or ("en" if options.recognition.task is Task.TRANSLATE else heard)


def heard_as(options: DubOptions, language: str | None) -> str | None:
    """The language of the lines as they were recognised."""
    return "en" if options.recognition.task is Task.TRANSLATE else options.recognition.language or language


def same_dub(a: DubOptions, b: DubOptions) -> bool:
    """Whether a render with one would give what a render with the other gave."""
    return effective(a) == effective(b)


LOUDNESS_TARGETS: Final = (-14.0, -16.0, -23.0)  # streaming music, spoken word and podcasts, EBU R 128 broadcast
