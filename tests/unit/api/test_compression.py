"""JSON is sent compressed where that helps, and nothing else is."""

from __future__ import annotations

import asyncio
import gzip
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from litestar import Litestar, get
from litestar.response import Response, Stream

from app.api.compression import MIN_BYTES, compression

TEXT = b'{"a": "' + b"words and words " * 100 + b'"}'
LONG = b'{"a": "' + b"words and words " * 20_000 + b'"}'


@get("/api/text")
async def text() -> Response[bytes]:
    return Response(TEXT, media_type="application/json", headers={"ETag": 'W/"a"'})


@get("/api/long")
async def long() -> Response[bytes]:
    return Response(LONG, media_type="application/json; charset=utf-8")


@get("/api/short")
async def short() -> Response[bytes]:
    return Response(b"x" * (MIN_BYTES - 1), media_type="application/json")


@get("/api/sound")
async def sound() -> Response[bytes]:
    return Response(TEXT, media_type="audio/wav")


@get("/api/stream")
async def stream() -> Stream:
    async def parts() -> AsyncIterator[bytes]:
        yield TEXT
        yield TEXT

    return Stream(parts(), media_type="application/json")


@get("/api/packed")
async def packed() -> Response[bytes]:
    return Response(gzip.compress(LONG), media_type="application/json", headers={"Content-Encoding": "gzip"})


@get("/download/report")
async def download() -> Response[bytes]:
    return Response(TEXT, media_type="application/json")


@pytest.fixture
def client() -> httpx.AsyncClient:
    app = Litestar(
        [text, long, short, sound, stream, packed, download], compression_config=compression(), openapi_config=None
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app), base_url="http://test")  # type: ignore[arg-type]


@pytest.mark.parametrize(("path", "body"), [("/api/text", TEXT), ("/api/long", LONG)])
async def test_json_is_compressed_for_who_takes_it(client: httpx.AsyncClient, path: str, body: bytes) -> None:
    answer = await client.get(path)
    assert (answer.headers["content-encoding"], answer.headers["vary"], answer.content) == (
        "gzip",
        "Accept-Encoding",
        body,
    )
    assert int(answer.headers["content-length"]) < len(body) / 4
    plain = await client.get(path, headers={"Accept-Encoding": "identity"})
    assert "content-encoding" not in plain.headers and plain.content == body


@pytest.mark.parametrize("path", ["/api/short", "/api/sound", "/api/stream", "/download/report"])
async def test_what_is_short_or_a_file_or_comes_in_parts_is_sent_as_it_is(client: httpx.AsyncClient, path: str) -> None:
    answer = await client.get(path)
    assert "content-encoding" not in answer.headers and answer.content[:1] in (b"x", b"{")


async def test_what_is_compressed_is_not_compressed_again(client: httpx.AsyncClient) -> None:
    assert (await client.get("/api/packed")).content == LONG


async def test_a_long_answer_does_not_hold_the_loop_up(
    client: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    threads: list[Any] = []
    run = asyncio.to_thread

    async def noted(work: Any, *given: Any) -> Any:
        threads.append(len(given[0]))
        return await run(work, *given)

    monkeypatch.setattr(asyncio, "to_thread", noted)
    await client.get("/api/text")
    await client.get("/api/long")
    assert threads == [len(LONG)]
