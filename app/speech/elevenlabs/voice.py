"""The ElevenLabs engine: lists voices, tells costs and speaks lines, with no more concurrent calls than the plan
allows."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import msgspec

from app.domain.errors import DubError
from app.domain.glossary import replaced
from app.domain.problems.lines import TEXT_INVALID, TEXT_TOO_LONG
from app.domain.problems.voices import (
    ENGINE_UNAVAILABLE,
    KEY_INVALID,
    KEY_MISSING,
    SPEECH_FAILED,
    VOICE_UNKNOWN,
)
from app.domain.secret_names import ELEVENLABS
from app.domain.spending import CREDIT, Charge
from app.domain.voice_tuning import UNTUNED
from app.speech.concurrency import Gate
from app.speech.connections import digest
from app.speech.elevenlabs.account import REQUEST_OPTIONS, VOICE_ID, Account, Plan
from app.speech.elevenlabs.audio import Received, cost_credits, most_bytes, sound
from app.speech.elevenlabs.client import Service, sdk_module
from app.speech.elevenlabs.dictionaries import Dictionaries
from app.speech.elevenlabs.library import Library
from app.speech.elevenlabs.models import SpeechModel, at_once, is_fast, known_models
from app.speech.elevenlabs.stitching import SpokenRequests, account_of
from app.speech.elevenlabs.tags import without_tags
from app.speech.elevenlabs.tuning import SPEEDS, settings_of, speed_of
from app.speech.failures import CallFailure, Retry
from app.speech.ports import (
    Answer,
    Availability,
    CostUnit,
    EngineInfo,
    SharedVoices,
    SpeechRequest,
    Spoken,
    SpokenBy,
    VoiceInfo,
    VoiceQuery,
)
from app.speech.spoken_text import clean
from app.spending.prices import PUBLISHED, Prices

if TYPE_CHECKING:
    from elevenlabs.client import AsyncElevenLabs

FORMAT: Final = "pcm_24000"  # every plan may have it
RATE_HZ: Final = 24_000


class ElevenLabsVoice:
    """`key` gives the server's own key, or None; a request's key comes first. `most_at_once` 0 means what the plan
    allows."""

    name = ELEVENLABS
    needs_key = True
    takes_aliases = True
    speeds = SPEEDS
    cost_unit: CostUnit | None

    def __init__(
        self,
        key: Callable[[], str | None],
        *,
        base_url: str = "https://api.elevenlabs.io",
        model: str = "eleven_multilingual_v2",
        most_at_once: int = 0,
        pause_s: float = 1.0,
        deadline_s: float = 60.0,
        prices: Prices = PUBLISHED,
    ) -> None:
        self.cost_unit = CostUnit(CREDIT, prices.usd(self.name, CREDIT, model=model))
        self._own_key = key
        self._model = model
        self._most_at_once = most_at_once
        self._service = Service(base_url, pause_s=pause_s, deadline_s=deadline_s)
        self.account = Account(self._service, model)
        self._library = Library(self._service, self.account)
        self._gates: dict[tuple[str, str], Gate] = {}
        self._dictionaries = Dictionaries(self._service)
        self._requests = SpokenRequests()

    # ---- what there is

    async def info(self, key: str | None = None) -> EngineInfo:
        availability, models, plan = Availability(True, "", ""), known_models(), Plan(None, None, None)
        try:
            if importlib.util.find_spec("elevenlabs") is None:
                raise DubError(ENGINE_UNAVAILABLE, "The elevenlabs package is not installed.")
            own = self.key(key)
            if (trouble := await self.account.trouble(own)) is not None:
                raise DubError(trouble.problem, trouble.detail)
            models, plan = await self.account.models(own), await self._plan(own)
        except DubError as error:
            availability = Availability(False, error.message, error.problem.hint)
        listed = tuple(model.info() for model in models)
        return EngineInfo(
            self.name,
            "voice",
            "ElevenLabs",
            self.needs_key,
            availability,
            listed,
            self.speeds,
            self.cost_unit,
            tunable=True,
            library=True,
            quota=plan.quota,
        )

    async def voices(self, key: str | None = None) -> tuple[VoiceInfo, ...]:
        own = self.key(key)
        if (trouble := await self.account.trouble(own)) is not None:
            raise DubError(trouble.problem, trouble.detail, retryable=trouble.retryable)
        return await self.account.voices(own)

    async def shared(self, query: VoiceQuery, key: str | None = None) -> SharedVoices:
        return await self._library.shared(self.key(key), query)

    async def add_shared(self, owner: str, voice_id: str, name: str, key: str | None = None) -> str:
        return await self._library.add(self.key(key), owner, voice_id, name)

    async def sample(self, voice_id: str, key: str | None = None) -> tuple[str, bytes]:
        return await self._library.preview(self.key(key), voice_id)

    async def clone(self, name: str, sound: bytes, key: str | None = None) -> str:
        return await self._library.clone(self.key(key), name, sound)

    async def forget(self, voice_id: str, key: str | None = None) -> None:
        await self._library.forget(self.key(key), voice_id)

    async def check(self, request: SpeechRequest) -> None:
        key = self.key(request.key)
        self._ready(request, await self.account.model(key, request.model))
        await self.account.has_voice(key, request.voice)

    async def prepare(self, request: SpeechRequest, on_progress: Callable[[str], None]) -> None:
        """Nothing has to be there."""

    def fingerprint(self, request: SpeechRequest) -> str:
        """Without the neighbours' text: changing one line must not make its neighbours be bought again."""
        facts = next((one for one in known_models() if one.id == (request.model or self._model)), None)
        speed = speed_of(request.speed) if facts is None or facts.honours_speed else 1.0
        language = request.language or "" if facts is None or facts.takes_language else ""
        said = clean(replaced(request.text, request.aliases))  # named as it sounds, however the service is told that
        text = said if facts is not None and facts.tags else without_tags(said)
        told = [self.name, request.model or self._model, request.voice, FORMAT, speed, language, text]
        # what is not tuned is named as it always was: no clip is bought again
        tuned = [] if request.tuning == UNTUNED else [msgspec.to_builtins(request.tuning)]
        return json.dumps([*told, *tuned])

    def reads_numbers(self, model: str) -> bool:
        """By `apply_text_normalization`, which is on where it is left alone; the fast models have none."""
        return not is_fast(model or self._model)

    async def limit(self, request: SpeechRequest) -> int:
        key = self.key(request.key)
        return (await self._gate(key, await self.account.model(key, request.model))).width

    # ---- speaking

    def recall(self, request: SpeechRequest, by: SpokenBy) -> None:
        """A clip that is there was spoken by this request."""
        key, model = self.key(request.key), request.model or self._model
        if by.account == account_of(key):
            said = replaced(request.text, request.aliases)
            self._requests.remember(by, digest(key), request.voice, model, without_tags(clean(said)))

    async def speak(self, request: SpeechRequest, answer: Answer | None = None) -> Spoken:
        try:
            return await self._speak(request, answer)
        except DubError as error:
            if not error.extra.get("dictionary"):
                raise
        self._dictionaries.forget(self.key(request.key), request.aliases)  # archived, or deleted by hand
        return await self._speak(request, answer)

    async def _speak(self, request: SpeechRequest, answer: Answer | None) -> Spoken:
        key = self.key(request.key)
        model = await self.account.model(key, request.model)
        said = replaced(request.text, request.aliases)
        dictionary = None
        if said != request.text:
            dictionary = await self._dictionaries.of(key, request.aliases)
        if dictionary is None:
            before, after = (replaced(each, request.aliases) for each in (request.previous_text, request.next_text))
            request = msgspec.structs.replace(request, text=said, previous_text=before, next_text=after)
        text = self._ready(request, model)
        speed = speed_of(request.speed) if model.honours_speed else 1.0
        asked: dict[str, Any] = {
            "text": text,
            "model_id": model.id,
            "output_format": FORMAT,
            "request_options": REQUEST_OPTIONS,
        }
        if settings := settings_of(request.tuning, speed):
            asked["voice_settings"] = (await sdk_module("elevenlabs.types")).VoiceSettings(**settings)
        if request.tuning.seed is not None:
            asked["seed"] = request.tuning.seed
        if model.takes_language and request.language and (not model.languages or request.language in model.languages):
            asked["language_code"] = request.language
        if dictionary is not None:
            asked["pronunciation_dictionary_locators"] = [dictionary.asked()]
        line = digest(key), request.voice, model.id
        if model.stitches:
            for side in ("previous", "next"):
                beside = without_tags(clean(getattr(request, f"{side}_text")))
                known = self._requests.of(*line, without_tags(clean(replaced(beside, request.aliases))))
                if beside and known is not None:
                    asked[f"{side}_request_ids"] = [known]
                elif beside:
                    asked[f"{side}_text"] = beside
        gate = await self._gate(key, model)

        def spoken(received: Received) -> Spoken:
            pcm = sound(received.pcm, received.headers, said, RATE_HZ)
            number = received.headers.get("request-id")
            by = SpokenBy(number, received.at, account_of(key)) if number else None
            self._requests.remember(by, *line, without_tags(clean(said)))
            return Spoken(pcm, RATE_HZ, speed, cost_credits(received.headers, text, model), by)

        if answer is not None and (stored := await asyncio.to_thread(answer.load)) is not None:
            # it was no sound either when it came, and was about to be asked for again
            with contextlib.suppress(CallFailure):
                return spoken(Received.unpacked(stored))

        async def once(client: AsyncElevenLabs) -> Spoken:
            pcm = bytearray()
            async with client.text_to_speech.with_raw_response.convert(request.voice, **asked) as response:
                async for block in response.data:
                    pcm += block
                    if len(pcm) > most_bytes(said, RATE_HZ):
                        raise CallFailure(SPEECH_FAILED, "It sent far more sound than the line has.", Retry.ANSWER)
                received = Received.of(response.headers, bytes(pcm))
                # first of all: from here on neither a kill nor a cancelled job pays for it again
                if answer is not None:
                    await asyncio.shield(asyncio.to_thread(answer.keep, received.packed()))
                self._learn_width(gate, response.headers)
            return spoken(received)

        def charge(credits: float) -> Charge:
            usd = self.cost_unit.usd if self.cost_unit else None
            return Charge(self.name, model.id, CREDIT, credits, None if usd is None else credits * usd)

        async with gate.hold():
            return await self._service.call(
                key,
                once,
                extra_s=len(said) / 20,
                charge=charge(math.ceil(cost_credits({}, max(text, said, key=len), model))),
                cost=lambda spoken: charge(spoken.cost_credits),
            )

    async def close(self) -> None:
        await self._service.close()

    async def _gate(self, key: str, model: SpeechModel) -> Gate:
        """The gate of this key and the model's group, as wide as the plan."""
        name = (digest(key), model.group or ("fast" if model.fast else "slow"))
        if name not in self._gates:
            width = self._most_at_once or at_once((await self.account.plan(key)).tier, model)
            self._gates.setdefault(name, Gate(width))
        return self._gates[name]

    async def _plan(self, key: str) -> Plan:
        """For people: a service that tells no plan now is no reason to say nothing."""
        try:
            return await self.account.plan(key, hasty=True)
        except DubError:
            return Plan(None, None, None)

    def _learn_width(self, gate: Gate, headers: Any) -> None:
        told = headers.get("maximum-concurrent-requests", "")
        if told.isdigit() and int(told) > 0 and not self._most_at_once:
            gate.resize(int(told))

    def key(self, given: str | None) -> str:
        key = (given or self._own_key() or "").strip()
        if not key:
            raise DubError(KEY_MISSING)
        if not key.isascii() or not key.isprintable() or " " in key or len(key) > 200:
            raise DubError(KEY_INVALID, "It has characters that no key has.")
        return key

    def _ready(self, request: SpeechRequest, model: SpeechModel) -> str:
        """The text as it is sent; raises what can be told without asking the service."""
        if not VOICE_ID.fullmatch(request.voice):
            raise DubError(VOICE_UNKNOWN, f'"{clean(request.voice)[:60]}" is no voice id.')
        text = clean(request.text)
        text = text if model.tags else without_tags(text)
        if not any(c.isalnum() for c in text):
            raise DubError(TEXT_INVALID, "There is nothing to speak in it.")
        if len(text) > model.max_characters:
            raise DubError(TEXT_TOO_LONG, f"It has {len(text)} characters; {model.id} takes {model.max_characters}.")
        return text
