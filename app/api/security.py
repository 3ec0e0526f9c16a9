"""Checks every request and WebSocket first: request id, known Host, no foreign web sites, size of headers. Adds
security headers and the access log."""

from __future__ import annotations

import asyncio
import re
import secrets
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final
from urllib.parse import urlsplit

import msgspec
import structlog

from app.api.access import RequestLog
from app.api.bodies import Drain
from app.api.problems import MEDIA_TYPE, details
from app.api.unknown_host import UnknownHosts, page, wants_page
from app.config.hosts import Hosts, split
from app.config.trusted_proxies import Trusted
from app.domain.errors import DubError
from app.domain.problems.requests import FORBIDDEN_ORIGIN, HEADERS_TOO_LARGE, HOST_UNKNOWN, INVALID_REQUEST

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]
App = Callable[[Any, Any, Any], Awaitable[None]]

HEAD_BYTES: Final = 32 << 10  # as in nginx
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_WITH_BODY: Final = frozenset({"POST", "PATCH", "PUT"})
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_.-]{8,64}")
_ANSWER_HEAD: Final = ("/api/uploads", "/download/", "/media/")  # on other routes HEAD is GET without the body
_LONG: Final = ("/download/", "/media/")  # answers that a paused player keeps open


def content_security_policy(script_hashes: Iterable[str] = ()) -> str:
    """The page's content policy: load from this server only, run its own scripts and inline scripts with these hashes,
    no framing."""
    scripts = " ".join(["'self'", *(f"'sha256-{value}'" for value in script_hashes)])
    return (
        f"default-src 'none'; script-src {scripts}; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; "
        f"font-src 'self'; "
        "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
    )


# For all other answers: load nothing, run nothing.
STRICT_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS: Final = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=()",
    b"content-security-policy": STRICT_POLICY.encode(),
}


class RequestGate:
    """The outermost ASGI middleware. `allowed` are further web origins that may call the API; `hosts` are the names
        that the server answers to.

    `trusted` are proxies whose X-Forwarded-For is believed; `access_log`: log every request.
    """

    def __init__(
        self,
        app: App,
        allowed: frozenset[str],
        hosts: Hosts,
        *,
        closing: Callable[[], asyncio.Event | None] = lambda: None,
        trusted: Trusted | None = None,
        access_log: bool = True,
    ) -> None:
        self._app = app
        self._allowed = allowed
        self._hosts = hosts
        self._strangers = UnknownHosts()
        self._closing = closing
        self._trusted = trusted or Trusted()
        self._access_log = access_log
        resource_policy = b"cross-origin" if allowed else b"same-origin"
        self._headers = {**_HEADERS, b"cross-origin-resource-policy": resource_policy}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        given = headers.get("x-request-id", "")
        request_id = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        scope.setdefault("state", {})["request_id"] = request_id
        request_log = RequestLog(scope, self._trusted, logged=self._access_log)
        bodiless = scope["type"] == "http" and scope["method"] == "HEAD" and not scope["path"].startswith(_ANSWER_HEAD)

        async def take() -> Any:
            message = await receive()
            request_log.came(message)
            return message

        rest = Drain(take) if scope.get("method") in _WITH_BODY and "expect" not in headers else None

        async def answer(message: Any) -> None:
            if message["type"] == "http.response.start":
                if rest is not None and message["status"] >= 400:
                    await rest.discard()
                message["headers"] = self._completed(message.get("headers", []), request_id)
            elif bodiless and message["type"] == "http.response.body":
                message = {**message, "body": b""}
            request_log.went(message)
            await send(message)

        if bodiless:
            scope = {**scope, "method": "GET"}
        incoming: Receive = rest or take
        if scope["path"].startswith(_LONG) and (closing := self._closing()) is not None:
            incoming = _until(closing, incoming)

        with structlog.contextvars.bound_contextvars(request_id=request_id), request_log.traced(request_id) as span:
            try:
                check(scope, headers, self._allowed, self._hosts)
            except DubError as error:
                if error.problem is HOST_UNKNOWN:
                    self._strangers.came(headers["host"])
                await _refuse(scope, take, answer, error, request_id)
            else:
                await self._app(scope, incoming, answer)
            finally:
                request_log.end(scope, span)

    def _completed(self, present: Iterable[tuple[bytes, bytes]], request_id: str) -> list[tuple[bytes, bytes]]:
        headers = list(present)
        names = {name.lower() for name, _ in headers}
        headers += [(name, value) for name, value in self._headers.items() if name not in names]
        return [*headers, (b"x-request-id", request_id.encode())]


