"""Events to clients that are slow, late or gone, by a service of the test's own."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import msgspec
from litestar import Litestar

from app.api import routes
from app.api.depends import OperatorLimits
from app.api.events import Shutdown
from app.config.hosts import Hosts
from app.domain.errors import DubError
from app.domain.events import Deleted, Progress
from app.domain.job import Job
from app.domain.principal import Principal
from app.domain.problems.jobs import JOB_NOT_FOUND
from app.jobs.events import Hub
from app.jobs.schemas import JobPage, Segments, WholeJobPage
from tests.unit.api.test_events import JOB


class Service:
    """Just what the sockets ask for."""

    def __init__(self) -> None:
        self.asked = 0

    def acting_for(self, principal: Principal) -> Service:
        return self

    def get(self, job_id: str) -> Job:
        self.asked += 1
        if job_id != JOB.id:
            raise DubError(JOB_NOT_FOUND)
        return JOB

    def segments(self, job_id: str) -> Segments:
        return Segments(1, ())

    def page(self, *, limit: int) -> JobPage:
        return JobPage((), None, 1)

    def whole(self, page: JobPage) -> WholeJobPage:
        return WholeJobPage((JOB,), page.next, page.total)


def application(service: Service, hub: Hub) -> Litestar:
    limits = OperatorLimits("0", 1, 1.0, 1.0, 0, frozenset(), False)
    app = routes.build(limits, [], Hosts(["testserver.local"]))
    app.state.update(service=service, hub=hub, closing=Shutdown())
    return app


def progress(at: int) -> Progress:
    return Progress(JOB.id, 0, "mix", at / 10_000, at / 10_000, None, "")


class Peer:
    """The other end of an ASGI socket in this process."""

    def __init__(self, app: Litestar, path: str, query: bytes = b"") -> None:
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._outgoing: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        scope = {
            "type": "websocket",
            "path": path,
            "raw_path": path.encode(),
            "query_string": query,
            "headers": [(b"host", b"localhost")],
            "scheme": "ws",
            "subprotocols": [],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
            "root_path": "",
            "http_version": "1.1",
        }
        self._incoming.put_nowait({"type": "websocket.connect"})
        self.done = asyncio.create_task(app(scope, self._incoming.get, self._outgoing.put))  # type: ignore[arg-type]

    async def event(self) -> dict[str, Any]:
        async with asyncio.timeout(10):
            return await self._outgoing.get()

    async def message(self) -> dict[str, Any]:
        """The next message; the acceptance is skipped."""
        while (event := await self.event())["type"] == "websocket.accept":
            pass
        assert event["type"] == "websocket.send", event
        return dict(json.loads(event["text"]))

    async def leave(self) -> None:
        await self._incoming.put({"type": "websocket.disconnect", "code": 1001})
        await self.done


async def test_a_client_that_fell_behind_gets_a_fresh_snapshot_and_nothing_old() -> None:
    hub, service = Hub(), Service()
    peer = Peer(application(service, hub), "/ws/j1")
    assert (await peer.message())["type"] == "snapshot"
    for at in range(3000):
        hub.publish(progress(at))
    received = [await peer.message()]
    while received[-1]["seq"] != 3000:
        received.append(await peer.message())
    assert received[0]["type"] == "snapshot" or any(found["type"] == "snapshot" for found in received)
    numbers = [found["seq"] for found in received]
    assert numbers == sorted(numbers)
    assert len(numbers) < 2100
    await peer.leave()
    assert hub.subscribers == 0


async def test_the_list_comes_with_whole_jobs_where_these_are_asked_for() -> None:
    peer = Peer(application(Service(), Hub()), "/ws", b"full=true")
    message = await peer.message()
    assert (message["type"], [job["options"] for job in message["jobs"]], message["total"]) == (
        "library",
        [msgspec.json.decode(msgspec.json.encode(JOB.options))],
        1,
    )
    await peer.leave()


async def test_events_that_the_snapshot_contains_are_not_sent() -> None:
    hub = Hub()

    class Busy(Service):
        def page(self, *, limit: int) -> JobPage:
            hub.publish(progress(2))  # while the snapshot is read: it may or may not contain it, so it is sent
            return super().page(limit=limit)

    hub.publish(progress(1))
    peer = Peer(application(Busy(), hub), "/ws")
    assert [(await peer.message())["seq"] for _ in range(2)] == [1, 2]
    hub.publish(progress(3))
    assert (await peer.message())["seq"] == 3
    await peer.leave()


async def test_a_farewell_waits_until_every_socket_is_closed() -> None:
    app = application(Service(), Hub())
    peers = [Peer(app, path) for path in ("/ws", "/ws/j1")]
    for peer in peers:
        await peer.message()
    assert await app.state.closing.close_sockets(10) == 0
    for peer in peers:
        event = await peer.event()
        assert (event["type"], event["code"]) == ("websocket.close", 1001)
        await peer.done
    late = Peer(app, "/ws")
    while (event := await late.event())["type"] != "websocket.close":
        pass
    assert event["code"] == 1001
    await late.done


async def test_a_farewell_ends_in_time_and_tells_who_is_left() -> None:
    closing = Shutdown()
    with closing.socket():
        assert await closing.close_sockets(0.01) == 1
    assert await closing.close_sockets(0.01) == 0


async def test_a_deleted_job_ends_its_socket() -> None:
    hub = Hub()
    peer = Peer(application(Service(), hub), "/ws/j1")
    assert (await peer.message())["type"] == "snapshot"
    hub.publish(Deleted(JOB.id, 0))
    assert (await peer.message())["type"] == "deleted"
    event = await peer.event()
    assert (event["type"], event["code"]) == ("websocket.close", 4404)
    await peer.done
    assert hub.subscribers == 0


async def test_a_socket_that_fails_inside_is_closed_and_tells_nothing() -> None:
    class Broken(Service):
        def get(self, job_id: str) -> Job:
            raise RuntimeError("sk_secret in a traceback")

    peer = Peer(application(Broken(), Hub()), "/ws/j1")
    assert (await peer.event())["type"] == "websocket.accept"
    event = await peer.event()
    assert (event["type"], event["code"], event.get("reason") or "") == ("websocket.close", 1011, "")
    await peer.done
