"""Uploads over connections that break, servers that are killed, and a disk that is full."""

from __future__ import annotations

import base64
import secrets
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from tests.unit.api.conftest import Seeded
from tests.unit.api.serving import Server
from tests.unit.api.test_uploads import CHUNK, TUS, append, offset_of, refused, start, stored, until_locked


class Wire:
    """A connection on which half a request can be sent."""

    def __init__(self, server: Server, address: str, offset: int, length: int, **headers: str) -> None:
        self.socket = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        lines = {
            "Host": f"127.0.0.1:{server.port}",
            **CHUNK,
            "Upload-Offset": str(offset),
            "Content-Length": str(length),
            **headers,
        }
        head = (
            f"PATCH {urlsplit(address).path} HTTP/1.1\r\n"
            + "".join(f"{name}: {value}\r\n" for name, value in lines.items())
            + "\r\n"
        )
        self.socket.sendall(head.encode())

    def send(self, content: bytes) -> None:
        self.socket.sendall(content)

    def drop(self) -> None:
        """Reset, as a mobile network does."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\x01\x00\x00\x00\x00\x00\x00\x00")
        self.socket.close()

    def status(self) -> int:
        return int(self.socket.recv(4096).split()[1])


def test_broken_connections_cost_only_what_was_on_the_wire(seeded: Seeded, client: httpx.Client) -> None:
    content = secrets.token_bytes(9_000_000)
    address, offset, rounds = start(client, len(content)), 0, 0
    path = seeded.server.data / "uploads" / address.rsplit("/", 1)[-1]
    while offset < len(content):
        rounds += 1
        wire = Wire(seeded.server, address, offset, len(content) - offset)
        wire.send(content[offset : offset + 2_500_000])
        if offset + 2_500_000 >= len(content):
            assert wire.status() == 204
        else:
            deadline = time.monotonic() + 20
            # a reset throws away what the server has not read yet
            while not path.exists() or path.stat().st_size <= offset:
                assert time.monotonic() < deadline
        wire.drop()
        before, offset = offset, offset_of(client, address)
        assert before < offset
    assert rounds > 3
    assert stored(seeded, address) == content


def test_what_arrived_before_a_quiet_end_is_kept(seeded: Seeded, client: httpx.Client) -> None:
    content = secrets.token_bytes(700_000)
    address = start(client, len(content))
    wire = Wire(seeded.server, address, 0, len(content))
    wire.send(content[:300_001])
    wire.socket.shutdown(socket.SHUT_WR)
    wire.socket.close()
    deadline = time.monotonic() + 10
    while (offset := offset_of(client, address)) == 0:  # the server may not have begun with it when it is asked
        assert time.monotonic() < deadline
    assert offset == 300_001
    append(client, address, 300_001, content[300_001:])
    assert stored(seeded, address) == content


def test_a_chunk_with_a_checksum_that_did_not_come_whole_does_not_count(seeded: Seeded, client: httpx.Client) -> None:
    address = start(client, 1000)
    wire = Wire(seeded.server, address, 0, 1000, **{"Upload-Checksum": f"sha1 {base64.b64encode(bytes(20)).decode()}"})
    wire.send(bytes(500))
    wire.socket.close()
    assert offset_of(client, address) == 0


def test_only_one_request_writes_and_a_dead_one_gives_way(seeded: Seeded, client: httpx.Client) -> None:
    content = secrets.token_bytes(100_000)
    address = start(client, len(content))
    wire = Wire(seeded.server, address, 0, len(content))
    wire.send(content[:50_000])
    until_locked(client, address)
    wire.send(content[50_000:50_001])  # it lives
    response = append(client, address, 0, content)
    refused(response, 423, "upload_locked")
    assert response.headers["retry-after"]
    # the connection stays open and silent, as when a laptop moved to another network
    assert offset_of(client, address) == 50_001
    assert append(client, address, 50_001, content[50_001:]).status_code == 204
    assert stored(seeded, address) == content
    wire.socket.close()


def test_giving_up_ends_a_request_that_still_writes(seeded: Seeded, client: httpx.Client) -> None:
    address = start(client, 1000)
    wire = Wire(seeded.server, address, 0, 1000)
    wire.send(bytes(10))
    until_locked(client, address)
    assert client.delete(address, headers=TUS).status_code == 204
    assert client.head(address, headers=TUS).status_code == 404
    wire.socket.close()


def test_a_killed_server_goes_on_from_what_is_on_the_disk(tmp_path: Path) -> None:
    content = secrets.token_bytes(150 << 20)
    server = Server(tmp_path / "data").start()
    with httpx.Client(base_url=server.url, timeout=60) as client:
        address = urlsplit(start(client, len(content))).path
        wire = Wire(server, address, 0, len(content))
        wire.send(content[: 100 << 20])
        path = tmp_path / "data" / "uploads" / address.rsplit("/", 1)[-1]
        deadline = time.monotonic() + 30
        while path.stat().st_size < 90 << 20:
            assert time.monotonic() < deadline
    server.kill()
    wire.drop()
    server = Server(tmp_path / "data")
    with server, httpx.Client(base_url=server.url, timeout=60) as client:
        offset = offset_of(client, address)
        assert 64 << 20 <= offset <= path.stat().st_size  # never more than is on the disk, never less than was synced
        assert append(client, address, offset, content[offset:]).status_code == 204
        assert (tmp_path / "data" / "blobs" / "uploads" / path.name).read_bytes() == content


def test_memory_stays_flat_for_one_large_request(seeded: Seeded, client: httpx.Client) -> None:
    size = 280 << 20
    address = start(client, size)
    before = seeded.server.memory_peak_bytes()

    def body() -> Iterator[bytes]:
        block = secrets.token_bytes(1 << 20)
        for _ in range(280):
            yield block

    response = client.patch(
        address, headers={**CHUNK, "Upload-Offset": "0", "Content-Length": str(size)}, content=body()
    )
    assert response.status_code == 204, response.text
    grown = seeded.server.memory_peak_bytes() - before
    print(f"memory grew by {grown / 1e6:.0f} MB for {size / 1e6:.0f} MB")
    assert grown < 60 << 20
    client.delete(address, headers=TUS)


def test_a_full_disk_refuses_new_uploads(tmp_path: Path) -> None:
    with (
        Server(tmp_path / "data", AUTODUBBER_MIN_FREE_BYTES=str(1 << 60)) as server,
        httpx.Client(base_url=server.url) as client,
    ):
        refused(client.post("/api/uploads", headers={**TUS, "Upload-Length": "5"}), 507, "disk_full")
        ready = client.get("/health/ready")
        failed: list[Any] = [check["name"] for check in ready.json()["checks"] if not check["ok"]]
        assert ready.status_code == 503 and "disk" in failed
