"""A small HTTP/1.1 server whose answers can be wrong on purpose, down to the byte."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit


class Request:
    def __init__(self, method: str, target: str, headers: dict[str, str], body: bytes) -> None:
        parts = urlsplit(target)
        self.method = method
        self.path = unquote(parts.path)
        self.query = dict(parse_qsl(parts.query, keep_blank_values=True))
        self.headers = headers
        self.body = body

    def json(self) -> Any:
        return json.loads(self.body)


class Reply:
    """How the handler answers. `start`, `send` and `end` stream in chunks; `abort` drops the connection."""

    def __init__(self, writer: asyncio.StreamWriter, head_only: bool) -> None:
        self._writer = writer
        self._head_only = head_only
        self._chunked = False
        self.status = 0

    async def whole(
        self, status: int, body: bytes | Any, headers: dict[str, str] | None = None, *, length: int | None = None
    ) -> None:
        """A complete answer; bytes as they are, anything else as JSON. `length` lies about the size."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        kind = {} if isinstance(body, bytes) else {"content-type": "application/json"}
        self._head(status, kind | (headers or {}) | {"content-length": str(len(raw) if length is None else length)})
        self._writer.write(b"" if self._head_only else raw)
        await self._writer.drain()

    async def start(self, status: int, headers: dict[str, str]) -> None:
        self._chunked = True
        self._head(status, headers | {"transfer-encoding": "chunked"})
        await self._writer.drain()

    async def send(self, block: bytes) -> None:
        if block:
            self._writer.write(f"{len(block):x}\r\n".encode() + block + b"\r\n" if self._chunked else block)
            await self._writer.drain()

    async def end(self) -> None:
        self._writer.write(b"0\r\n\r\n" if self._chunked else b"")
        await self._writer.drain()

    def abort(self) -> None:
        self._writer.transport.abort()

    def _head(self, status: int, headers: dict[str, str]) -> None:
        self.status = status
        lines = [f"HTTP/1.1 {status} X", *(f"{name}: {value}" for name, value in headers.items()), "", ""]
        self._writer.write("\r\n".join(lines).encode("latin-1"))


Handler = Callable[[Request, Reply], Awaitable[None]]


class Server:
    """Serves one handler on a port of its own: `async with Server(handler) as server: server.url`."""

    def __init__(self, handler: Handler, port: int = 0) -> None:
        self._handler = handler
        self._port = port
        self._tasks: set[asyncio.Task[None]] = set()
        self.url = ""

    async def __aenter__(self) -> Server:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", self._port)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while (request := await _read(reader)) is not None:
                await self._handler(request, Reply(writer, request.method == "HEAD"))
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the client went away, or the test is over
        finally:
            self._tasks.discard(task)
            writer.close()


async def _read(reader: asyncio.StreamReader) -> Request | None:
    line = await reader.readline()
    if not line:
        return None
    method, target, _ = line.decode("latin-1").split(" ", 2)
    headers: dict[str, str] = {}
    while (line := await reader.readline()) not in (b"\r\n", b""):
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    body = await reader.readexactly(int(headers.get("content-length", 0)))
    return Request(method, target, headers, body)
