"""Calls to ElevenLabs through its official SDK, which loads when it is first used.

This module adds shared connections, a deadline for the whole call and the only retry layer, and keeps the key out of
errors, logs and caches.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, Final, TypeVar
from weakref import WeakKeyDictionary

import msgspec

from app.domain.problems.voices import SPEECH_BUSY, SPEECH_FAILED
from app.observability import metrics
from app.speech.elevenlabs.errors import CallFailure, Retry, trouble

if TYPE_CHECKING:
    import httpx
    from elevenlabs.client import AsyncElevenLabs

T = TypeVar("T")

_HASTY_S: Final = 8.0


class _Loop:
    """The state of one event loop."""

    def __init__(self) -> None:
        self.http: httpx.AsyncClient | None = None
        self.locks: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)


def _connections() -> httpx.AsyncClient:
    """Costs 50 ms of processor time: not on the loop."""
    import httpx

    limits = httpx.Limits(max_connections=64, max_keepalive_connections=16)
    # no redirects: the key would be sent to their target
    return httpx.AsyncClient(timeout=httpx.Timeout(60.0, connect=10.0), limits=limits, follow_redirects=False)


class _Known(msgspec.Struct, frozen=True):
    """One cached answer."""

    value: Any
    until: float


class Service:
    """The service at one address. `pause_s` is the first pause between tries, `deadline_s` the least time that a whole
    call may take."""

    def __init__(self, base_url: str, *, pause_s: float, deadline_s: float) -> None:
        self._base_url = base_url.rstrip("/")
        self._pause_s = pause_s
        self._deadline_s = deadline_s
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _Loop] = WeakKeyDictionary()
        self._cache: dict[tuple[str, str], _Known] = {}

    async def call(
        self, key: str, do: Callable[[AsyncElevenLabs], Awaitable[T]], *, extra_s: float = 0.0, hasty: bool = False
    ) -> T:
        """Call the service with retries; there is no other retry layer. Raises the catalogue error of the last failure.

        `extra_s` extends the deadline of a try. `hasty`: one short try, while a person waits for a page.
        """
        client = await self._client(key)
        tries = 0
        while True:
            found = await _attempt(
                client, do, min(_HASTY_S, self._deadline_s) if hasty else self._deadline_s + extra_s, key
            )
            if not isinstance(found, CallFailure):
                return found
            tries += 1
            pause_s = None if hasty else found.pause_s(tries, self._pause_s)
            if pause_s is None:
                raise found.error()
            metrics.SPEECH_RETRIES.add("elevenlabs", found.problem.code)
            await asyncio.sleep(pause_s)

    async def _client(self, key: str) -> AsyncElevenLabs:
        module = await sdk_module("elevenlabs.client")
        here = self._here()
        if here.http is None:
            made = await asyncio.to_thread(_connections)
            # another task may have created one meanwhile; an unused client holds no connection
            here.http = here.http or made
        client: AsyncElevenLabs = module.AsyncElevenLabs(api_key=key, base_url=self._base_url, httpx_client=here.http)
        return client

    def _here(self) -> _Loop:
        loop = asyncio.get_running_loop()
        if loop not in self._loops:
            self._loops[loop] = _Loop()
        return self._loops[loop]

    async def cached(self, what: str, key: str, keep_s: float, fetch: Callable[[], Awaitable[Any]]) -> Any:
        """The result of `fetch` for this key, cached for `keep_s`; concurrent callers share one call. Failures are not
        cached."""
        name = (what, digest(key))
        async with self._here().locks[name]:
            known = self._cache.get(name)
            if known is None or known.until < time.monotonic():
                known = _Known(await fetch(), time.monotonic() + keep_s)
                self._cache[name] = known
            return known.value

    async def close(self) -> None:
        """Close the connections on every loop that still runs."""
        for loop, own in list(self._loops.items()):
            if own.http is None:
                continue
            if loop is asyncio.get_running_loop():
                await own.http.aclose()
            elif loop.is_running():
                await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(own.http.aclose(), loop))
        self._loops.clear()


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
        return CallFailure(SPEECH_BUSY, "It cannot be reached.", Retry.BUSY)
    except (httpx.TransportError, httpx.StreamError, httpx.DecodingError):
        return CallFailure(SPEECH_FAILED, "The connection was cut.", Retry.BUSY)


async def sdk_module(name: str) -> Any:
    """A module of the SDK; its import takes a quarter of a second, which the loop does not wait for."""
    return await asyncio.to_thread(importlib.import_module, name)


def digest(key: str) -> str:
    """The hash that stands for a key in a cache."""
    return hashlib.sha256(key.encode()).hexdigest()
