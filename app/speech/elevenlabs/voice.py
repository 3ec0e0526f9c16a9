"""The ElevenLabs engine: lists voices, tells costs and speaks lines, with no more concurrent calls than the plan
allows."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from app.domain.errors import DubError
from app.domain.problems.lines import TEXT_INVALID, TEXT_TOO_LONG
from app.domain.problems.voices import (
    ENGINE_UNAVAILABLE,
    KEY_INVALID,
    KEY_MISSING,
    SPEECH_FAILED,
    VOICE_MODEL_UNKNOWN,
    VOICE_UNKNOWN,
)
from app.domain.secret_names import ELEVENLABS
from app.speech.concurrency import Gate
from app.speech.connections import digest
from app.speech.elevenlabs.audio import Received, cost_credits, most_bytes, sound
from app.speech.elevenlabs.client import Service, sdk_module
from app.speech.elevenlabs.models import SpeechModel, at_once, known_models, read_model
from app.speech.failures import CallFailure, Retry
from app.speech.ports import Answer, Availability, CostUnit, EngineInfo, SpeechRequest, SpeedLimits, Spoken, VoiceInfo

if TYPE_CHECKING:
    from elevenlabs.client import AsyncElevenLabs

FORMAT: Final = "pcm_24000"  # every plan may have it
RATE_HZ: Final = 24_000
_VOICE_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")  # the SDK does not quote it: "../x" would reach another route
_MOST_PAGES: Final = 100
_ACCOUNT_S: Final = 600.0  # how long models and plan are cached
_VOICES_S: Final = 120.0
_TROUBLE_S: Final = 30.0
_REQUEST_OPTIONS: Final[Any] = {"max_retries": 0}


class ElevenLabsVoice:
    """`key` gives the server's own key, or None; a request's key comes first. `most_at_once` 0 means what the plan
    allows."""

    name = ELEVENLABS
    needs_key = True
    speeds = SpeedLimits(0.7, 1.2)
    cost_unit: CostUnit | None = CostUnit("credit", 0.08 / 1000)  # list price, October 2026

    def __init__(
        self,
        key: Callable[[], str | None],
        *,
        base_url: str = "https://api.elevenlabs.io",
        model: str = "eleven_multilingual_v2",
        most_at_once: int = 0,
        pause_s: float = 1.0,
        deadline_s: float = 60.0,
    ) -> None:
        self._own_key = key
        self._model = model
        self._most_at_once = most_at_once
        self._service = Service(base_url, pause_s=pause_s, deadline_s=deadline_s)
        self._gates: dict[tuple[str, str], Gate] = {}

    # ---- what there is

    async def info(self, key: str | None = None) -> EngineInfo:
        availability, models = Availability(True, "", ""), known_models()
        try:
            if importlib.util.find_spec("elevenlabs") is None:
                raise DubError(ENGINE_UNAVAILABLE, "The elevenlabs package is not installed.")
            own = self._key(key)
            if (trouble := await self._trouble(own)) is not None:
                raise DubError(trouble.problem, trouble.detail)
            models = await self._models(own)
        except DubError as error:
            availability = Availability(False, error.message, error.problem.hint)
        listed = tuple(model.info() for model in models)
        return EngineInfo(
            self.name, "voice", "ElevenLabs", self.needs_key, availability, listed, self.speeds, self.cost_unit
        )

    async def voices(self, key: str | None = None) -> tuple[VoiceInfo, ...]:
        own = self._key(key)
        if (trouble := await self._trouble(own)) is not None:
            raise DubError(trouble.problem, trouble.detail, retryable=trouble.retryable)
        return await self._listed(own)

    async def check(self, request: SpeechRequest) -> None:
        key = self._key(request.key)
        self._ready(request, await self._find_model(key, request.model))
        listed = await self._service.cached("ids", key, _VOICES_S, lambda: self._ids(key))
        # a voice of the public library can be used without being listed
        if listed is not None and request.voice not in listed:
            await self._service.cached(
                f"voice {request.voice}", key, _VOICES_S, lambda: self._get_voice(key, request.voice)
            )

    async def prepare(self, request: SpeechRequest, on_progress: Callable[[str], None]) -> None:
        """Nothing has to be there."""

    def fingerprint(self, request: SpeechRequest) -> str:
        """Without the neighbours' text: changing one line must not make its neighbours be bought again."""
        facts = next((one for one in known_models() if one.id == (request.model or self._model)), None)
        speed = _speed(request) if facts is None or facts.honours_speed else 1.0
        language = request.language or "" if facts is None or facts.takes_language else ""
        return json.dumps(
            [self.name, request.model or self._model, request.voice, FORMAT, speed, language, _clean(request.text)]
        )

    async def limit(self, request: SpeechRequest) -> int:
        key = self._key(request.key)
        return (await self._gate(key, await self._find_model(key, request.model))).width

    # ---- speaking

    async def speak(self, request: SpeechRequest, answer: Answer | None = None) -> Spoken:
        key = self._key(request.key)
        model = await self._find_model(key, request.model)
        text = self._ready(request, model)
        speed = _speed(request) if model.honours_speed else 1.0
        asked: dict[str, Any] = {
            "text": text,
            "model_id": model.id,
            "output_format": FORMAT,
            "request_options": _REQUEST_OPTIONS,
        }
        if speed != 1.0:
            asked["voice_settings"] = (await sdk_module("elevenlabs.types")).VoiceSettings(speed=speed)
        if model.takes_language and request.language and (not model.languages or request.language in model.languages):
            asked["language_code"] = request.language
        if model.stitches:
            asked |= {
                name: said
                for name, said in (("previous_text", request.previous_text), ("next_text", request.next_text))
                if said
            }
        gate = await self._gate(key, model)

        def spoken(received: Received) -> Spoken:
            pcm = sound(received.pcm, received.headers, text, RATE_HZ)
            return Spoken(pcm, RATE_HZ, speed, cost_credits(received.headers, text, model))

        if answer is not None and (kept := await asyncio.to_thread(answer.load)) is not None:
            # it was no sound either when it came, and was about to be asked for again
            with contextlib.suppress(CallFailure):
                return spoken(Received.unpacked(kept))

        async def once(client: AsyncElevenLabs) -> Spoken:
            pcm = bytearray()
            async with client.text_to_speech.with_raw_response.convert(request.voice, **asked) as response:
                async for block in response.data:
                    pcm += block
                    if len(pcm) > most_bytes(text, RATE_HZ):
                        raise CallFailure(SPEECH_FAILED, "It sent far more sound than the line has.", Retry.ANSWER)
                received = Received.of(response.headers, bytes(pcm))
                # first of all: from here on neither a kill nor a cancelled job pays for it again
                if answer is not None:
                    await asyncio.shield(asyncio.to_thread(answer.keep, received.packed()))
                self._learn_width(gate, response.headers)
            return spoken(received)

        async with gate.hold():
            return await self._service.call(key, once, extra_s=len(text) / 20)

    async def close(self) -> None:
        await self._service.close()

    # ---- what the account has

    async def _trouble(self, key: str) -> DubError | None:
        """Whether the service can be reached with this key, by one short try; cached for half a minute."""

        async def fetch() -> DubError | None:
            try:
                await self._models(key, hasty=True)
            except DubError as error:
                return error
            return None

        found: DubError | None = await self._service.cached("trouble", key, _TROUBLE_S, fetch)
        return found

    async def _listed(self, key: str) -> tuple[VoiceInfo, ...]:
        found: tuple[VoiceInfo, ...] = await self._service.cached(
            "voices", key, _VOICES_S, lambda: self._list_voices(key)
        )
        return found

    async def _ids(self, key: str) -> frozenset[str] | None:
        """The ids of the listed voices; None for a key that may speak but not list: whether a voice exists shows when
        it speaks."""
        try:
            return frozenset(voice.id for voice in await self._listed(key))
        except DubError as error:
            if error.extra.get("scope"):
                return None
            raise

    async def _list_voices(self, key: str) -> tuple[VoiceInfo, ...]:
        found: dict[str, VoiceInfo] = {}
        token: str | None = None
        for _ in range(_MOST_PAGES):
            asked: dict[str, Any] = {"page_size": 100, "request_options": _REQUEST_OPTIONS} | (
                {"next_page_token": token} if token else {}
            )
            page = await self._service.call(key, lambda client, asked=asked: client.voices.search(**asked))  # type: ignore[misc]
            if not isinstance(getattr(page, "voices", None), list):
                raise DubError(SPEECH_FAILED, "Its list of voices was not understood.", retryable=True)
            found |= {voice.id: voice for one in page.voices if (voice := _voice(one)) is not None}
            following = page.next_page_token if page.has_more else None
            if not following or following == token:
                break
            token = following
        return tuple(found.values())

    async def _get_voice(self, key: str, voice_id: str) -> bool:
        await self._service.call(key, lambda client: client.voices.get(voice_id, request_options=_REQUEST_OPTIONS))
        return True

    async def _models(self, key: str, *, hasty: bool = False) -> tuple[SpeechModel, ...]:
        async def fetch() -> tuple[SpeechModel, ...]:
            try:
                listed = await self._service.call(
                    key, lambda client: client.models.list(request_options=_REQUEST_OPTIONS), hasty=hasty
                )
            except DubError as error:
                if not error.extra.get("scope"):
                    raise
                return known_models()
            models = [
                model for one in (listed if isinstance(listed, list) else []) if (model := read_model(one)) is not None
            ]
            if not models:
                raise DubError(SPEECH_FAILED, "Its list of models was not understood.", retryable=True)
            return tuple(models)

        found: tuple[SpeechModel, ...] = await self._service.cached("models", key, _ACCOUNT_S, fetch)
        return found

    async def _find_model(self, key: str, wished: str) -> SpeechModel:
        model_id = wished or self._model
        models = await self._models(key)
        for model in models:
            if model.id == model_id:
                return model
        raise DubError(
            VOICE_MODEL_UNKNOWN, f'"{model_id[:60]}" is not one of {", ".join(model.id for model in models)}.'
        )

    async def _gate(self, key: str, model: SpeechModel) -> Gate:
        """The gate of this key and the model's group, as wide as the plan."""

        async def fetch() -> str | None:
            try:
                plan = await self._service.call(
                    key, lambda client: client.user.subscription.get(request_options=_REQUEST_OPTIONS)
                )
            except DubError as error:
                if not error.extra.get("scope"):
                    raise
                return None
            tier = getattr(plan, "tier", None)
            return tier if isinstance(tier, str) else None

        name = (digest(key), model.group or ("fast" if model.fast else "slow"))
        if name not in self._gates:
            width = self._most_at_once or at_once(await self._service.cached("plan", key, _ACCOUNT_S, fetch), model)
            self._gates.setdefault(name, Gate(width))
        return self._gates[name]

    def _learn_width(self, gate: Gate, headers: Any) -> None:
        told = headers.get("maximum-concurrent-requests", "")
        if told.isdigit() and int(told) > 0 and not self._most_at_once:
            gate.resize(int(told))

    def _key(self, given: str | None) -> str:
        key = (given or self._own_key() or "").strip()
        if not key:
            raise DubError(KEY_MISSING)
        if not key.isascii() or not key.isprintable() or " " in key or len(key) > 200:
            raise DubError(KEY_INVALID, "It has characters that no key has.")
        return key

    def _ready(self, request: SpeechRequest, model: SpeechModel) -> str:
        """The text as it is sent; raises what can be told without asking the service."""
        if not _VOICE_ID.fullmatch(request.voice):
            raise DubError(VOICE_UNKNOWN, f'"{_clean(request.voice)[:60]}" is no voice id.')
        text = _clean(request.text)
        if not any(c.isalnum() for c in text):
            raise DubError(TEXT_INVALID, "There is nothing to speak in it.")
        if len(text) > model.max_characters:
            raise DubError(TEXT_TOO_LONG, f"It has {len(text)} characters; {model.id} takes {model.max_characters}.")
        return text


