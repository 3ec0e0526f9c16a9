"""Engines by name, which of them are available, and why others are not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, TypeVar

from app.domain.errors import DubError
from app.domain.problems.voices import ENGINE_UNKNOWN, NO_LIBRARY, VOICE_UNKNOWN
from app.domain.secret_names import NO_KEYS, Keys
from app.domain.voice_chosen import VoiceChosen
from app.speech.elevenlabs.scribe import Scribe
from app.speech.elevenlabs.voice import ElevenLabsVoice
from app.speech.espeak.voice import EspeakVoice
from app.speech.local_voice import LocalVoice
from app.speech.model_files import ModelFiles
from app.speech.neural.voice import NeuralVoices
from app.speech.openai.recognizer import OpenAITranscription
from app.speech.openai.voice import OpenAIVoice
from app.speech.ports import (
    Availability,
    Diarizer,
    EngineInfo,
    Recognizer,
    Reserve,
    Sampled,
    SeparationEngine,
    Voice,
    VoiceInfo,
    VoiceLibrary,
)
from app.speech.speakers.diarizer import Ge2e
from app.speech.whisper.models import ModelStore
from app.speech.whisper.recognizer import FasterWhisper, OpenAIWhisper
from app.spending.prices import PUBLISHED, Prices
from app.translation.ports import Translator

T = TypeVar("T")


def engine_of(voice: str) -> str:
    """The name of the engine in "ENGINE:VOICE"."""
    return voice.partition(":")[0]


def recognizer_by_default(wanted: str) -> str:
    """The recogniser of a job that names none: what the operator wants, "auto" the fastest that is installed."""
    if wanted != "auto":
        return wanted
    return OpenAIWhisper.name if FasterWhisper.missing() else FasterWhisper.name


class Registry:
    """The engines of this process."""

    def __init__(
        self,
        recognizers: tuple[Recognizer, ...],
        voices: tuple[Voice, ...],
        translators: tuple[Translator, ...] = (),
        separators: tuple[SeparationEngine, ...] = (),
        diarizer: Diarizer | None = None,
        prices: Prices = PUBLISHED,
    ) -> None:
        self.recognizers: dict[str, Recognizer] = {one.name: one for one in recognizers}
        self.voices: dict[str, Voice] = {one.name: one for one in voices}
        self.translators: dict[str, Translator] = {one.name: one for one in translators}
        self.separators: dict[str, SeparationEngine] = {one.name: one for one in separators}
        self.diarizer = diarizer  # tells speakers apart
        self.prices = prices

    def recognizer(self, name: str) -> Recognizer:
        """Raises engine_unknown."""
        if name not in self.recognizers:
            raise DubError(ENGINE_UNKNOWN, f'"{name[:60]}" is not one of {", ".join(self.recognizers)}.')
        return self.recognizers[name]

    def translator(self, name: str) -> Translator:
        """Raises engine_unknown."""
        if name not in self.translators:
            raise DubError(ENGINE_UNKNOWN, f'"{name[:60]}" is not one of {", ".join(self.translators)}.')
        return self.translators[name]

    def separator(self, name: str = "") -> SeparationEngine | None:
        """The engine that tells speech from music; "" for the first, None where none is. Raises engine_unknown."""
        if name and name not in self.separators:
            raise DubError(ENGINE_UNKNOWN, f'"{name[:60]}" is not one of {", ".join(self.separators)}.')
        return self.separators[name] if name else next(iter(self.separators.values()), None)

    @property
    def keyed(self) -> tuple[str, ...]:
        """The names of the engines that take a key."""
        voices = [voice.name for voice in self.voices.values() if voice.needs_key or getattr(voice, "takes_key", False)]
        recognizers = [one.key_name for one in self.recognizers.values() if one.key_name]
        translators = [one.name for one in self.translators.values() if one.takes_key]
        separators = [one.key_name for one in self.separators.values() if one.key_name]
        return tuple(dict.fromkeys((*voices, *recognizers, *translators, *separators)))

    def voice(self, name: str) -> tuple[Voice, str]:
        """The engine and the engine's own voice id for "ENGINE:ID". Raises engine_unknown, voice_unknown."""
        engine, _, voice_id = name.partition(":")
        if not voice_id:
            raise DubError(VOICE_UNKNOWN, f'"{name[:60]}" is not of the form ENGINE:VOICE.')
        if engine not in self.voices:
            raise DubError(ENGINE_UNKNOWN, f'"{engine[:60]}" is not one of {", ".join(self.voices)}.')
        return self.voices[engine], voice_id

    def library(self, name: str) -> VoiceLibrary:
        """Raises engine_unknown, no_library."""
        if name not in self.voices:
            raise DubError(ENGINE_UNKNOWN, f'"{name[:60]}" is not one of {", ".join(self.voices)}.')
        engine = self.voices[name]
        if not isinstance(engine, ElevenLabsVoice):
            raise DubError(NO_LIBRARY)
        return engine

    def sampled(self, name: str) -> Sampled:
        """The engine, which has samples of its voices. Raises engine_unknown, no_library."""
        if name not in self.voices:
            raise DubError(ENGINE_UNKNOWN, f'"{name[:60]}" is not one of {", ".join(self.voices)}.')
        engine = self.voices[name]
        if not isinstance(engine, ElevenLabsVoice | NeuralVoices):
            raise DubError(NO_LIBRARY)
        return engine

    def chosen(self, name: str, language: str | None) -> VoiceChosen | None:
        """What "local:auto" is for a language now; None where `name` is a voice that a person chose. Blocks."""
        engine = self.voices.get(engine_of(name))
        return engine.chosen(language) if isinstance(engine, LocalVoice) else None

    @property
    def local(self) -> LocalVoice:
        """The engine that chooses."""
        return next(voice for voice in self.voices.values() if isinstance(voice, LocalVoice))

    async def infos(self, keys: Keys = NO_KEYS) -> tuple[EngineInfo, ...]:
        """Facts about every engine; an unavailable one says why and how to fix it. Raises nothing."""
        asked = [one.info(keys.of(one.key_name)) for one in self.recognizers.values()] + [
            one.info(keys.of(one.name)) for one in self.voices.values()
        ]
        diarizers = [await self.diarizer.info()] if self.diarizer is not None else []
        separators = await _together([one.info(keys.of(one.key_name)) for one in self.separators.values()])
        translators = (_info(one, keys) for one in self.translators.values())
        return (*await _together(asked), *translators, *separators, *diarizers)

    async def all_voices(self, keys: Keys = NO_KEYS) -> tuple[VoiceInfo, ...]:
        """The voices of all available engines. An engine without a key, or that cannot be reached, has none: `infos`
        says why."""
        lists = await _together([_voices(engine, keys.of(engine.name)) for engine in self.voices.values()])
        return tuple(voice for found in lists for voice in found)

    async def close(self) -> None:
        engines: tuple[Voice | Recognizer | SeparationEngine, ...] = (
            *self.voices.values(),
            *self.recognizers.values(),
            *self.separators.values(),
        )
        await asyncio.gather(*(engine.close() for engine in engines))


