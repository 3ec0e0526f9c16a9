"""Reads request bodies. A JSON body that cannot be read is the client's error. Other bodies come in blocks, with flat
memory and a time-out between bytes; bytes that arrived are handed over before a broken connection is reported."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Final

from litestar import Request
from litestar.exceptions import InternalServerException

from app.domain.errors import DubError
from app.domain.json_decoding import Malformed, malformed
from app.domain.problems.requests import INVALID_REQUEST

# the server hands over up to 400 kB at once: those are written as they are, not joined first
BLOCK_BYTES: Final = 256 << 10
_SILENCE_S: Final = 60.0
_DISCARD_BYTES: Final = 64 << 20
_DISCARD_SILENCE_S: Final = 1.0


class CheckedRequest(Request[Any, Any, Any]):
    """The request that handlers get. A body that breaks off, has wrong framing or cannot be decoded raises
    invalid_request."""

    async def body(self) -> bytes:
        try:
            return await super().body()
        # "client disconnected prematurely": the connection broke, or a chunk's size is not a number
        except InternalServerException:
            raise DubError(INVALID_REQUEST, "The body broke off, or its chunks are malformed.") from None

    async def json(self) -> Any:
        body = await self.body()
        try:
            with malformed():
                return await super().json() if body else None
        except Malformed as error:
            raise DubError(INVALID_REQUEST, f"The body: {error}.") from None


class BodyReader:
    """Receives a body; knows how long it has been silent, and can be interrupted from outside."""

    def __init__(self) -> None:
        self._silent_since: float | None = None
        self._wait: asyncio.Timeout | None = None
        self._interrupted = False

    def silent_s(self) -> float:
        """Seconds that the reader has been waiting for the client; 0 while it processes data."""
        return 0.0 if self._silent_since is None else asyncio.get_running_loop().time() - self._silent_since

    def interrupt(self) -> None:
        """End the current or next wait, as if the client had been silent for too long."""
        self._interrupted = True
        if self._wait is not None:
            self._wait.reschedule(asyncio.get_running_loop().time())

    async def receive(self, request: Request[Any, Any, Any]) -> Any:
        """The next ASGI message. Raises TimeoutError after 60 s of silence or when interrupted."""
        self._silent_since = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(0 if self._interrupted else _SILENCE_S) as self._wait:
                return await request.receive()
        finally:
            self._silent_since = self._wait = None


class Drain:
    """A `receive` that can discard the remaining body of a request."""

    def __init__(self, receive: Callable[[], Awaitable[Any]]) -> None:
        self._receive = receive
        self._ended = False

    async def __call__(self) -> Any:
        message = await self._receive()
        self._ended = self._ended or not message.get("more_body", False)
        return message

    async def discard(self) -> None:
        """Read the remaining body, up to a limit. Otherwise a refusal sent while the client still writes would reset
        the connection unseen."""
        left = _DISCARD_BYTES
        with contextlib.suppress(TimeoutError):
            while not self._ended and left > 0:
                async with asyncio.timeout(_DISCARD_SILENCE_S):
                    left -= len((await self()).get("body", b""))


async def blocks(request: Request[Any, Any, Any], pace: BodyReader) -> AsyncIterator[bytes]:
    """Yield the body in blocks of 256 KiB or more. When the client disconnects or stays silent, the last bytes are
    yielded first, then invalid_request is raised."""
    held, held_bytes, more = [], 0, True
    problem: DubError | None = None
    while more and problem is None:
        try:
            message = await pace.receive(request)
        except TimeoutError:
            problem = DubError(INVALID_REQUEST, "No byte arrived in time, or another request took over.")
            message = {"type": "silence"}
        if message["type"] == "http.request":
            more = message.get("more_body", False)
            if body := message.get("body", b""):
                held.append(body)
                held_bytes += len(body)
        elif message["type"] == "http.disconnect":
            problem = DubError(INVALID_REQUEST, "The connection broke.")
        if held and (held_bytes >= BLOCK_BYTES or not more or problem is not None):
            block = held[0] if len(held) == 1 else b"".join(held)
            held, held_bytes = [], 0
            yield block
    if problem is not None:
        raise problem
