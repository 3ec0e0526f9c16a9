"""The public library of voices, their previews, and voices that are added to the account."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import urlsplit

import msgspec

from app.domain.errors import DubError
from app.domain.problems.voices import PREVIEW_UNAVAILABLE, SPEECH_FAILED, VOICE_UNKNOWN
from app.speech.elevenlabs.account import REQUEST_OPTIONS, VOICE_ID, Account, read_shared
from app.speech.elevenlabs.client import Response, Service
from app.speech.failures import CallFailure
from app.speech.ports import SharedVoices, VoiceQuery

_PAGE: Final = 30
_KNOWN_S: Final = 600.0
_MOST_PREVIEW_BYTES: Final = 4 << 20
# where the service keeps samples
_SAMPLE_HOSTS: Final = ("storage.googleapis.com", ".elevenlabs.io")
_FILTERS: Final = ("search", "language", "gender", "age", "accent")


class _Made(msgspec.Struct, frozen=True):
    voice_id: str


class Library:
    """Of one account at one service."""

    def __init__(self, service: Service, account: Account) -> None:
        self._service, self._account = service, account
        self._previews: dict[str, str | None] = {}  # of the pages that were shown

    async def shared(self, key: str, query: VoiceQuery) -> SharedVoices:
        """One page of what the public library has; pages count from 0."""
        asked: dict[str, Any] = {name: value for name in _FILTERS if (value := getattr(query, name))}

        async def fetch() -> SharedVoices:
            found = await self._service.call(
                key,
                lambda client: client.voices.get_shared(
                    page_size=_PAGE, page=query.page, request_options=REQUEST_OPTIONS, **asked
                ),
                hasty=True,
            )
            listed = getattr(found, "voices", None)
            if not isinstance(listed, list):
                raise DubError(SPEECH_FAILED, "Its list of voices was not understood.", retryable=True)
            voices = tuple(voice for one in listed if (voice := read_shared(one)) is not None)
            return SharedVoices(voices, query.page, bool(getattr(found, "has_more", False)))

        what = f"shared {msgspec.json.encode(query).decode()}"
        page: SharedVoices = await self._service.cached(what, key, _KNOWN_S, fetch)
        self._previews |= {voice.id: voice.preview_url for voice in page.voices}
        return page

    async def add(self, key: str, owner: str, voice_id: str, name: str) -> str:
        """Add a voice of the public library to the account; its id there."""
        if not (VOICE_ID.fullmatch(voice_id) and VOICE_ID.fullmatch(owner)):
            raise DubError(VOICE_UNKNOWN, "This is no voice of the library.")
        added = await self._service.call(
            key, lambda client: client.voices.share(owner, voice_id, new_name=name, request_options=REQUEST_OPTIONS)
        )
        self._account.voices_changed(key)
        found = getattr(added, "voice_id", None)
        return found if isinstance(found, str) and VOICE_ID.fullmatch(found) else voice_id

    async def preview(self, key: str, voice_id: str) -> tuple[str, bytes]:
        """The type and the bytes of a voice's sample. Raises voice_unknown, preview_unavailable."""
        listed = {voice.id: voice.preview_url for voice in await self._account.voices(key)}
        url = listed.get(voice_id) or self._previews.get(voice_id)
        if voice_id not in listed and url is None:
            raise DubError(VOICE_UNKNOWN)
        if not url or not self._may_be_fetched(url):
            raise DubError(PREVIEW_UNAVAILABLE)
        return await self._service.fetch(url, most_bytes=_MOST_PREVIEW_BYTES)

    async def clone(self, key: str, name: str, sound: bytes) -> str:
        """Make a voice of a WAV file, asked for once: a second try might make a second voice."""

        async def check(response: Response) -> str:
            try:
                made = msgspec.json.decode(response.body, type=_Made)
            except (msgspec.DecodeError, UnicodeDecodeError):
                raise CallFailure(SPEECH_FAILED, "Its answer was not understood.") from None
            if not VOICE_ID.fullmatch(made.voice_id):
                raise CallFailure(SPEECH_FAILED, "Its answer has no voice.")
            return made.voice_id

        def content() -> dict[str, Any]:
            files = [("files", ("sample.wav", sound, "audio/wav"))]
            return {"data": {"name": name, "remove_background_noise": "false"}, "files": files}

        voice_id = await self._service.upload(
            "/v1/voices/add", key, content, check, deadline_s=120.0, most_bytes=1 << 16, once=True
        )
        self._account.voices_changed(key)
        return voice_id

    async def forget(self, key: str, voice_id: str) -> None:
        if not VOICE_ID.fullmatch(voice_id):
            raise DubError(VOICE_UNKNOWN)
        await self._service.call(key, lambda client: client.voices.delete(voice_id, request_options=REQUEST_OPTIONS))
        self._account.voices_changed(key)

    def _may_be_fetched(self, url: str) -> bool:
        """Samples are on public addresses with encryption, or at the service's own."""
        parts, own = urlsplit(url), urlsplit(self._service.base_url)
        if (parts.scheme, parts.netloc) == (own.scheme, own.netloc):
            return True
        host = (parts.hostname or "").lower()
        return parts.scheme == "https" and host.endswith(_SAMPLE_HOSTS)