async def _together(work: list[Coroutine[Any, Any, T]]) -> list[T]:
    return list(await asyncio.gather(*work))


def _info(translator: Translator, keys: Keys) -> EngineInfo:
    state = translator.state(keys.of(translator.name))
    available = Availability(state.available, state.reason, state.remedy)
    return EngineInfo(translator.name, "translator", translator.title, translator.needs_key, available, ())


async def _voices(engine: Voice, key: str | None) -> tuple[VoiceInfo, ...]:
    try:
        return await engine.voices(key)
    except DubError:  # the engine's info says the same, with the remedy
        return ()


def build_registry(
    *,
    models: Path,
    model: str = "",
    model_paths: bool = False,
    model_url: str = "",
    voice_model_url: str = "",
    voice_downloads: bool = True,
    threads: int = 0,
    device: str = "auto",
    own_key: Callable[[str], str | None] = lambda _engine: None,
    elevenlabs_url: str = "https://api.elevenlabs.io",
    elevenlabs_model: str = "eleven_multilingual_v2",
    elevenlabs_at_once: int = 0,
    openai: OpenAIVoice | None = None,
    transcription: OpenAITranscription | None = None,
    scribe_model: str = "scribe_v1",
    reserve: Reserve | None = None,
    translators: tuple[Translator, ...] = (),
    separators: tuple[SeparationEngine, ...] = (),
    prices: Prices = PUBLISHED,
) -> Registry:
    """The engines with the operator's values; loads nothing heavy. `model_paths`: any file may be named as a model.
    `own_key` gives the server's own key for an engine, by its name; `reserve` is asked for the room of what is
    downloaded.
    """
    checkpoints = ModelStore(models, model_url, default=model, paths=model_paths, reserve=reserve)
    recognizers = (
        FasterWhisper(checkpoints, threads=threads, device=device),
        OpenAIWhisper(checkpoints, threads=threads, device=device),
        Scribe(lambda: own_key(ElevenLabsVoice.name), base_url=elevenlabs_url, model=scribe_model, prices=prices),
        transcription or OpenAITranscription(""),
    )
    espeak = EspeakVoice(at_once=threads)
    neural = NeuralVoices(ModelFiles(models, reserve=reserve), url=voice_model_url, threads=threads)
    elevenlabs = ElevenLabsVoice(
        lambda: own_key(ElevenLabsVoice.name),
        base_url=elevenlabs_url,
        model=elevenlabs_model,
        most_at_once=elevenlabs_at_once,
        prices=prices,
    )
    diarizer = Ge2e(ModelFiles(models, reserve=reserve), url=voice_model_url, threads=threads)
    local = LocalVoice(neural, espeak, downloads=voice_downloads)
    openai = openai or OpenAIVoice("")
    return Registry(recognizers, (local, neural, espeak, elevenlabs, openai), translators, separators, diarizer, prices)
