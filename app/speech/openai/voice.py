"""The engine "openai": speech by a server with OpenAI's audio API, at the operator's address.

WAV is asked for, long text goes in parts, and an answer is checked before it is believed. What was sent is stored the
moment its last byte has come, part by part.
"""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Callable
from typing import Any, Final

import msgspec

from app.domain.errors import DubError
from app.domain.problems.voices import SPEECH_FAILED, VOICE_MODEL_UNKNOWN, VOICE_UNKNOWN
from app.domain.secret_names import OPENAI
from app.domain.spending import Charge
from app.speech.concurrency import Gate
from app.speech.failures import CallFailure, Retry
from app.speech.openai import wav
from app.speech.openai.service import Answered, Kind, Listed, Service
from app.speech.openai.voices import NAME, listed
from app.speech.ports import (
    Answer,
    CostUnit,
    EngineInfo,
    ModelInfo,
    SpeechRequest,
    SpeedLimits,
    Spoken,
    VoiceInfo,
)
from app.speech.sentence_split import parts
from app.speech.service_problems import SPEAKING
from app.speech.spoken_text import clean, speakable
from app.spending.prices import PUBLISHED, Price, Prices

MOST_CHARACTERS: Final = 4096  # of one request
_FASTEST: Final = 60.0  # more letters a second than any voice speaks
_SLOWEST_S: Final = 1.0  # more seconds for a character than any voice takes on average
_REST_S: Final = 10.0
_MOST_RATE: Final = 48_000 * 2 * 4  # bytes a second: 48 kHz, stereo, float32
_AT_ONCE: Final = {True: 4, False: 2}  # by whether the server is on the internet
_SPEAKS: Final = ("tts", "speech", "kokoro", "piper", "voice", "audio", "bark", "xtts", "chatterbox", "orpheus")


class OpenAIVoice:
    """`usd_per_million` characters, 0 where nobody has said it. A server of one's own network costs nothing."""

    name = OPENAI
    needs_key = False
    takes_key = True
    names_voices = True
    speeds = SpeedLimits(0.5, 2.0)

    def __init__(
        self,
        url: str,
        *,
        model: str = "tts-1",
        key: Callable[[], str | None] = lambda: None,
        usd_per_million: float = 0.0,
        most_at_once: int = 0,
        pause_s: float = 1.0,
        deadline_s: float = 120.0,
        prices: Prices = PUBLISHED,
    ) -> None:
        self._service = Service(self.name, url, SPEAKING, key, pause_s=pause_s)
        self._model, self._deadline_s = model, deadline_s
        told = (Price(engine=OPENAI, unit="character", usd=usd_per_million, per=1e6),) if usd_per_million > 0 else ()
        self._prices = Prices((*told, *prices.rows))
        usd = self._prices.usd(self.name, "character", model=model, url=url)
        self.cost_unit: CostUnit | None = CostUnit("character", usd) if self._service.paid or usd else None
        self._gate = Gate(most_at_once or _AT_ONCE[self._service.paid])

    # ---- what there is

    def reads_numbers(self, model: str) -> bool:
        """OpenAI's own models do, and are paid; what speaks at another address may not."""
        return self._service.is_openai

    async def info(self, key: str | None = None) -> EngineInfo:
        remedy = "The operator sets AUTODUBBER_SPEECH_URL, such as http://127.0.0.1:8880/v1."
        availability, models = await self._service.state(key, self._model, _speaking, remedy)
        cost = 1.0 if self.cost_unit else 0.0
        return EngineInfo(
            self.name,
            "voice",
            "OpenAI-compatible speech",
            self._service.is_openai,
            availability,
            tuple(
                ModelInfo(model, model, True, 0, MOST_CHARACTERS, (), cost, self._usd(model) if cost else None)
                for model in models
            ),
            self.speeds,
            self.cost_unit,
            names_voices=True,
        )

    async def voices(self, key: str | None = None) -> tuple[VoiceInfo, ...]:
        if not self._service.url:
            return ()
        own = self._service.key(key)
        if (trouble := await self._service.trouble(own)) is not None:
            raise DubError(trouble.problem, trouble.detail, retryable=trouble.retryable)
        return await self._voices(own)

    async def check(self, request: SpeechRequest) -> None:
        key = self._service.key(request.key)
        self._ready(request)
        server = await self._service.listed(key)
        model = request.model or self._model
        known = {one for one, _ in server.models}
        if server.kind in (Kind.KOKORO, Kind.LOCALAI, Kind.OPENAI) and known and model not in known:
            raise DubError(VOICE_MODEL_UNKNOWN, f'"{model[:60]}" is not one of {", ".join(sorted(known))[:200]}.')
        if server.kind in (Kind.KOKORO, Kind.SPEACHES):
            await self._check_voice(key, server, request.voice)

    async def prepare(self, request: SpeechRequest, on_progress: Callable[[str], None]) -> None:
        """Nothing has to be there."""

    def fingerprint(self, request: SpeechRequest) -> str:
        model = request.model or self._model
        speed = _speed(request) if _honours_speed(model, Kind.OTHER) else 1.0
        language = request.language or ""
        return json.dumps([self.name, self._service.url, model, request.voice, speed, language, clean(request.text)])

    async def limit(self, request: SpeechRequest) -> int:
        return self._gate.width

    # ---- speaking

    async def speak(self, request: SpeechRequest, answer: Answer | None = None) -> Spoken:
        key = self._service.key(request.key)
        text = self._ready(request)
        server = await self._service.listed(key)
        model = request.model or self._model
        speed = _speed(request) if _honours_speed(model, server.kind) else 1.0
        said = parts(text, MOST_CHARACTERS)
        stored = await asyncio.to_thread(answer.load) if answer is not None else None
        received = list(_unpacked(stored)[: len(said)]) if stored is not None else []
        sounds: list[wav.Sound] = []
        async with self._gate.hold():
            for number, part in enumerate(said):
                if number < len(received):
                    try:
                        sounds.append(_sound(received[number], part))
                        continue
                    except CallFailure:  # it was no sound either when it came
                        del received[number:]

                async def check(answered: Answered, number: int = number, part: str = part) -> wav.Sound:
                    # first of all: from here on neither a kill nor a cancelled job pays for it again
                    received[number:] = [answered]
                    if answer is not None:
                        await asyncio.shield(asyncio.to_thread(answer.keep, msgspec.msgpack.encode(received)))
                    return await asyncio.to_thread(_sound, answered, part)

                sounds.append(
                    await self._service.post(
                        "/audio/speech",
                        key,
                        deadline_s=self._deadline_s + len(part) / 20,
                        most_bytes=int((len(part) * _SLOWEST_S + _REST_S) * _MOST_RATE),
                        check=check,
                        content=functools.partial(dict, json=self._body(server, model, request, part, speed)),
                        charge=self._charge(model, part),
                    )
                )
        rates = {sound.rate_hz for sound in sounds}
        if len(rates) != 1:
            raise DubError(SPEECH_FAILED, f"Its parts have different rates: {sorted(rates)}.", retryable=True)
        cost = float(len(text)) if self.cost_unit else 0.0
        return Spoken(b"".join(sound.pcm for sound in sounds), rates.pop(), speed, cost)

    async def close(self) -> None:
        await self._service.close()

    def _body(self, server: Listed, model: str, request: SpeechRequest, text: str, speed: float) -> dict[str, Any]:
        """Only fields that this server knows."""
        body: dict[str, Any] = {"model": model, "input": text, "voice": request.voice, "response_format": "wav"}
        if speed != 1.0:
            body["speed"] = speed
        if server.kind is Kind.KOKORO:
            body["stream"] = False
        elif server.kind is Kind.LOCALAI and request.language:
            body["language"] = request.language
        return body

    def _usd(self, model: str) -> float | None:
        return self._prices.usd(self.name, "character", model=model, url=self._service.url)

    def _charge(self, model: str, text: str) -> Charge | None:
        if self.cost_unit is None:
            return None
        usd = self._usd(model)
        return Charge(self.name, model, "character", len(text), None if usd is None else usd * len(text))

    async def _voices(self, key: str) -> tuple[VoiceInfo, ...]:
        server = await self._service.listed(key)
        return listed(self.name, server.kind, None if server.kind is Kind.OPENAI else await self._service.voices(key))

    async def _check_voice(self, key: str, server: Listed, voice: str) -> None:
        known = {one.id for one in await self._voices(key)}
        # Kokoro-FastAPI mixes voices: af_bella(2)+af_sky(1)
        names = [name.partition("(")[0] for name in voice.replace("-", "+").split("+")]
        if known and voice not in known and not (server.kind is Kind.KOKORO and set(names) <= known):
            raise DubError(VOICE_UNKNOWN, f'The server does not list "{voice[:60]}".')

    def _ready(self, request: SpeechRequest) -> str:
        """The text as it is sent; raises what can be told without asking the server."""
        if not NAME.fullmatch(request.voice):
            raise DubError(VOICE_UNKNOWN, f'"{clean(request.voice)[:60]}" is no name of a voice.')
        return speakable(request.text)


