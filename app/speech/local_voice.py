"""The best voice on this machine for a language: a neural one that is here or can be downloaded, else espeak-ng.

The choice is made where nobody waits: it reads the models folder and asks no network. A download that failed is not
tried again for a while; until then the choice is what needs none.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

import msgspec

from app.domain.voice_chosen import VoiceChosen
from app.speech.espeak.voice import EspeakVoice
from app.speech.neural.catalogue import NeuralVoice
from app.speech.neural.voice import AUTO, NeuralVoices
from app.speech.ports import (
    Answer,
    Availability,
    CostUnit,
    EngineInfo,
    SpeechRequest,
    SpeedLimits,
    Spoken,
    Voice,
    VoiceInfo,
)

if TYPE_CHECKING:
    from app.domain.errors import DubError

NAME: Final = "local"
_FORGET_S: Final = 600.0  # so long after a failure no download is tried
_PROBE_S: Final = 4.0  # so long an address has to answer


class LocalVoice:
    """The engine "local", whose one voice "auto" is a voice of another engine. `downloads`: it may be downloaded."""

    name = NAME
    needs_key = False
    takes_phonemes = True
    speeds = SpeedLimits(
        max(NeuralVoices.speeds.min, EspeakVoice.speeds.min), min(NeuralVoices.speeds.max, EspeakVoice.speeds.max)
    )
    cost_unit: CostUnit | None = None

    def __init__(self, neural: NeuralVoices, espeak: EspeakVoice, *, downloads: bool) -> None:
        self._neural, self._espeak, self._downloads = neural, espeak, downloads
        self._failed: tuple[float, str] | None = None  # until when, and why

    # ---- the choice

    def chosen(self, language: str | None) -> VoiceChosen:
        """The voice for a language (ISO 639, None: English), and why it is that one. Blocks: looks into the models
        folder."""
        wanted = primary(language)
        voices = self._neural.speaking(wanted)
        missing = self._neural.missing()
        if missing:
            return self._robot(f"{missing} is not installed, so that no neural voice can speak.", wanted)
        failed = self._failed[1] if self._failed is not None and time.monotonic() < self._failed[0] else ""
        for voice in voices:
            lacking = self._neural.lacking_bytes(voice)
            if lacking and (failed or not self._downloads):
                continue
            why = "It is the best voice of the language on this server."
            if voice is not voices[0]:
                why = "It is the best voice of the language in the models folder."
            return self._spoken_by(voice, wanted, why, lacking)
        if not voices:
            return self._robot("There is no neural voice of this language.", wanted)
        first = voices[0].title
        if failed:
            return self._robot(f"{first} could not be downloaded. {failed}", wanted)
        return self._robot(f"{first} is not in the models folder, and this server downloads no voices.", wanted)

    def gives_up(self, error: DubError) -> None:
        """What was chosen could not be prepared: for a while only what is here is chosen."""
        self._failed = time.monotonic() + _FORGET_S, error.message

    async def ready(self, request: SpeechRequest, on_progress: Callable[[str], None]) -> None:
        """`prepare` of the chosen voice, but without the patience for a network that does not answer at all. Of
        `request`, the voice is the chosen one's. espeak-ng needs nothing."""
        if request.voice == AUTO:
            return
        await self._neural.prepare(request, on_progress, answers_within_s=_PROBE_S)
        self._failed = None

    def _spoken_by(self, voice: NeuralVoice, language: str, why: str, lacking_bytes: int) -> VoiceChosen:
        return VoiceChosen(f"{self._neural.name}:{voice.id}", voice.title, language, why, voice.licence, lacking_bytes)

    def _robot(self, why: str, language: str) -> VoiceChosen:
        return VoiceChosen(f"{self._espeak.name}:{AUTO}", "espeak-ng", language, why, "", 0)

    def _now(self, request: SpeechRequest) -> tuple[Voice, SpeechRequest]:
        engine, _, voice = self.chosen(request.language).voice.partition(":")
        asked = msgspec.structs.replace(request, voice=voice)
        return (self._neural if engine == self._neural.name else self._espeak), asked

    # ---- as an engine

    async def info(self, key: str | None = None) -> EngineInfo:
        available = Availability(True, "", "")
        if self._neural.missing():
            available = (await self._espeak.info()).availability
        return EngineInfo(self.name, "voice", "On this machine", self.needs_key, available, (), self.speeds)

    async def voices(self, key: str | None = None) -> tuple[VoiceInfo, ...]:
        about = "Neural where there is such a voice of the language, else espeak-ng."
        return (VoiceInfo(self.name, AUTO, "The best for the language", None, None, about, None),)

    async def check(self, request: SpeechRequest) -> None:
        voice, asked = self._now(request)
        await voice.check(asked)

    async def prepare(self, request: SpeechRequest, on_progress: Callable[[str], None]) -> None:
        voice, asked = self._now(request)
        await voice.prepare(asked, on_progress)

    def fingerprint(self, request: SpeechRequest) -> str:
        voice, asked = self._now(request)
        return voice.fingerprint(asked)

    async def limit(self, request: SpeechRequest) -> int:
        voice, asked = self._now(request)
        return await voice.limit(asked)

    async def speak(self, request: SpeechRequest, answer: Answer | None = None) -> Spoken:
        voice, asked = self._now(request)
        return await voice.speak(asked, answer)

    async def close(self) -> None:
        """Its engines are closed by themselves."""


def primary(language: str | None) -> str:
    """The language without region, in lower case; English where it is not known."""
    return (language or "en").lower().replace("_", "-").partition("-")[0]
