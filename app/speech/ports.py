"""The `Recognizer` and `Voice` protocols that every engine implements, and the types they exchange.

An engine is one module that implements one protocol; `app.speech.registry` maps names to engines. Engines know nothing
of jobs, databases or blobs. Every method may be called from any event loop of the process. Errors are catalogue errors
(`DubError`).
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Protocol

import msgspec

from app.domain.dub_options import SpeakerCount, Task
from app.domain.segment import Segment
from app.domain.spending import Charge
from app.domain.voice_tuning import UNTUNED, VoiceTuning
from app.speech.engine_info import Availability as Availability
from app.speech.engine_info import CostUnit as CostUnit
from app.speech.engine_info import EngineInfo as EngineInfo
from app.speech.engine_info import ModelInfo as ModelInfo
from app.speech.engine_info import Quota as Quota
from app.speech.engine_info import SpeedLimits as SpeedLimits
from app.speech.separation_port import SeparationEngine as SeparationEngine


class Place(Protocol):
    """Disk space reserved for one file."""

    def landed(self, size_bytes: int) -> None:
        """Report that this many bytes have been written."""


# room for so many bytes in a folder; raises disk_full
Reserve = Callable[[int, Path], AbstractAsyncContextManager[Place]]


# ---------------------------------------------------------------- recognition


class RecognitionRequest(msgspec.Struct, frozen=True):
    """`speech` is a 16 kHz mono s16 WAV; `resume_at_s` skips what an earlier run had finished (0: from the start).

    `prompt` is text that is taken to have come before, "" for none; `hotwords` are names and terms as they are written,
    which are likely to be said. `speakers` is who is told apart, by an engine that can ("auto", "off", how many).
    `key` is the person's API key for this engine, else None; it is never logged. `answers` gives the place in which a
    paid engine stores one of its answers, by a name that stands for everything that made it.
    """

    speech: Path
    model: str
    language: str | None
    task: Task
    duration_s: float
    resume_at_s: float
    prompt: str = ""
    hotwords: tuple[str, ...] = ()
    speakers: SpeakerCount = "auto"
    key: str | None = None
    answers: Callable[[str], Answer] | None = None


class RecognitionProgress(msgspec.Struct, frozen=True):
    """`done_s` of the speech's seconds are finished. `message` tells of a model being fetched ("model tiny: 12 of 74
    MB")."""

    done_s: float
    message: str


class Recognised(msgspec.Struct, frozen=True):
    """A finished chunk: everything up to `done_s` is final, so that a later run can go on from there.

    `certainty` of the language is 0..1, the share of the speech heard that sounds like it; None where it was given.
    """

    segments: tuple[Segment, ...]
    language: str
    done_s: float
    certainty: float | None = None


class Recognizer(Protocol):
    """Speech to segments. `key_name` is the engine whose API key it works with, "" for none; `cost_unit` is what its
    price is counted in, None where it costs nothing."""

    name: str
    key_name: str

    @property
    def cost_unit(self) -> CostUnit | None: ...

    async def info(self, key: str | None = None) -> EngineInfo: ...

    def check_model(self, model: str) -> None:
        """Raise model_unknown when the model does not exist. Blocks."""
        ...

    def charge(self, model: str, length_s: float) -> Charge | None:
        """What recognising so much costs; None where it costs nothing."""
        ...

    async def transcribe(
        self, request: RecognitionRequest, on_event: Callable[[RecognitionProgress | Recognised], None]
    ) -> str:
        """Transcribe to the end, handing over chunks as they are done; returns the language (ISO 639-1).

        Cancelling the task ends the work within a second and gives its memory back.
        """
        ...

    async def close(self) -> None: ...


class DiarizationRequest(msgspec.Struct, frozen=True):
    """`speech` is a 16 kHz mono s16 WAV, `spans` the lines' times (start_s, end_s); `count` is how many speak, None
    where nobody knows. `resume_file` is a file in which a killed run finds what it had done."""

    speech: Path
    spans: tuple[tuple[float, float], ...]
    count: int | None
    resume_file: Path


class Diarizer(Protocol):
    """Tells voices apart. `version` grows when it tells the same sound apart in another way."""

    version: int

    async def info(self) -> EngineInfo: ...

    def here(self) -> bool:
        """Whether it can work without a download. Blocks."""
        ...

    async def tell(self, request: DiarizationRequest, on_progress: Callable[[float, str], None]) -> tuple[int, ...]:
        """The group of each span, from 0 in the order in which they first speak; -1 where no voice is heard. Cancelling
        ends the work; what was done is kept. Raises a catalogue error."""
        ...


# ---------------------------------------------------------------- voices


class VoiceInfo(msgspec.Struct, frozen=True):
    """A voice as the person chooses it. `id` is the engine's; "ENGINE:ID" names it everywhere else. `licence` is that
    of what it speaks with ("": none is told); `download_bytes` are downloaded when it first speaks. `owner`: it is in
    the service's public library, and is added to the account before it speaks."""

    engine: str
    id: str
    name: str
    language: str | None
    gender: str | None
    description: str
    preview_url: str | None
    licence: str = ""
    download_bytes: int = 0
    accent: str | None = None
    age: str | None = None
    category: str | None = None
    owner: str | None = None


