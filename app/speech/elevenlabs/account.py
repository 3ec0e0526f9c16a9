"""What an ElevenLabs account has: voices, models, plan and credits left. Answers are cached for a while."""

from __future__ import annotations

import re
from typing import Any, Final

import msgspec

from app.domain.errors import DubError
from app.domain.problems.voices import SPEECH_FAILED, VOICE_MODEL_UNKNOWN
from app.domain.secret_names import ELEVENLABS
from app.speech.elevenlabs.client import Service
from app.speech.elevenlabs.models import SpeechModel, known_models, read_model
from app.speech.ports import Quota, VoiceInfo

VOICE_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,100}")  # the SDK does not quote it: "../x" would reach another route
REQUEST_OPTIONS: Final[Any] = {"max_retries": 0}
_MOST_PAGES: Final = 100
_ACCOUNT_S: Final = 600.0  # how long models and plan are cached
_VOICES_S: Final = 120.0
_TROUBLE_S: Final = 30.0


class Plan(msgspec.Struct, frozen=True):
    """None: the key may not see it, or the service does not tell."""

    tier: str | None
    quota: Quota | None
    clones: bool | None


class Account:
    """The account of a key, at one service."""

    def __init__(self, service: Service, default_model: str) -> None:
        self._service, self._model = service, default_model

    async def trouble(self, key: str) -> DubError | None:
        """Whether the service can be reached with this key, by one short try; cached for half a minute."""

        async def fetch() -> DubError | None:
            try:
                await self.models(key, hasty=True)
            except DubError as error:
                return error
            return None

        found: DubError | None = await self._service.cached("trouble", key, _TROUBLE_S, fetch)
        return found

    async def voices(self, key: str) -> tuple[VoiceInfo, ...]:
        """All that the account has, to the last page."""
        found: tuple[VoiceInfo, ...] = await self._service.cached(
            "voices", key, _VOICES_S, lambda: self._list_voices(key)
        )
        return found

    async def has_voice(self, key: str, voice_id: str) -> None:
        """Raises voice_unknown. A voice of the public library can be used without being listed; of a key that may
        speak but not list, it shows when it speaks."""
        listed = await self._service.cached("ids", key, _VOICES_S, lambda: self._ids(key))
        if listed is not None and voice_id not in listed:
            await self._service.cached(f"voice {voice_id}", key, _VOICES_S, lambda: self._get_voice(key, voice_id))

    def voices_changed(self, key: str) -> None:
        """A voice was added or deleted."""
        for what in ("voices", "ids", "plan"):
            self._service.forget(what, key)

    async def models(self, key: str, *, hasty: bool = False) -> tuple[SpeechModel, ...]:
        async def fetch() -> tuple[SpeechModel, ...]:
            try:
                listed = await self._service.call(
                    key, lambda client: client.models.list(request_options=REQUEST_OPTIONS), hasty=hasty
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

    async def model(self, key: str, wished: str) -> SpeechModel:
        """Raises voice_model_unknown."""
        model_id = wished or self._model
        models = await self.models(key)
        for model in models:
            if model.id == model_id:
                return model
        raise DubError(
            VOICE_MODEL_UNKNOWN, f'"{model_id[:60]}" is not one of {", ".join(model.id for model in models)}.'
        )

    async def plan(self, key: str, *, hasty: bool = False) -> Plan:
        """The subscription; cached."""

        async def fetch() -> Plan:
            try:
                told = await self._service.call(
                    key, lambda client: client.user.subscription.get(request_options=REQUEST_OPTIONS), hasty=hasty
                )
            except DubError as error:
                if not error.extra.get("scope"):
                    raise
                return Plan(None, None, None)
            tier, clones = getattr(told, "tier", None), getattr(told, "can_use_instant_voice_cloning", None)
            return Plan(tier if isinstance(tier, str) else None, _quota(told), clones)

        found: Plan = await self._service.cached("plan", key, _ACCOUNT_S, fetch)
        return found

    async def _ids(self, key: str) -> frozenset[str] | None:
        """The ids of the listed voices; None for a key that may not list."""
        try:
            return frozenset(voice.id for voice in await self.voices(key))
        except DubError as error:
            if error.extra.get("scope"):
                return None
            raise

    async def _list_voices(self, key: str) -> tuple[VoiceInfo, ...]:
        found: dict[str, VoiceInfo] = {}
        token: str | None = None
        for _ in range(_MOST_PAGES):
            asked: dict[str, Any] = {"page_size": 100, "request_options": REQUEST_OPTIONS} | (
                {"next_page_token": token} if token else {}
            )
            page = await self._service.call(key, lambda client, asked=asked: client.voices.search(**asked))  # type: ignore[misc]
            if not isinstance(getattr(page, "voices", None), list):
                raise DubError(SPEECH_FAILED, "Its list of voices was not understood.", retryable=True)
            found |= {voice.id: voice for one in page.voices if (voice := read_voice(one)) is not None}
            following = page.next_page_token if page.has_more else None
            if not following or following == token:
                break
            token = following
        return tuple(found.values())

    async def _get_voice(self, key: str, voice_id: str) -> bool:
        await self._service.call(key, lambda client: client.voices.get(voice_id, request_options=REQUEST_OPTIONS))
        return True


def read_voice(listed: Any) -> VoiceInfo | None:
    """One entry of the account's list; every field may be missing or of a wrong type."""
    voice_id = getattr(listed, "voice_id", None)
    if not isinstance(voice_id, str) or not VOICE_ID.fullmatch(voice_id):
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
        engine=ELEVENLABS,
        id=voice_id,
        name=getattr(listed, "name", None) or voice_id,
        language=language,
        gender=labels.get("gender"),
        description=" · ".join(one.strip() for one in told if one),
        preview_url=preview if isinstance(preview, str) and preview.startswith(("https://", "http://")) else None,
        accent=labels.get("accent"),
        age=labels.get("age"),
        category=_text(getattr(listed, "category", None)),
    )


def read_shared(listed: Any) -> VoiceInfo | None:
    """One entry of the public library, named by its owner and id: it is added to the account before it speaks."""
    voice_id, owner = getattr(listed, "voice_id", None), getattr(listed, "public_owner_id", None)
    if not (isinstance(voice_id, str) and isinstance(owner, str)):
        return None
    if not (VOICE_ID.fullmatch(voice_id) and VOICE_ID.fullmatch(owner)):
        return None
    preview = getattr(listed, "preview_url", None)
    return VoiceInfo(
        engine=ELEVENLABS,
        id=voice_id,
        name=_text(getattr(listed, "name", None)) or voice_id,
        language=_text(getattr(listed, "language", None)),
        gender=_text(getattr(listed, "gender", None)),
        accent=_text(getattr(listed, "accent", None)),
        age=_text(getattr(listed, "age", None)),
        category=_text(getattr(listed, "category", None)),
        description=_text(getattr(listed, "description", None)) or "",
        preview_url=preview if isinstance(preview, str) and preview.startswith(("https://", "http://")) else None,
        owner=owner,
    )


def _quota(told: Any) -> Quota | None:
    used, limit = getattr(told, "character_count", None), getattr(told, "character_limit", None)
    resets = getattr(told, "next_character_count_reset_unix", None)
    if not isinstance(used, int | float) or not isinstance(limit, int | float):
        return None
    return Quota(float(used), float(limit), float(resets) if isinstance(resets, int | float) else None)


def _text(value: Any) -> str | None:
    text = getattr(value, "value", value)  # the SDK's enums
    return " ".join(text.split())[:300] if isinstance(text, str) and text.strip() else None
