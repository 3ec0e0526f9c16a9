"""Settings that the page needs, and the API keys that a person entered: stored encrypted, never sent back."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from litestar import Router, delete, get, put
from litestar.params import FromPath, JSONBody

from app.api.depends import Given, OperatorLimits
from app.api.problems import refuses
from app.api.subtitle_preview import Encoding
from app.domain.dub_options import LOUDNESS_TARGETS, DubOptions
from app.domain.errors import DubError
from app.domain.media import MAX_TEXT_CHARACTERS
from app.domain.problems.voices import ENGINE_UNKNOWN
from app.domain.secret_names import ELEVENLABS, Keys, engine_key
from app.domain.segment import MAX_RATE, MIN_RATE
from app.dubbing.subtitles.code_pages import NAMES

if TYPE_CHECKING:
    from app.jobs.service import JobService
    from app.speech.registry import Registry
    from app.storage.secrets import SecretStore

CHUNK_BYTES: Final = 50 << 20


class KeySource(StrEnum):
    PAGE = "page"
    ENVIRONMENT = "environment"


class KeyStatus(msgspec.Struct, frozen=True):
    """Whether a key was entered in the page (`stored`), which one is used (`source`, None: none), and that one's last
    four characters."""

    stored: bool
    source: KeySource | None
    last4: str | None


class KeyEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    key: Annotated[str, msgspec.Meta(min_length=8, max_length=255, pattern=r"^[\x21-\x7e]+$")]


class ServerSettings(msgspec.Struct, frozen=True):
    """Limits and defaults. Sizes are bytes; browsers should upload in chunks of `chunk_bytes`. Speeds are those of
    the default voice (`speeds` of an engine has each engine's own), rates a locked line's;
    `loudness_targets` (LUFS) are the usual ones, others are taken too; `subtitle_encodings` can be chosen for a
    subtitle file. `keys` has every engine that takes one; `elevenlabs_key` is ElevenLabs' again.
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
    keys: dict[str, KeyStatus]
    elevenlabs_key: KeyStatus


def _status(secrets: SecretStore, environment_keys: Keys, engine: str) -> KeyStatus:
    if stored := secrets.get(engine_key(engine)):
        return KeyStatus(True, KeySource.PAGE, stored[-4:])
    if given := environment_keys.of(engine):
        return KeyStatus(False, KeySource.ENVIRONMENT, given[-4:])
    return KeyStatus(False, None, None)


def _keyed(registry: Registry, engine: str) -> str:
    """The engine's name. Raises engine_unknown when it takes no key."""
    if engine not in registry.keyed:
        raise DubError(ENGINE_UNKNOWN, f"The engines with a key are {', '.join(registry.keyed)}.")
    return engine


@get("/", sync_to_thread=True, responses=refuses())
def get_settings(
    service: Given[JobService],
    secrets: Given[SecretStore],
    registry: Given[Registry],
    limits: Given[OperatorLimits],
    environment_keys: Given[Keys],
) -> ServerSettings:
    """Limits, and the default options of a job."""
    speeds = registry.voice(service.default_options().voices.voice)[0].speeds
    keys = {engine: _status(secrets, environment_keys, engine) for engine in registry.keyed}
    return ServerSettings(
        limits.version,
        limits.max_upload_bytes,
        CHUNK_BYTES,
        limits.max_duration_s,
        speeds.min,
        speeds.max,
        MIN_RATE,
        MAX_RATE,
        LOUDNESS_TARGETS,
        MAX_TEXT_CHARACTERS,
        tuple(Encoding(name, label) for name, label in NAMES.items()),
        service.default_options(),
        keys,
        _status(secrets, environment_keys, ELEVENLABS),
    )


@get("/keys/{engine:str}", sync_to_thread=True, responses=refuses(422))
def get_key(
    secrets: Given[SecretStore], registry: Given[Registry], environment_keys: Given[Keys], engine: FromPath[str]
) -> KeyStatus:
    """Whether there is a key for this engine."""
    return _status(secrets, environment_keys, _keyed(registry, engine))


@put("/keys/{engine:str}", sync_to_thread=True, responses=refuses(422))
def put_key(
    secrets: Given[SecretStore],
    registry: Given[Registry],
    environment_keys: Given[Keys],
    engine: FromPath[str],
    data: JSONBody[KeyEntry],
) -> KeyStatus:
    """Store the key, encrypted. It is used instead of the environment's."""
    secrets.set(engine_key(_keyed(registry, engine)), data.key)
    return _status(secrets, environment_keys, engine)


@delete("/keys/{engine:str}", sync_to_thread=True, responses=refuses(422))
def delete_key(secrets: Given[SecretStore], registry: Given[Registry], engine: FromPath[str]) -> None:
    """Delete the stored key."""
    secrets.delete(engine_key(_keyed(registry, engine)))


router = Router("/api/settings", tags=["settings"], route_handlers=[get_settings, get_key, put_key, delete_key])
