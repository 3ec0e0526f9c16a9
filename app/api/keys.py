"""Reads the API keys of a request, each for one engine."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Annotated, Any, Final

from litestar import Request
from litestar.datastructures import Headers, State
from litestar.di import Provide
from litestar.params import HeaderParameter

from app.domain.errors import DubError
from app.domain.problems.requests import INVALID_REQUEST
from app.domain.secret_names import ELEVENLABS, Keys

if TYPE_CHECKING:
    from app.speech.registry import Registry

HEADER: Final = "X-Autodubber-Key"
_ELEVENLABS_HEADER: Final = "xi-api-key"
# no comma: proxies join repeated headers with commas
_KEY: Final = re.compile(r"([a-z0-9-]{1,40})=([\x21-\x2b\x2d-\x7e]{1,255})")


def read_keys(headers: Headers, registry: Registry) -> Keys:
    """The keys in a request's headers. Raises invalid_request; its message repeats nothing from the header."""
    found: dict[str, str] = {}
    engines = tuple(dict.fromkeys((*registry.voices, *registry.keyed)))
    for header in headers.getall(HEADER, []):
        for part in filter(None, map(str.strip, header.split(","))):
            match = _KEY.fullmatch(part)
            if match is None or match[1] not in engines:
                raise DubError(INVALID_REQUEST, f"{HEADER} is ENGINE=KEY; the engines are {', '.join(engines)}.")
            if match[1] in found:
                raise DubError(INVALID_REQUEST, f"{HEADER} has two keys for {match[1]}.")
            found[match[1]] = match[2]
    return Keys({ELEVENLABS: headers.get(_ELEVENLABS_HEADER, "")} | found)


def _provide(
    request: Request[Any, Any, State],
    state: State,
    engine_keys: Annotated[
        str | None,
        HeaderParameter(
            name=HEADER,
            required=False,
            description=(
                "ENGINE=KEY: an engine's API key for this request only; may come once for each engine. Never "
                "stored in clear or logged."
            ),
        ),
    ] = None,
    elevenlabs_key: Annotated[
        str | None,
        HeaderParameter(
            name=_ELEVENLABS_HEADER,
            required=False,
            description="The same for ElevenLabs alone, as its own API names it.",
        ),
    ] = None,
) -> Keys:
    return read_keys(request.headers, state.registry)


keys_of_request: Final = Provide(_provide, sync_to_thread=False)
