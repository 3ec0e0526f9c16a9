"""Live events through every proxy: the upgrade, what comes at once, the heartbeat, the closing codes.

One thread for each socket: Python 3.11 lets two threads into one TLS connection at once, and a client that reads in a
thread of its own may hang.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.deploy.authority import Authority
from tests.deploy.conftest import Behind
from tests.deploy.proxies import NAMES, Proxy, proxy
from tests.unit.api.serving import Server

WITHIN_S = 20


def opened(front: Proxy, path: str, origin: str | None = None) -> connect:
    return connect(front.url.replace("https", "wss") + path, ssl=front.authority.context(), origin=origin or front.url)


async def message(line: ClientConnection, kind: str) -> dict[str, Any]:
    """The next message of that type."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            found: dict[str, Any] = json.loads(await line.recv())
            if found["type"] == kind:
                return found


async def code_at_the_end(line: ClientConnection) -> int:
    with pytest.raises(ConnectionClosed) as closed:
        async with asyncio.timeout(WITHIN_S):
            while True:
                await line.recv()
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


async def test_a_socket_opens_and_a_change_arrives(front: Proxy, client: httpx.Client, behind: Behind) -> None:
    async with opened(front, f"/ws/{behind.job_id}") as line:
        assert (await message(line, "snapshot"))["job"]["id"] == behind.job_id
        assert (
            await asyncio.to_thread(client.patch, f"/api/jobs/{behind.job_id}", json={"title": f"Told by {front.name}"})
        ).status_code == 200
        assert (await message(line, "state"))["job"]["title"] == f"Told by {front.name}"


async def test_a_job_that_is_not_there_is_told_by_the_closing_code(front: Proxy) -> None:
    async with opened(front, f"/ws/{'0' * 32}") as line:
        assert await code_at_the_end(line) == 4404


async def test_another_sites_socket_is_refused(front: Proxy) -> None:
    with pytest.raises(InvalidStatus) as refused:
        await opened(front, "/ws", origin="https://elsewhere.test")
    assert refused.value.response.status_code == 403


@pytest.fixture
def fronts(tmp_path: Path, authority: Authority) -> Iterator[tuple[Server, list[Proxy]]]:
    """A server of the test's own behind every proxy at once."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Server(tmp_path / "data"))
        yield server, [stack.enter_context(proxy(name, server.port, tmp_path / name, authority)) for name in NAMES]


async def test_heartbeats_pass_and_a_stop_is_told_to_every_socket(fronts: tuple[Server, list[Proxy]]) -> None:
    server, running = fronts
    async with contextlib.AsyncExitStack() as stack:
        lines = [await stack.enter_async_context(opened(front, "/ws")) for front in running]
        for line in lines:
            assert (await message(line, "heartbeat"))["type"] == "heartbeat"
        stop = asyncio.create_task(asyncio.to_thread(server.stop))
        assert [await code_at_the_end(line) for line in lines] == [1001] * len(lines)
        await stop
