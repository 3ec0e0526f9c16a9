"""Routes of engines and voices: which are available, and why others are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from litestar import Router, get
from litestar.params import QueryParameter

from app.api.depends import Given
from app.api.problems import refuses
from app.domain.secret_names import Keys
from app.domain.voice_chosen import VoiceChosen
from app.speech.ports import EngineInfo, VoiceInfo

if TYPE_CHECKING:
    from app.speech.registry import Registry


class Engines(msgspec.Struct, frozen=True):
    engines: tuple[EngineInfo, ...]


class Voices(msgspec.Struct, frozen=True):
    voices: tuple[VoiceInfo, ...]


@get("/engines", responses=refuses())
async def list_engines(registry: Given[Registry], keys: Given[Keys]) -> Engines:
    """Every engine: whether it is available, why not, and its models."""
    return Engines(tuple(await registry.infos(keys)))


@get("/voices", responses=refuses(401, 502, 503))
async def list_voices(
    registry: Given[Registry],
    keys: Given[Keys],
    engine: Annotated[str | None, QueryParameter(description="Only this engine's voices.")] = None,
    language: Annotated[
        str | None, QueryParameter(description="Only voices that speak this language (ISO 639-1) or any.")
    ] = None,
) -> Voices:
    """The voices of all engines that are available."""
    found = await registry.all_voices(keys)
    return Voices(
        tuple(
            v
            for v in found
            if (engine is None or v.engine == engine)
            and (language is None or v.language is None or v.language == language)
        )
    )


@get("/voices/auto", sync_to_thread=True, responses=refuses())
def auto_voice(
    registry: Given[Registry],
    language: Annotated[str | None, QueryParameter(description="ISO 639-1; English if it is not told.")] = None,
) -> VoiceChosen:
    """The voice that `local:auto` is for a language now, and why."""
    return registry.local.chosen(language)


router = Router("/api", tags=["voices"], route_handlers=[list_engines, list_voices, auto_voice])