def _voice(listed: Any) -> VoiceInfo | None:
    """One entry of the list; every field may be missing or of a wrong type."""
    voice_id = getattr(listed, "voice_id", None)
    if not isinstance(voice_id, str) or not _VOICE_ID.fullmatch(voice_id):
        return None
    given = getattr(listed, "labels", None)
    labels: dict[str, str] = (
        {str(name): str(value) for name, value in given.items() if value} if isinstance(given, dict) else {}
    )
    verified = getattr(listed, "verified_languages", None) or []
    language = labels.get("language") or (getattr(verified[0], "language", None) if verified else None)
    told = [getattr(listed, "description", None), labels.get("accent"), labels.get("age"), labels.get("use_case")]
    preview = getattr(listed, "preview_url", None)
    return VoiceInfo(
        engine=ElevenLabsVoice.name,
        id=voice_id,
        name=getattr(listed, "name", None) or voice_id,
        language=language,
        gender=labels.get("gender"),
        description=" · ".join(one.strip() for one in told if one),
        preview_url=preview if isinstance(preview, str) and preview.startswith(("https://", "http://")) else None,
    )


def _speed(request: SpeechRequest) -> float:
    limits = ElevenLabsVoice.speeds
    return min(limits.max, max(limits.min, round(request.speed, 2)))


def _clean(text: str) -> str:
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