def _until(closing: asyncio.Event, receive: Receive) -> Receive:
    """A `receive` that reports a disconnect when the server stops, so that a client that does not read cannot delay the
    stop."""

    async def next_message() -> Any:
        return await receive()

    async def receive_or_stop() -> Any:
        message, ending = asyncio.create_task(next_message()), asyncio.create_task(closing.wait())
        try:
            await asyncio.wait({message, ending}, return_when=asyncio.FIRST_COMPLETED)
            return message.result() if message.done() else {"type": "http.disconnect"}
        finally:
            message.cancel()
            ending.cancel()

    return receive_or_stop


def weight(scope: Scope) -> int:
    """The approximate size of a request's address and headers in bytes."""
    address = len(scope.get("raw_path") or scope["path"]) + len(scope.get("query_string", b""))
    return address + sum(len(name) + len(value) + 4 for name, value in scope.get("headers", ()))


def check(scope: Scope, headers: dict[str, str], allowed: frozenset[str], hosts: Hosts) -> None:
    """Raises headers_too_large, invalid_request for a malformed Host, host_unknown for an unknown name, and
        forbidden_origin for a request of another
    web site that could change or read something.

    An unknown name may belong to a web site that points it at this server (DNS rebinding): its pages would share our
    origin. A request without Origin and Sec-Fetch-Site does not come from a browser, and may pass: browsers send at
    least one of them with every request that is not plain reading.
    """
    if weight(scope) > HEAD_BYTES:
        raise DubError(HEADERS_TOO_LARGE)
    if sum(name == b"host" for name, _ in scope.get("headers", ())) > 1:
        raise DubError(INVALID_REQUEST, "There are two Host headers.")
    host = headers.get("host", "")
    if split(host) is None:
        raise DubError(INVALID_REQUEST, "The Host header is missing or malformed.")
    if not hosts.knows(host):
        raise DubError(HOST_UNKNOWN, f"It is {host}.")
    if scope["type"] == "http" and scope["method"] in _SAFE:
        return
    origin = headers.get("origin")
    if origin is not None:
        if origin.rstrip("/") not in allowed and not _same_host(origin, host):
            raise DubError(FORBIDDEN_ORIGIN)
    elif headers.get("sec-fetch-site") in ("cross-site", "same-site"):
        raise DubError(FORBIDDEN_ORIGIN)


def _same_host(origin: str, host: str) -> bool:
    """Whether the page was loaded from this host and port. The scheme may differ: a proxy may terminate TLS."""
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return False
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        return False
    default = {"http": 80, "https": 443}[parts.scheme]
    ours = urlsplit(f"//{host}")
    return parts.hostname == ours.hostname and (port or default) == (ours.port or default)


async def _refuse(scope: Scope, receive: Receive, send: Send, error: DubError, request_id: str) -> None:
    if scope["type"] == "websocket":
        await receive()  # websocket.connect
        await send({"type": "websocket.close", "code": 4403, "reason": error.problem.code})
        return
    fault = details(error.problem, error.detail, scope=scope, request_id=request_id)
    body, media_type = msgspec.json.encode(fault), MEDIA_TYPE
    headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
    if error.problem is HOST_UNKNOWN and wants_page(headers.get(b"accept", "")):
        body, media_type = page(headers[b"host"]), "text/html; charset=utf-8"
    start = {
        "type": "http.response.start",
        "status": error.problem.status,
        "headers": [
            (b"content-type", media_type.encode()),
            (b"content-length", str(len(body)).encode()),
            (b"cache-control", b"no-store"),
        ],
    }
    await send(start)
    await send({"type": "http.response.body", "body": body, "more_body": False})
