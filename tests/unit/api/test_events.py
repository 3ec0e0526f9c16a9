"""Live events over a real server, and what needs a hand on the hub in this process."""

from __future__ import annotations

import asyncio
import fcntl
import json
import socket as socketlib
import struct
import termios
import time
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from app.domain.job import Job, JobState, Phase
from tests.unit.api.conftest import Seeded
from tests.unit.api.serving import OPTIONS, Server, seed_job

JOB = Job(
    id="j1",
    title="t",
    state=JobState.RENDERING,
    phase=Phase.RENDER,
    stage=None,
    stage_progress=0.0,
    progress=0.0,
    eta_s=None,
    options=OPTIONS,
    language=None,
    media=None,
    size_bytes=1,
    segment_count=0,
    has_stem=False,
    revision=1,
    rendered_revision=None,
    choices_revision=1,
    stale=False,
    error=None,
    artifacts=(),
    created_at=0.0,
    updated_at=0.0,
)


async def message(socket: ClientConnection, *kinds: str) -> dict[str, Any]:
    """The next message of one of these kinds."""
    async with asyncio.timeout(15):
        while True:
            found: dict[str, Any] = json.loads(await socket.recv())
            if found["type"] in kinds:
                return found


def ws(seeded: Seeded, path: str) -> str:
    return seeded.url.replace("http", "ws") + path


async def test_a_snapshot_comes_first_and_every_change_after_it(seeded: Seeded) -> None:
    async with httpx.AsyncClient(base_url=seeded.url) as client, connect(ws(seeded, f"/ws/{seeded.job_id}")) as socket:
        first = json.loads(await socket.recv())
        assert (first["type"], first["job"]["id"]) == ("snapshot", seeded.job_id)
        assert [line["id"] for line in first["segments"]] == ["s0", "s1"]
        revision = first["job"]["revision"]
        edit = {"edit": [{"id": "s1", "text": f"Changed {time.time_ns()}."}]}
        response = await client.patch(
            f"/api/jobs/{seeded.job_id}/segments", json=edit, headers={"If-Match": f'"{revision}"'}
        )
        assert response.status_code == 200, response.text
        changed = await message(socket, "segments")
        state = await message(socket, "state")
        assert changed["revision"] == revision + 1 == state["job"]["revision"]
        assert [line["text"] for line in changed["segments"]] == [edit["edit"][0]["text"]]
        assert first["seq"] < changed["seq"] < state["seq"]


async def test_the_library_hears_of_every_job(seeded: Seeded) -> None:
    async with httpx.AsyncClient(base_url=seeded.url) as client, connect(ws(seeded, "/ws")) as socket:
        first = json.loads(await socket.recv())
        assert first["type"] == "library"
        assert seeded.job_id in [job["id"] for job in first["jobs"]]
        made = await client.post("/api/jobs", files={"file": ("nonsense.mp4", b"nonsense")})
        job_id = made.json()["id"]
        while (found := await message(socket, "state"))["job_id"] != job_id or found["job"]["state"] != "failed":
            assert found["type"] != "segments"
        assert found["job"]["error"]["code"] == "not_media"
        await client.delete(f"/api/jobs/{job_id}")
        while (await message(socket, "deleted"))["job_id"] != job_id:
            pass


async def test_a_silent_connection_beats(seeded: Seeded) -> None:
    async with connect(ws(seeded, f"/ws/{seeded.job_id}")) as socket:
        await message(socket, "snapshot")
        first = await message(socket, "heartbeat")
        second = await message(socket, "heartbeat")
        assert 4 < second["at"] - first["at"] < 10  # by the server's clock


async def test_an_unknown_job_is_told_by_the_close_code(seeded: Seeded) -> None:
    async with connect(ws(seeded, "/ws/nobody")) as socket:
        with pytest.raises(ConnectionClosed) as closed:
            await socket.recv()
    assert closed.value.rcvd is not None and closed.value.rcvd.code == 4404


@pytest.mark.parametrize("path", ["/ws", "/ws/x"])
async def test_another_web_site_gets_no_socket(seeded: Seeded, path: str) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with connect(ws(seeded, path), origin="https://evil.example"):  # type: ignore[arg-type]
            pass
    assert refused.value.response.status_code == 403


async def test_our_own_page_gets_one(seeded: Seeded) -> None:
    async with connect(ws(seeded, f"/ws/{seeded.job_id}"), origin=seeded.url) as socket:  # type: ignore[arg-type]
        await message(socket, "snapshot")


async def test_a_client_that_left_is_forgotten(seeded: Seeded) -> None:
    async with httpx.AsyncClient(base_url=seeded.url) as client:
        before = (await client.get("/health")).json()["sockets"]
        sockets = [await connect(ws(seeded, f"/ws/{seeded.job_id}")) for _ in range(5)]
        for socket in sockets:
            await message(socket, "snapshot")
        assert (await client.get("/health")).json()["sockets"] == before + 5
        await sockets[0].close()
        for socket in sockets[1:]:
            socket.transport.abort()
        async with asyncio.timeout(10):
            while (await client.get("/health")).json()["sockets"] != before:
                pass


async def test_open_sockets_do_not_hold_a_stop_up(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Several times: when Granian cut them while we closed them, two stops of three were clean."""
    data = tmp_path_factory.mktemp("stopping") / "data"
    job_id = seed_job(data, {})
    for count in (10, 40, 1, 10):
        with Server(data) as server:
            sockets = [await connect(f"{server.url.replace('http', 'ws')}/ws/{job_id}") for _ in range(count)]
            for socket in sockets:
                await message(socket, "snapshot")
            seconds = await asyncio.to_thread(server.stop)
            for socket in sockets:
                with pytest.raises(ConnectionClosed) as closed:
                    await socket.recv()
                assert closed.value.rcvd is not None and closed.value.rcvd.code == 1001
        assert seconds < 6


async def test_a_client_that_takes_nothing_holds_neither_the_stop_nor_the_others_up(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    data = tmp_path_factory.mktemp("deaf") / "data"
    # a snapshot larger than what the kernel buffers
    job_id = seed_job(data, {}, lines=20_000, words="A line of some length" * 5)
    with Server(data) as server, socketlib.socket() as small:
        address = f"{server.url.replace('http', 'ws')}/ws"
        small.setsockopt(socketlib.SOL_SOCKET, socketlib.SO_RCVBUF, 4096)
        small.connect(("127.0.0.1", server.port))
        deaf = await connect(f"{address}/{job_id}", sock=small, max_queue=1)
        deaf.transport.pause_reading()
        async with connect(address) as socket, asyncio.timeout(30):
            await message(socket, "library")
            # the snapshot has begun to come, and nobody takes it
            while not struct.unpack("i", fcntl.ioctl(small, termios.FIONREAD, bytes(4)))[0]:
                await asyncio.sleep(0.01)
            seconds = await asyncio.to_thread(server.stop)
            with pytest.raises(ConnectionClosed) as closed:
                while True:  # a heartbeat may have come before
                    await socket.recv()
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 1001
        deaf.transport.abort()
    assert 2 < seconds < 10