class VoiceQuery(msgspec.Struct, frozen=True):
    """What to look for in a public library of voices; "" is anything. Pages count from 0."""

    search: str = ""
    language: str = ""
    gender: str = ""
    age: str = ""
    accent: str = ""
    page: int = 0


class SharedVoices(msgspec.Struct, frozen=True):
    """One page of a public library."""

    voices: tuple[VoiceInfo, ...]
    page: int
    has_more: bool


class SpeechRequest(msgspec.Struct, frozen=True):
    """One line to speak. `previous_text` and `next_text` are its neighbours, for engines that use them for intonation.

    `key` is the person's API key for this engine when one came with the request, else None: the engine's own is used.
    It is never logged. `phonemes` are words of the text with espeak-ng's signs for their sound; only a voice that
    `takes_phonemes` gets any.
    Engines that know it make the voice as `tuning` says. `aliases` are all of the job's words that are spoken in
    another spelling, for a voice that `takes_aliases`; for others they are in the text.
    """

    voice: str
    model: str
    text: str
    language: str | None
    speed: float
    previous_text: str
    next_text: str
    key: str | None
    phonemes: tuple[tuple[str, str], ...] = ()
    tuning: VoiceTuning = UNTUNED
    aliases: tuple[tuple[str, str], ...] = ()


class SpokenBy(msgspec.Struct, frozen=True):
    """Which of a service's requests spoke a line, when (Unix time), and of which account: a hash that stands for its
    key. Later lines are joined to it."""

    request: str
    at: float
    account: str


class Spoken(msgspec.Struct, frozen=True):
    """An engine's result: s16le mono PCM. `speed` is the factor that the engine applied itself (1.0: it ignored it)."""

    pcm: bytes
    sample_rate_hz: int
    speed: float
    cost_credits: float
    by: SpokenBy | None = None


class Answer(Protocol):
    """Stores a paid engine's raw response to one request, before anything else is done with it."""

    def load(self) -> bytes | None:
        """The stored response of an earlier, killed run; None when there is none, or it is damaged."""
        ...

    def keep(self, data: bytes) -> None:
        """Store the response: `load` finds it after this returns, even if the process is killed. Blocks only for a
        write into memory."""
        ...


class Sampled(Protocol):
    """An engine whose voices can be heard before they are chosen."""

    async def sample(self, voice_id: str, key: str | None = None) -> tuple[str, bytes]:
        """The media type and bytes of a listed voice's sample. Raises voice_unknown, preview_unavailable."""
        ...


class VoiceLibrary(Sampled, Protocol):
    """What an engine with a public library of voices offers beside speaking. Raises key_missing, key_invalid and the
    service's errors."""

    async def shared(self, query: VoiceQuery, key: str | None = None) -> SharedVoices: ...

    async def add_shared(self, owner: str, voice_id: str, name: str, key: str | None = None) -> str:
        """Add a voice to the account; its id there."""
        ...

    async def clone(self, name: str, sound: bytes, key: str | None = None) -> str:
        """Make a voice of a WAV file; its id."""
        ...

    async def forget(self, voice_id: str, key: str | None = None) -> None:
        """Delete a voice of the account. Raises voice_unknown where it is gone."""
        ...


class Voice(Protocol):
    """A text-to-speech engine. `needs_key`: it speaks only with an API key, the person's or the server's. `speeds` are
    those that a job may ask for; `cost_unit` is what `Spoken.cost_credits` and a model's `credits_per_character` count,
    None where all is free."""

    name: str
    needs_key: bool
    speeds: SpeedLimits
    cost_unit: CostUnit | None

    async def info(self, key: str | None = None) -> EngineInfo: ...

    async def voices(self, key: str | None = None) -> tuple[VoiceInfo, ...]: ...

    async def check(self, request: SpeechRequest) -> None:
        """Raise voice_unknown, voice_model_unknown, text_too_long, key_missing or key_invalid before any money is
        spent."""
        ...

    async def prepare(self, request: SpeechRequest, on_progress: Callable[[str], None]) -> None:
        """Have on this machine what the voice needs, such as a model to download; `on_progress` is told of it in words
        ("voice NAME: 12 of 92 MB"). Raises a catalogue error."""
        ...

    def fingerprint(self, request: SpeechRequest) -> str:
        """A string of everything that decides the sound (never the key): equal strings mean an interchangeable clip."""
        ...

    async def limit(self, request: SpeechRequest) -> int:
        """How many lines may be spoken at once with this key and model."""
        ...

    async def speak(self, request: SpeechRequest, answer: Answer | None = None) -> Spoken:
        """Speak one line, with retries. Raises a catalogue error.

        A paid engine asks `answer` first, and stores its response there as soon as the last byte has arrived.
        """
        ...

    async def close(self) -> None: ...


def reads_numbers(voice: Voice, model: str) -> bool:
    """Whether the engine itself makes words of numbers and abbreviations, better than it could be told: one that does
    says so by a method of this name."""
    own = getattr(voice, "reads_numbers", None)
    return own is not None and bool(own(model))
