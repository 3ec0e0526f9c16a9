"""Live events through every proxy: the upgrade, what comes at once, the heartbeat, the closing codes."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.sync.client import ClientConnection, connect

from tests.deploy.conftest import Behind
from tests.deploy.proxies import NAMES, Authority, Proxy, proxy
from tests.unit.api.serving import Server

WITHIN_S = 20


def opened(front: Proxy, path: str, origin: str | None = None) -> ClientConnection:
    return connect(front.url.replace("https", "wss") + path, ssl=front.authority.context(), origin=origin or front.url)


def message(line: ClientConnection, kind: str) -> dict[str, Any]:
    """The next message of that type."""
    while True:
        found: dict[str, Any] = json.loads(line.recv(timeout=WITHIN_S))
        if found["type"] == kind:
            return found


def code_at_the_end(line: ClientConnection) -> int:
    with pytest.raises(ConnectionClosed) as closed:
        while True:
            line.recv(timeout=WITHIN_S)
    assert closed.value.rcvd is not None
    return closed.value.rcvd.code


def test_a_socket_opens_and_a_change_arrives(front: Proxy, client: httpx.Client, behind: Behind) -> None:
    with opened(front, f"/ws/{behind.job_id}") as line:
        assert message(line, "snapshot")["job"]["id"] == behind.job_id
        assert client.patch(f"/api/jobs/{behind.job_id}", json={"title": f"Told by {front.name}"}).status_code == 200
        assert message(line, "state")["job"]["title"] == f"Told by {front.name}"


def test_a_job_that_is_not_there_is_told_by_the_closing_code(front: Proxy) -> None:
    with opened(front, f"/ws/{'0' * 32}") as line:
        assert code_at_the_end(line) == 4404


def test_another_sites_socket_is_refused(front: Proxy) -> None:
    with pytest.raises(InvalidStatus) as refused, opened(front, "/ws", origin="https://elsewhere.test"):
        pass
    assert refused.value.response.status_code == 403


@pytest.fixture
def fronts(tmp_path: Path, authority: Authority) -> Iterator[tuple[Server, list[Proxy]]]:
    """A server of the test's own behind every proxy at once."""
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(Server(tmp_path / "data"))
        yield server, [stack.enter_context(proxy(name, server.port, tmp_path / name, authority)) for name in NAMES]


def test_heartbeats_pass_and_a_stop_is_told_to_every_socket(fronts: tuple[Server, list[Proxy]]) -> None:
    server, running = fronts
    with contextlib.ExitStack() as stack:
        lines = [stack.enter_context(opened(front, "/ws")) for front in running]
        for line in lines:
            assert message(line, "heartbeat")["type"] == "heartbeat"
        server.stop()
        assert [code_at_the_end(line) for line in lines] == [1001] * len(lines)
