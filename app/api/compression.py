"""Compresses answers in JSON and text from 1 kB on (gzip). Files, media, archives and WebSockets are never compressed,
and no answer that asks for that with `Cache-Control: no-transform`.

The BREACH attack (https://breachattack.com) needs answers that hold a secret together with text chosen by the attacker.
There are none here: keys are never sent, there is no token and no cookie, and text from a request returns only in
problems, which are shorter than 1 kB.
"""

from __future__ import annotations

import asyncio
import functools
import gzip
from typing import Any, Final

from litestar.config.compression import CompressionConfig
from litestar.datastructures import Headers, MutableScopeHeaders
from litestar.middleware.compression import CompressionMiddleware

MIN_BYTES: Final = 1000
_LEVEL: Final = 4  # a page of 50 jobs becomes 4 kB, as with level 9, in a third of the time
_AT_ONCE_BYTES: Final = 128 << 10  # 2 ms; longer answers are compressed in a thread
_KEPT: Final = 16  # bodies: open pages ask for the same list again and again
_KINDS: Final = ("application/json", "application/vnd.oai.openapi+json", "text/plain", "text/html")
_BUT: Final = ["^/api/uploads", "^/download/", "^/media/", "^/_app/"]


class Compression(CompressionMiddleware):
    """Litestar's middleware, for whole bodies of compressible types. Long bodies are compressed in a thread."""

    def create_compression_send_wrapper(self, send: Any, compression_encoding: Any, scope: Any) -> Any:
        start: Any = None

        async def answer(message: Any) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            if start is not None:
                begun, start = start, None
                body = message.get("body", b"")
                if (
                    message["type"] == "http.response.body"
                    and not message.get("more_body")
                    and len(body) >= MIN_BYTES
                    and _shrinks(begun)
                ):
                    at_once = len(body) <= _AT_ONCE_BYTES
                    body = _at_once(bytes(body)) if at_once else await asyncio.to_thread(_compressed, body)
                    headers = MutableScopeHeaders(begun)
                    headers["Content-Encoding"], headers["Content-Length"] = "gzip", str(len(body))
                    headers.extend_header_value("vary", "Accept-Encoding")
                    message = {**message, "body": body}
                await send(begun)
            await send(message)

        return answer


def _shrinks(start: Any) -> bool:
    headers = Headers(start["headers"])
    if "no-transform" in headers.get("cache-control", ""):
        return False
    return headers.get("content-type", "").partition(";")[0] in _KINDS and "content-encoding" not in headers


@functools.lru_cache(_KEPT)
def _at_once(body: bytes) -> bytes:
    return _compressed(body)


def _compressed(body: bytes) -> bytes:
    return gzip.compress(body, _LEVEL, mtime=0)


def compression() -> CompressionConfig:
    """For `Litestar(compression_config=...)`."""
    return CompressionConfig(backend="gzip", minimum_size=MIN_BYTES, exclude=_BUT, middleware_class=Compression)
