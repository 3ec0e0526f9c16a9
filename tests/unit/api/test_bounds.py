"""What one client, or many, can make the server hold: live connections, silent connections, headers."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from app.system import file_handles
from tests.unit.api.serving import Server, free_port

MOST = 3


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with Server(tmp_path_factory.mktemp("bounds") / "data", AUTODUBBER_MAX_SOCKETS=str(MOST)) as server:
        yield server


async def opened(server: Server) -> ClientConnection:
    socket = await connect(server.url.replace("http", "ws") + "/ws")
    assert json.loads(await socket.recv())["type"] == "library"
    return socket


async def test_one_socket_too_many_is_told_why_and_closed(server: Server) -> None:
    sockets = [await opened(server) for _ in range(MOST)]
    for path in ("/ws", "/ws/0123"):
        async with connect(server.url.replace("http", "ws") + path) as refused:
            message = json.loads(await refused.recv())
            assert (message["type"], message["problem"]["code"], message["problem"]["status"]) == (
                "refused",
                "too_many_sockets",
                503,
            )
            assert message["problem"]["hint"]
            with pytest.raises(ConnectionClosed) as closed:
                await refused.recv()
            assert closed.value.rcvd is not None
            assert (closed.value.rcvd.code, closed.value.rcvd.reason) == (1013, "too_many_sockets")
    async with httpx.AsyncClient(base_url=server.url) as client, asyncio.timeout(10):
        assert (await client.get("/health")).json()["sockets"] == MOST
        await sockets.pop().close()
        while (await client.get("/health")).json()["sockets"] == MOST:
            pass
    sockets.append(await opened(server))
    for each in sockets:
        await each.close()


@pytest.mark.parametrize("size", [40 << 10, 300_000, 2 << 20])
@pytest.mark.parametrize("where", ["header", "address"])
def test_a_head_that_is_too_large_is_refused(where: str, size: int, server: Server) -> None:
    """What Granian reads is refused in our words, what it does not read by its status alone."""
    line, more = (
        ("/health/live", f"x-much: {'y' * size}\r\n") if where == "header" else (f"/health/live?{'y' * size}", "")
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=20) as client:
        try:
            client.sendall(f"GET {line} HTTP/1.1\r\nhost: localhost\r\n{more}connection: close\r\n\r\n".encode())
            answer = b"".join(iter(lambda: client.recv(65_536), b""))
        except ConnectionError:  # it was refused while we wrote
            answer = b""
    if size <= 300_000 or answer:
        assert answer.split(b" ")[1] in (b"431", b"414"), answer[:200]
    if size <= 40 << 10 or (where == "header" and size <= 300_000):
        assert json.loads(answer.partition(b"\r\n\r\n")[2])["code"] == "headers_too_large"
    assert httpx.get(server.url + "/health/live").status_code == 200
    assert "Traceback" not in server.log.read_text() and '"error"' not in server.log.read_text()


async def test_a_sockets_head_has_the_same_limit(server: Server) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(server.url.replace("http", "ws") + "/ws", additional_headers={"x-much": "y" * (40 << 10)}):
            pass
    assert refused.value.response.status_code == 403


def test_cookies_of_a_usual_size_are_taken(server: Server) -> None:
    assert httpx.get(server.url + "/health/live", headers={"cookie": "a=" + "b" * (16 << 10)}).status_code == 200


def test_who_connects_and_says_nothing_is_hung_up_on(tmp_path: Path) -> None:
    """As `autodubber serve`, with a second of patience instead of thirty."""
    port = free_port()
    code = (
        "import sys; from app.cli.main import main; from app.server import granian; granian._HEAD_MS = 1000; "
        "sys.exit(main(['serve']))"
    )
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AUTODUBBER_")}
    environment = {
        **clean,
        "AUTODUBBER_DATA": str(tmp_path / "data"),
        "AUTODUBBER_PORT": str(port),
        "AUTODUBBER_MIN_FREE_BYTES": "0",
    }
    with (tmp_path / "log").open("wb") as log:
        process = subprocess.Popen([sys.executable, "-c", code], env=environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 30
        while True:
            try:
                httpx.get(f"http://127.0.0.1:{port}/health/live")
                break
            except httpx.TransportError:
                assert process.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
        for said in (b"", b"GET / HTTP/1.1\r\nhost: a", b"GET /health/live HTTP/1.1\r\nhost: localhost\r\n\r\n"):
            with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
                client.sendall(said)
                while client.recv(65_536):
                    pass
    finally:
        process.terminate()
        process.wait(20)


def test_the_limit_of_open_files_bounds_what_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_handles, "limit", lambda: 65_536)
    assert (file_handles.sockets_of(500), file_handles.connections_of(500)) == (500, 512)
    monkeypatch.setattr(file_handles, "limit", lambda: 300)
    sockets = file_handles.sockets_of(500)
    assert sockets + file_handles.connections_of(sockets) < 300 - 150
    assert min(sockets, file_handles.connections_of(sockets)) >= 16


def test_a_server_takes_as_many_open_files_as_the_system_lets_it(server: Server) -> None:
    limits = Path(f"/proc/{server.worker()}/limits").read_text()
    soft = next(line.split()[3] for line in limits.splitlines() if line.startswith("Max open files"))
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert int(soft) == min(hard, 65_536) if hard != resource.RLIM_INFINITY else int(soft) >= 65_536
