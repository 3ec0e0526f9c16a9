"""Connections to speech services: one client for each event loop, and answers that are asked for once.

A connection follows no redirect: the key would be sent to its target.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

import msgspec

if TYPE_CHECKING:
    import httpx


class _Loop:
    """The state of one event loop."""

    def __init__(self) -> None:
        self.http: httpx.AsyncClient | None = None
        self.locks: defaultdict[tuple[str, str], asyncio.Lock] = defaultdict(asyncio.Lock)


class _Known(msgspec.Struct, frozen=True):
    """One cached answer."""

    value: Any
    until: float


class Connections:
    """Clients by event loop, and cached answers by key."""

    def __init__(self) -> None:
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _Loop] = WeakKeyDictionary()
        self._cache: dict[tuple[str, str], _Known] = {}

    async def http(self) -> httpx.AsyncClient:
        """The client of this loop."""
        here = self._here()
        if here.http is None:
            made = await asyncio.to_thread(_client)
            # another task may have created one meanwhile; an unused client holds no connection
            here.http = here.http or made
        return here.http

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

    def forget(self, what: str, key: str) -> None:
        """Ask again the next time."""
        self._cache.pop((what, digest(key)), None)

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

    def _here(self) -> _Loop:
        loop = asyncio.get_running_loop()
        if loop not in self._loops:
            self._loops[loop] = _Loop()
        return self._loops[loop]


def _client() -> httpx.AsyncClient:
    """Costs 50 ms of processor time: not on the loop."""
    import httpx

    limits = httpx.Limits(max_connections=64, max_keepalive_connections=16)
    return httpx.AsyncClient(timeout=httpx.Timeout(60.0, connect=10.0), limits=limits, follow_redirects=False)


def digest(key: str) -> str:
    """The hash that stands for a key in a cache."""
    return hashlib.sha256(key.encode()).hexdigest()
