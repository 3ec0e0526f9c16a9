"""A line of the transcript: segment, clip and placement."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

import msgspec

from app.domain.json_decoding import Count

MAX_LINES: Final = 20_000  # of a job
MAX_CHANGES: Final = 2_000  # of one request: its transaction lasts about 0.1 s


class Word(msgspec.Struct, frozen=True):
    """One recognised word. Times are seconds on the video's timeline."""

    text: str
    start_s: float
    end_s: float


class LeftOutKind(StrEnum):
    """Why a part of the source text is not spoken."""

    SOUND = "sound"  # [door slams], (sighs)
    MUSIC = "music"  # a song's lyrics, [upbeat music]
    LABEL = "label"  # who speaks: JOHN:
    CREDIT = "credit"  # who made the subtitles
    ADDRESS = "address"  # of the web, of mail, @name
    EMOJI = "emoji"  # and other pictures


class LeftOut(msgspec.Struct, frozen=True):
    """A part of a line's source text that is not spoken, verbatim."""

    kind: LeftOutKind
    text: str


class Translation(StrEnum):
    """What a line's text is to its `original`: nothing (the line was not translated), its translation, still the same
    because the translator gave no usable one, or the translation of an earlier `original`."""

    NONE = ""
    DONE = "done"
    FAILED = "failed"
    STALE = "stale"


class Segment(msgspec.Struct, frozen=True):
    """One line to be spoken: when, by whom, what.

    `text` is what will be spoken; `source_text` is what was recognised (or brought as a subtitle) and never changes.
    `original` is what was translated, in the language of the video ("" where nothing was), and can be corrected.
    `left_out` are the parts of `source_text` that are not in `text`. A line with nothing to speak has the whole source
    as its `text` and is skipped. `skip`: not spoken; the original sound is kept for this line if the person said so (a
    line that was left out keeps none). `start_locked`: the voice starts at `start_s` exactly; `locked_rate`: it is
    played exactly this many times as fast as spoken (MIN_RATE..MAX_RATE); the fit moves its neighbours instead.
    `speaker` is the id of one of the job's speakers, "" without. `voice` ("ENGINE:VOICE"), `speed` and `level_db` are
    this line's own; None: its speaker's.
    Times are seconds on the video's timeline, 0 <= start_s < end_s.
    """

    id: str
    start_s: float
    end_s: float
    text: str
    source_text: str
    speaker: str
    skip: bool
    words: tuple[Word, ...]
    start_locked: bool = False
    locked_rate: float | None = None
    left_out: tuple[LeftOut, ...] = ()
    original: str = ""
    translation: Translation = Translation.NONE
    voice: str | None = None
    speed: float | None = None
    level_db: float | None = None

    @property
    def unspoken(self) -> bool:
        """Skipped because nothing of it is spoken, not because the person keeps the original sound."""
        return self.skip and bool(self.left_out) and self.text == self.source_text


def untranslated(line: Segment) -> Segment:
    """The line as another language of the video begins with it: its text is the source's, and nothing is chosen of how
    it is spoken."""
    words = () if line.translation else line.words
    return msgspec.structs.replace(
        line,
        text=line.original if line.translation else line.text,
        original="",
        translation=Translation.NONE,
        words=words,
        locked_rate=None,
        voice=None,
        speed=None,
    )


class Wording(msgspec.Struct, frozen=True):
    """A shorter wording, and how many times faster than natural it is foreseen to be spoken."""

    text: str
    pace: float


MIN_RATE: Final = 0.5
MAX_RATE: Final = 2.0


class Clip(msgspec.Struct, frozen=True):
    """A spoken segment in the blob store: mono WAV, 16-bit.

    `key` names the blob and is the hash of everything that made it. `speed` is the factor the voice engine already
    applied (1.0: none); what remains of the wished speed is applied by the fit. `cost_credits` is what the engine
    booked. `pace` is the part of `speed` that was asked of the engine so that the line fits (1.0: none).
    """

    segment_id: str
    key: str
    duration_s: float
    sample_rate_hz: Count
    speed: float
    characters: Count
    cost_credits: float
    pace: float = 1.0


class Flag(StrEnum):
    """A warning about a placed line."""

    SHORTEN = "shorten"  # spoken faster than 1.25x to fit: shorten the text
    LATE = "late"  # starts more than 0.6 s after the original


class Phrase(msgspec.Struct, frozen=True):
    """A piece of a clip at its place: the clip without `trim_start_s` and `trim_end_s`, at the placement's rate."""

    start_s: float
    duration_s: float
    trim_start_s: float
    trim_end_s: float


class Placement(msgspec.Struct, frozen=True):
    """Where a clip goes: starts at `start_s`, lasts `duration_s`, played `rate` times as fast as it was spoken, which
    was `pace` times as fast as the voice speaks by itself.

    `trim_start_s` and `trim_end_s` are the silent edges cut from the clip before it is stretched:
    duration_s = (clip duration - trim_start_s - trim_end_s) / rate. With `phrases`, the clip is placed piece by piece
    instead, with pauses, and `duration_s` goes to the end of the last.
    """

    segment_id: str
    start_s: float
    duration_s: float
    rate: float
    trim_start_s: float
    trim_end_s: float
    flags: tuple[Flag, ...]
    pace: float = 1.0
    phrases: tuple[Phrase, ...] = ()
