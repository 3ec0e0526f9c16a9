"""JSON answers with an ETag, and 304 when the client has the current answer (RFC 9110, section 13)."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
from litestar import Request
from litestar.response import Response

from app.api.ranges import tags


def validated(request: Request[Any, Any, Any], value: Any, headers: Mapping[str, str] | None = None) -> Response[Any]:
    """The value as JSON, or 304 without a body. Encodes here: call it in the handler's thread.

    The ETag is weak, because the answer may be compressed. The client may cache the answer and must revalidate it each
    time.
    """
    body = msgspec.json.encode(value)
    tag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    sent = {**(headers or {}), "ETag": f"W/{tag}", "Cache-Control": "private, no-cache"}
    wanted = tags(request.headers.get("if-none-match"))
    if tag in wanted or "*" in wanted:
        return Response(b"", status_code=304, headers=sent, media_type="application/json")
    return Response(body, headers=sent, media_type="application/json")
