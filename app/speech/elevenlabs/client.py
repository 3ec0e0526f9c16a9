"""Calls to ElevenLabs through its official SDK, which loads when it is first used.

This module adds shared connections, a deadline for the whole call and the only retry layer, and keeps the key out of
errors, logs and caches.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, TypeVar

import msgspec

from app.domain.errors import DubError
from app.domain.problems.voices import SPEECH_BUSY, SPEECH_FAILED
from app.domain.spending import Charge
from app.observability import metrics
from app.speech.connections import Connections
from app.speech.elevenlabs.errors import trouble
from app.speech.failures import CallFailure, Retry
from app.spending.paying import paying

if TYPE_CHECKING:
    from elevenlabs.client import AsyncElevenLabs

T = TypeVar("T")

_HASTY_S: Final = 8.0


class Response(msgspec.Struct, frozen=True):
    """An answer of status 200."""

    content_type: str
    body: bytes


def _decoded(body: bytes) -> Any:
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body.decode(errors="replace")


class Service:
    """The service at one address. `pause_s` is the first pause between tries, `deadline_s` the least time that a whole
    call may take."""

    def __init__(self, base_url: str, *, pause_s: float, deadline_s: float) -> None:
        self._base_url = self.base_url = base_url.rstrip("/")
        self._pause_s = pause_s
        self._deadline_s = deadline_s
        self._connections = Connections()

    async def call(
        self,
        key: str,
        do: Callable[[AsyncElevenLabs], Awaitable[T]],
        *,
        extra_s: float = 0.0,
        hasty: bool = False,
        once: bool = False,
        charge: Charge | None = None,
        cost: Callable[[T], Charge | None] = lambda _: None,
    ) -> T:
        """Call the service with retries; there is no other retry layer. Raises the catalogue error of the last failure,
        and what `paying` raises.

        `extra_s` extends the deadline of a try. `hasty`: one short try, while a person waits for a page; `once`: one
        try. `charge` is what a try costs at most, `cost` what it cost in the end, where that is told.
        """
        client = await self._client(key)
        tries = 0
        while True:
            async with paying(charge) as bill:
                found = await _attempt(
                    client, do, min(_HASTY_S, self._deadline_s) if hasty else self._deadline_s + extra_s, key
                )
                if not isinstance(found, CallFailure):
                    bill.answered(cost(found))
                elif found.unbilled:
                    bill.refused()
            if not isinstance(found, CallFailure):
                return found
            tries += 1
            pause_s = None if hasty or once else found.pause_s(tries, self._pause_s)
            if pause_s is None:
                raise found.error()
            metrics.SPEECH_RETRIES.add("elevenlabs", found.problem.code)
            await asyncio.sleep(pause_s)

    async def fetch(self, url: str, *, most_bytes: int) -> tuple[str, bytes]:
        """A sample of a voice: media type and bytes. No key is sent. Raises speech_failed, speech_busy."""
        import httpx

        http, body = await self._connections.http(), bytearray()
        try:
            async with asyncio.timeout(_HASTY_S), http.stream("GET", url) as answer:
                async for block in answer.aiter_bytes():
                    body += block
                    if len(body) > most_bytes:
                        raise DubError(SPEECH_FAILED, "The sample is too long.")
        except (TimeoutError, httpx.HTTPError):
            raise DubError(SPEECH_BUSY, "The sample cannot be had now.", retryable=True) from None
        kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
        if answer.status_code != 200 or not kind.startswith("audio/"):
            raise DubError(SPEECH_FAILED, "The sample is no sound.", retryable=True)
        return kind, bytes(body)

    async def upload(
        self,
        path: str,
        key: str,
        content: Callable[[], Mapping[str, Any]],
        check: Callable[[Response], Awaitable[T]],
        *,
        deadline_s: float,
        most_bytes: int,
        once: bool = False,
        charge: Charge | None = None,
    ) -> T:
        """POST a form with files, which the SDK would send with empty fields; the same retries. `content` is made anew
        for each try; `check` gets the answer as soon as its last byte has come."""
        http = await self._connections.http()

        async def attempt(_: AsyncElevenLabs) -> T:
            form = content()
            async with http.stream(
                "POST", f"{self._base_url}{path}", headers={"xi-api-key": key}, timeout=deadline_s, **form
            ) as answer:
                body = bytearray()
                async for block in answer.aiter_bytes():
                    body += block
                    if len(body) > most_bytes:
                        raise CallFailure(SPEECH_FAILED, "It sent far more than was asked for.", Retry.ANSWER)
            if answer.status_code != 200:
                raise trouble(answer.status_code, _decoded(bytes(body)), answer.headers, key)
            return await check(Response(answer.headers.get("content-type", ""), bytes(body)))

        return await self.call(key, attempt, extra_s=deadline_s, once=once, charge=charge)

    async def _client(self, key: str) -> AsyncElevenLabs:
        module = await sdk_module("elevenlabs.client")
        http = await self._connections.http()
        client: AsyncElevenLabs = module.AsyncElevenLabs(api_key=key, base_url=self._base_url, httpx_client=http)
        return client

    async def cached(self, what: str, key: str, keep_s: float, fetch: Callable[[], Awaitable[Any]]) -> Any:
        """See `Connections.cached`."""
        return await self._connections.cached(what, key, keep_s, fetch)

    def forget(self, what: str, key: str) -> None:
        """Ask again the next time."""
        self._connections.forget(what, key)

    async def close(self) -> None:
        await self._connections.close()


async def _attempt(
    client: AsyncElevenLabs, do: Callable[[AsyncElevenLabs], Awaitable[T]], deadline_s: float, key: str
) -> T | CallFailure:
    """One try. A failure is returned, not raised, so that no exception with the request (and the key) in it hangs on
    ours."""
    import httpx
    from elevenlabs.core.api_error import ApiError
    from elevenlabs.core.parse_error import ParsingError

    try:
        async with asyncio.timeout(deadline_s):  # the SDK has none: a slow drip outlives any of its time-outs
            return await do(client)
    except CallFailure as error:
        return error
    except ApiError as error:
        return trouble(error.status_code, error.body, error.headers, key)
    except ParsingError:
        return CallFailure(SPEECH_FAILED, "Its answer was not understood.", Retry.ANSWER)
    except (TimeoutError, httpx.TimeoutException):
        return CallFailure(SPEECH_BUSY, "It did not answer in time.", Retry.BUSY)
    except (httpx.ConnectError, httpx.UnsupportedProtocol):
        failure = CallFailure(SPEECH_BUSY, "It cannot be reached.", Retry.BUSY)
        failure.unbilled = True
        return failure
    except (httpx.TransportError, httpx.StreamError, httpx.DecodingError):
        return CallFailure(SPEECH_FAILED, "The connection was cut.", Retry.BUSY)


async def sdk_module(name: str) -> Any:
    """A module of the SDK; its import takes a quarter of a second, which the loop does not wait for."""
    return await asyncio.to_thread(importlib.import_module, name)
