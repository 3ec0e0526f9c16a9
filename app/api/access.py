"""Writes the access log (one line for every request, two for every WebSocket) and counts the same facts as metrics."""

from __future__ import annotations

import re
import time
from collections.abc import MutableMapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final

import structlog

from app.config.trusted_proxies import Trusted
from app.observability import metrics, tracing
from app.observability.tracing import Span

Scope = MutableMapping[str, Any]

_IDENTITY: Final = re.compile(r"/([0-9a-f]{32})(?:/|$)")
_QUIET: Final = ("/health", "/metrics", "/_app/")
_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_UPLOADS: Final = ("/api/uploads", "/api/jobs")
_DOWNLOADS: Final = ("/download/", "/media/")
_AGENT_CHARACTERS: Final = 120
_PATH_CHARACTERS: Final = 300
_CUT: Final = 499  # as in nginx: the client disconnected before the answer
_log = structlog.get_logger("access")


class RequestLog:
    """One request or WebSocket, from its start to its end. `line` is its log line, without the query, which may hold a
    secret."""

    def __init__(self, scope: Scope, trusted: Trusted, *, logged: bool) -> None:
        self._logged = logged
        self._socket = scope["type"] == "websocket"
        self._method = scope.get("method", "WS")
        self._began = time.perf_counter()
        self.received_bytes = self.sent_bytes = self.status = self._code = 0
        self._whole = False
        self._path = str(scope["path"])
        self._client, self._agent = _who(scope, trusted)

    @property
    def client(self) -> str:
        return self._client

    # ---------------------------------------------------------------- messages

    def came(self, message: Any) -> None:
        """A message from the client."""
        if message["type"] == "http.request":
            self.received_bytes += len(message.get("body", b""))
        elif message["type"] == "websocket.receive":
            self.received_bytes += _size(message)
        elif message["type"] == "websocket.disconnect":
            self._code = self._code or message.get("code") or 0

    def went(self, message: Any) -> None:
        """A message to the client."""
        match message["type"]:
            case "http.response.start":
                self.status = message["status"]
            case "http.response.body":
                self.sent_bytes += len(message.get("body", b""))
                self._whole = not message.get("more_body", False)
            case "websocket.accept":
                self.status = 101
                metrics.SOCKETS_OPENED.add()
                self._say("socket opened")
            case "websocket.send":
                self.sent_bytes += _size(message)
            case "websocket.close":
                self._code = self._code or message.get("code", 1000)

    # ---------------------------------------------------------------- the end

    def traced(self, request_id: str) -> AbstractContextManager[Span]:
        """Trace the request, unless it is a WebSocket or a health check."""
        if self._socket or self._path.startswith(_QUIET):
            return nullcontext(Span())
        return tracing.span(
            self._method, "server", http__request__method=self._method, autodubber__request_id=request_id
        )

    def end(self, scope: Scope, span: Span) -> None:
        """Log and count it. `scope` is the application's: it holds the route by now."""
        seconds = time.perf_counter() - self._began
        if self._socket:
            self._say(
                "socket closed",
                code=self._code,
                seconds=round(seconds, 3),
                received_bytes=self.received_bytes,
                sent_bytes=self.sent_bytes,
            )
            return
        cut = {} if self._whole else {"cut": True}
        self._say(
            "request",
            status=self.status or _CUT,
            ms=round(seconds * 1000, 1),
            received_bytes=self.received_bytes,
            sent_bytes=self.sent_bytes,
            **cut,
        )
        method = self._method if self._method in _METHODS else metrics.OTHER
        route = _route(scope)
        metrics.HTTP_REQUESTS.add(method, route, str(self.status or _CUT))
        metrics.HTTP_SECONDS.observe(method, route, value=seconds)
        span.name(f"{method} {route}")
        span.set(http__route=route, http__response__status_code=self.status or _CUT, **self._of("autodubber__"))
        if self.status >= 500:
            span.fail(str(self.status))
        if self._path.startswith(_UPLOADS):
            metrics.UPLOADED_BYTES.add(amount=self.received_bytes)
        elif self._path.startswith(_DOWNLOADS) and self.status in (200, 206):
            metrics.DOWNLOADED_BYTES.add(amount=self.sent_bytes)

    def _of(self, prefix: str = "") -> dict[str, str]:
        """The job or upload that the path names."""
        found = _IDENTITY.search(self._path)
        return (
            {prefix + ("upload_id" if self._path.startswith("/api/uploads") else "job_id"): found[1]} if found else {}
        )

    def _say(self, event: str, **facts: Any) -> None:
        if not self._logged:
            return
        line = _log.debug if self._path.startswith(_QUIET) else _log.info
        line(
            event,
            **self._of(),
            method=self._method,
            path=self._path[:_PATH_CHARACTERS],
            **facts,
            client=self._client,
            user_agent=self._agent,
        )


def _size(message: Any) -> int:
    text = message.get("text") or ""
    return (len(text) if text.isascii() else len(text.encode())) or len(message.get("bytes") or b"")


def _route(scope: Scope) -> str:
    """The template of the route; "none" when no route answered, or the request was refused before."""
    return str(scope.get("path_template") or "none")


def _who(scope: Scope, trusted: Trusted) -> tuple[str, str]:
    """The client's address, and the beginning of its User-Agent."""
    forwarded, agent = [], ""
    for name, value in scope["headers"]:
        if name == b"x-forwarded-for":
            forwarded.append(value.decode("latin-1"))
        elif name == b"user-agent":
            agent = value.decode("utf-8", "replace")[:_AGENT_CHARACTERS]
    peer = scope.get("client")
    return trusted.client(peer[0] if peer else None, forwarded), agent