def _speaking(server: Listed, default: str) -> tuple[str, ...]:
    """The models that speak, as far as names and tasks tell; the default first."""
    if server.kind is Kind.SPEACHES:
        found = [name for name, task in server.models if task == "text-to-speech"]
    elif server.kind is Kind.OPENAI:
        found = [name for name, _ in server.models if "tts" in name]
    else:
        some = [name for name, _ in server.models if any(word in name.lower() for word in _SPEAKS)]
        found = some or [name for name, _ in server.models]
    return tuple(dict.fromkeys((default, *found[:50])))


def _honours_speed(model: str, kind: Kind) -> bool:
    """Models that are instructed in words take a speed and ignore it; LocalAI has no such field."""
    return not model.startswith("gpt-") and kind is not Kind.LOCALAI


def _speed(request: SpeechRequest) -> float:
    limits = OpenAIVoice.speeds
    return min(limits.max, max(limits.min, round(request.speed, 2)))


def _unpacked(data: bytes) -> list[Answered]:
    return msgspec.msgpack.decode(data, type=list[Answered])


def _sound(answered: Answered, text: str) -> wav.Sound:
    """The sound, if it is plausible. Raises `CallFailure`: the call may have been billed, so there is only one more
    try."""
    if not answered.content_type.startswith("audio/"):
        kind = answered.content_type[:60] or "something"
        raise CallFailure(SPEECH_FAILED, f"It sent {kind} instead of sound.", Retry.ANSWER)
    try:
        sound = wav.read(answered.body)
    except wav.NotWav as error:
        raise CallFailure(SPEECH_FAILED, str(error), Retry.ANSWER) from None
    length_s = len(sound.pcm) / 2 / sound.rate_hz
    if length_s < sum(map(str.isalnum, text)) / _FASTEST or not any(sound.pcm):
        raise CallFailure(SPEECH_FAILED, "There was no sound, or too little for the line.", Retry.ANSWER)
    if length_s > len(text) * _SLOWEST_S + _REST_S:
        raise CallFailure(SPEECH_FAILED, "It sent far more sound than the line has.", Retry.ANSWER)
    return sound
