"""What the page needs to know of the server, and the API key that a person entered: kept encrypted, never sent back."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from litestar import Router, delete, get, put
from litestar.params import JSONBody

from app.api.depends import Given, Limits
from app.api.problems import refuses
from app.api.subtitles import Encoding
from app.domain.job import LOUDNESS_TARGETS, MAX_SPEED, MIN_SPEED, DubOptions
from app.domain.media import MAX_TEXT_CHARACTERS
from app.domain.secrets import ELEVENLABS_KEY
from app.domain.segment import MAX_RATE, MIN_RATE
from app.dubbing.code_pages import NAMES

if TYPE_CHECKING:
    from app.jobs.service import JobService
    from app.storage.secrets import SecretStore

CHUNK_BYTES: Final = 50 << 20


class KeySource(StrEnum):
    PAGE = "page"
    ENVIRONMENT = "environment"


class KeyStatus(msgspec.Struct, frozen=True):
    """Whether a key was entered in the page (`stored`), which one is used (`source`, None: none), and that one's last four characters."""

    stored: bool
    source: KeySource | None
    last4: str | None


class KeyEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: Annotated[str, msgspec.Meta(min_length=8, max_length=255, pattern=r"^[\x21-\x7e]+$")]


class ServerSettings(msgspec.Struct, frozen=True):
    """Limits and defaults. Sizes are bytes; browsers should upload in chunks of `chunk_bytes`. Speeds are the job's, rates a locked line's;
    `loudness_targets` (LUFS) are the usual ones, others are taken too; `subtitle_encodings` can be chosen for a subtitle file.
    """

    version: str
    max_upload_bytes: int
    chunk_bytes: int
    max_duration_s: float
    min_speed: float
    max_speed: float
    min_rate: float
    max_rate: float
    loudness_targets: tuple[float, ...]
    max_text_characters: int
    subtitle_encodings: tuple[Encoding, ...]
    defaults: DubOptions
    elevenlabs_key: KeyStatus


def _status(secrets: SecretStore, environment_key: str) -> KeyStatus:
    stored = secrets.get(ELEVENLABS_KEY)
    if stored:
        return KeyStatus(True, KeySource.PAGE, stored[-4:])
    return KeyStatus(False, KeySource.ENVIRONMENT if environment_key else None, environment_key[-4:] or None)


@get("/", sync_to_thread=True, responses=refuses())
def get_settings(service: Given[JobService], secrets: Given[SecretStore], limits: Given[Limits], environment_key: Given[str]) -> ServerSettings:
    """Limits, and what a job gets where it says nothing."""
    return ServerSettings(
        limits.version,
        limits.max_upload_bytes,
        CHUNK_BYTES,
        limits.max_duration_s,
        MIN_SPEED,
        MAX_SPEED,
        MIN_RATE,
        MAX_RATE,
        LOUDNESS_TARGETS,
        MAX_TEXT_CHARACTERS,
        tuple(Encoding(name, label) for name, label in NAMES.items()),
        service.default_options(),
        _status(secrets, environment_key),
    )


@get("/keys/elevenlabs", sync_to_thread=True, responses=refuses())
def get_key(secrets: Given[SecretStore], environment_key: Given[str]) -> KeyStatus:
    """Whether there is a key."""
    return _status(secrets, environment_key)


@put("/keys/elevenlabs", sync_to_thread=True, responses=refuses())
def put_key(secrets: Given[SecretStore], data: JSONBody[KeyEntry], environment_key: Given[str]) -> KeyStatus:
    """Store the key, encrypted. It is used instead of the environment's."""
    secrets.set(ELEVENLABS_KEY, data.key)
    return _status(secrets, environment_key)


@delete("/keys/elevenlabs", sync_to_thread=True)
def delete_key(secrets: Given[SecretStore]) -> None:
    """Forget the stored key."""
    secrets.delete(ELEVENLABS_KEY)


router = Router("/api/settings", tags=["settings"], route_handlers=[get_settings, get_key, put_key, delete_key])
