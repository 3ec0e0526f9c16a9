"""Routes of engines and voices: which are available, and why others are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import msgspec
from litestar import Router, get, post
from litestar.params import FromPath, JSONBody, QueryParameter
from litestar.response import Response

from app.api.depends import Given
from app.api.problems import refuses
from app.domain.secret_names import Keys
from app.domain.voice_chosen import VoiceChosen
from app.speech.ports import EngineInfo, SharedVoices, VoiceInfo, VoiceQuery

if TYPE_CHECKING:
    from app.speech.registry import Registry


class Engines(msgspec.Struct, frozen=True):
    engines: tuple[EngineInfo, ...]


class Voices(msgspec.Struct, frozen=True):
    voices: tuple[VoiceInfo, ...]


class SharedVoiceToAdd(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A voice of a public library, as it is listed there, and its name in the account."""

    owner: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    id: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    name: Annotated[str, msgspec.Meta(min_length=1, max_length=100)]
    engine: Annotated[str, msgspec.Meta(max_length=40)] = "elevenlabs"


class AddedVoice(msgspec.Struct, frozen=True):
    """`voice` is "ENGINE:ID"."""

    voice: str


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


@get("/voices/shared", responses=refuses(401, 402, 422, 502, 503))
async def shared_voices(
    registry: Given[Registry],
    keys: Given[Keys],
    engine: Annotated[str, QueryParameter(description="An engine with a public library.")] = "elevenlabs",
    search: Annotated[str, QueryParameter(description="Words of name or description.", max_length=200)] = "",
    language: Annotated[str, QueryParameter(description="ISO 639-1.", max_length=20)] = "",
    gender: Annotated[str, QueryParameter(description="Such as female.", max_length=40)] = "",
    age: Annotated[str, QueryParameter(description="Such as young.", max_length=40)] = "",
    accent: Annotated[str, QueryParameter(description="Such as british.", max_length=40)] = "",
    page: Annotated[int, QueryParameter(description="Counted from 0.", ge=0, le=1000)] = 0,
) -> SharedVoices:
    """One page of an engine's public library. Such a voice is added to the account before it speaks."""
    query = VoiceQuery(search, language, gender, age, accent, page)
    return await registry.library(engine).shared(query, keys.of(engine))


@post("/voices/shared", status_code=201, responses=refuses(401, 402, 422, 502, 503))
async def add_shared_voice(
    registry: Given[Registry], keys: Given[Keys], data: JSONBody[SharedVoiceToAdd]
) -> AddedVoice:
    """Add a voice of the public library to the account. It counts against the plan's voices."""
    voice_id = await registry.library(data.engine).add_shared(data.owner, data.id, data.name, keys.of(data.engine))
    return AddedVoice(f"{data.engine}:{voice_id}")


@get("/voices/{engine:str}/{voice_id:str}/sample", responses=refuses(401, 404, 422, 502, 503))
async def voice_sample(
    registry: Given[Registry], keys: Given[Keys], engine: FromPath[str], voice_id: FromPath[str]
) -> Response[bytes]:
    """The sample of a voice that has a `preview_url`, through this server: the page loads nothing from elsewhere."""
    kind, sound = await registry.sampled(engine).sample(voice_id, keys.of(engine))
    headers = {"Cache-Control": "private, max-age=3600", "X-Content-Type-Options": "nosniff"}
    return Response(sound, media_type=kind, headers=headers)


router = Router(
    "/api",
    tags=["voices"],
    route_handlers=[list_engines, list_voices, auto_voice, shared_voices, add_shared_voice, voice_sample],
)
