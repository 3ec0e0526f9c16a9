"""WebSocket events: first a snapshot, then changes, and heartbeats that reveal a dead connection."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine, Iterator
from typing import TYPE_CHECKING, Any, Final, cast

import msgspec
import structlog
from litestar import WebSocket, get, websocket
from litestar.exceptions import WebSocketException
from litestar.openapi.datastructures import ResponseSpec
from litestar.params import FromPath

from app.api.depends import Given
from app.api.prefix import Scope
from app.api.problems import ProblemDetails, details, refuses
from app.domain.errors import DubError
from app.domain.events import (
    AnyEvent,
    Deleted,
    Heartbeat,
    JobSnapshot,
    LinkChanged,
    Progress,
    SegmentsChanged,
    StateChanged,
)
from app.domain.job import Job
from app.domain.problems.jobs import JOB_NOT_FOUND
from app.domain.problems.requests import TOO_MANY_SOCKETS, UPGRADE_REQUIRED
from app.domain.summary import JobSummary

if TYPE_CHECKING:
    from app.jobs.events import Hub
    from app.jobs.service import JobService

HEARTBEAT_S: Final = 5.0
UNKNOWN_JOB: Final = 4404
GOING_AWAY: Final = 1001
FAILED: Final = 1011
TRY_AGAIN: Final = 1013
LIBRARY_JOBS: Final = 200
_REFUSAL_S: Final = 2.0
_PATIENCE_S: Final = 20.0  # a client that reads nothing for this long is disconnected


class Library(msgspec.Struct, frozen=True, tag="library", tag_field="type"):
    """The first message on `/ws`: the newest jobs. `total` counts all jobs."""

    seq: int
    jobs: tuple[JobSummary, ...]
    total: int


class WholeLibrary(msgspec.Struct, frozen=True, tag="library", tag_field="type"):
    """The first message on `/ws?full=true`, with whole jobs, as version 0.1 sent it. Deprecated, as `GET
    /api/jobs?full=true` is."""

    seq: int
    jobs: tuple[Job, ...]
    total: int


class Refused(msgspec.Struct, frozen=True, tag="refused", tag_field="type"):
    """The only message of a WebSocket above the limit; close code 1013 follows."""

    problem: ProblemDetails


class Shutdown(asyncio.Event):
    """Set when the server stops; tracks the open WebSockets and their limit (`most`)."""

    def __init__(self, most: int = 500) -> None:
        super().__init__()
        self.most = most
        self._open = 0
        self._none_open = asyncio.Event()
        self._none_open.set()

    @property
    def full(self) -> bool:
        """Whether the limit is reached."""
        return self._open >= self.most

    @contextlib.contextmanager
    def socket(self) -> Iterator[None]:
        """Count a WebSocket as open within the block."""
        self._open += 1
        self._none_open.clear()
        try:
            yield
        finally:
            self._open -= 1
            if not self._open:
                self._none_open.set()

    async def close_sockets(self, within_s: float) -> int:
        """Close every WebSocket; returns how many are still open after `within_s` seconds, because their clients do not
        read."""
        self.set()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                await self._none_open.wait()
        return self._open


_log = structlog.get_logger("api")

JobMessage = JobSnapshot | StateChanged | Progress | SegmentsChanged | Deleted | Heartbeat | Refused
AnyLibrary = Library | WholeLibrary
LibraryMessage = Library | StateChanged | Progress | Deleted | LinkChanged | Heartbeat | Refused


@websocket("/ws/{job_id:str}")
async def job_events(
    socket: WebSocket[Any, Any, Any],
    job_id: FromPath[str],
    service: Given[JobService],
    hub: Given[Hub],
    closing: Given[Shutdown],
) -> None:
    """One job: its snapshot, then every event. Closed with 4404 when the job does not exist or is deleted."""

    def topics() -> tuple[str, ...]:
        whole_id = service.get(job_id).parent_id
        return (job_id,) if whole_id is None else (job_id, whole_id)

    def snapshot(seq: int) -> JobSnapshot:
        found = service.segments(job_id)
        return JobSnapshot(job_id, seq, service.get(job_id), tuple(found.segments), tuple(found.speakers))

    def told(event: AnyEvent) -> AnyEvent | None:
        """What happens to the job of a further language happens to the language."""
        if isinstance(event, LinkChanged) or event.job_id == job_id:
            return event
        if isinstance(event, StateChanged):
            return StateChanged(job_id, event.seq, service.get(job_id))
        return msgspec.structs.replace(event, job_id=job_id) if isinstance(event, Progress) else None

    await _serve(socket, hub, topics, snapshot, told, closing)


@websocket("/ws")
async def library_events(
    socket: WebSocket[Any, Any, Any],
    service: Given[JobService],
    hub: Given[Hub],
    closing: Given[Shutdown],
    full: bool = False,
) -> None:
    """All jobs: the newest ones, then every change of state and progress, also of links."""

    def snapshot(seq: int) -> AnyLibrary:
        page = service.page(limit=LIBRARY_JOBS)
        return WholeLibrary(seq, service.whole(page).jobs, page.total) if full else Library(seq, page.jobs, page.total)

    await _serve(
        socket,
        hub,
        lambda: (None,),
        snapshot,
        lambda event: None if isinstance(event, SegmentsChanged) else event,
        closing,
    )


async def _serve(
    socket: WebSocket[Any, Any, Any],
    hub: Hub,
    topics_of: Callable[[], tuple[str | None, ...]],
    snapshot: Callable[[int], JobSnapshot | AnyLibrary],
    told: Callable[[AnyEvent], AnyEvent | None],
    closing: Shutdown,
) -> None:
    """Serve until the client disconnects, the job is deleted, or the server stops. Granian reports a disconnect in
    `receive`, not in `send`."""
    if closing.full:
        await _turn_away(socket, closing.most)
        return
    with closing.socket():
        await socket.accept()
        await _until_over(socket, _talk(socket, hub, topics_of, snapshot, told), closing)


async def _turn_away(socket: WebSocket[Any, Any, Any], most: int) -> None:
    """Send the reason and close. A status of the handshake would be cheaper, but browsers hide it from pages."""
    scope = cast(Scope, socket.scope)
    problem = details(
        TOO_MANY_SOCKETS,
        f"{most} are open.",
        scope=scope,
        request_id=scope.get("state", {}).get("request_id", ""),
    )
    with contextlib.suppress(WebSocketException, RuntimeError, TimeoutError):  # it may have disconnected, or not read
        async with asyncio.timeout(_REFUSAL_S):
            await socket.accept()
            await socket.send_data(_text(Refused(problem)), "text")
            await socket.close(TRY_AGAIN, TOO_MANY_SOCKETS.code)


async def _until_over(socket: WebSocket[Any, Any, Any], talking: Coroutine[Any, Any, int], closing: Shutdown) -> None:
    """Close the socket when `talking` ends, with the code that it returns, or when the server stops."""
    talk = asyncio.create_task(talking)
    gone = asyncio.create_task(_until_gone(socket))
    ending = asyncio.create_task(closing.wait())
    try:
        await asyncio.wait({talk, gone, ending}, return_when=asyncio.FIRST_COMPLETED)
        if gone.done():
            return
        code = GOING_AWAY
        if talk.done() and not ending.done():
            code = _code_of(talk)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)  # Granian does not send a close while a receive is pending
        with contextlib.suppress(WebSocketException, RuntimeError):  # the client may disconnect at this moment
            async with asyncio.timeout(_PATIENCE_S):
                await socket.close(code)
    finally:
        for task in (talk, gone, ending):
            task.cancel()
        await asyncio.gather(talk, gone, ending, return_exceptions=True)


def _code_of(talk: asyncio.Task[int]) -> int:
    error = talk.exception()
    if error is None:
        return talk.result()
    if isinstance(error, TimeoutError):
        return TRY_AGAIN
    _log.error("a socket failed", exc_info=error)
    return FAILED


async def _until_gone(socket: WebSocket[Any, Any, Any]) -> None:
    """Read and drop messages of the client; returns when it has disconnected."""
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass


async def _talk(
    socket: WebSocket[Any, Any, Any],
    hub: Hub,
    topics_of: Callable[[], tuple[str | None, ...]],
    snapshot: Callable[[int], JobSnapshot | AnyLibrary],
    told: Callable[[AnyEvent], AnyEvent | None],
) -> int:
    """Snapshot, events as they are told, heartbeats; a client that fell behind gets a new snapshot. Returns the close
    code. `topics_of` and `told` may read the database."""
    clock = asyncio.get_running_loop().time
    try:
        topics = await asyncio.to_thread(topics_of)
    except DubError as error:
        if error.problem is not JOB_NOT_FOUND:
            raise
        return UNKNOWN_JOB
    async with hub.subscribe(*topics) as subscription:
        seq, beat_at, fresh = hub.seq, 0.0, False
        while True:
            if subscription.overflowed or not fresh:
                subscription.overflowed, seq = False, hub.seq
                try:
                    await _send(socket, await asyncio.to_thread(lambda at: _text(snapshot(at)), seq))
                except DubError as error:
                    if error.problem is not JOB_NOT_FOUND:
                        raise
                    return UNKNOWN_JOB
                fresh, beat_at = True, clock() + HEARTBEAT_S
            try:
                async with asyncio.timeout_at(beat_at):
                    event = await subscription.queue.get()
            except TimeoutError:
                await _send(socket, _text(Heartbeat(time.time())))
                beat_at = clock() + HEARTBEAT_S
                continue
            if event.seq <= seq:
                continue
            try:
                heard = await asyncio.to_thread(told, event) if len(topics) > 1 else told(event)
            except DubError as error:
                if error.problem is not JOB_NOT_FOUND:
                    raise
                return UNKNOWN_JOB
            if heard is not None:
                await _send(socket, _text(heard))
                if topics != (None,) and isinstance(heard, Deleted):
                    return UNKNOWN_JOB


def _text(message: Any) -> str:
    return msgspec.json.encode(message).decode()


async def _send(socket: WebSocket[Any, Any, Any], text: str) -> None:
    async with asyncio.timeout(_PATIENCE_S):
        await socket.send_data(text, "text")


def _talks(messages: Any) -> dict[int, ResponseSpec]:
    return {
        101: ResponseSpec(
            messages, generate_examples=False, description="Every message is one of these, as JSON text."
        ),
        **refuses(426),
    }


@get("/ws/{job_id:str}", tags=["events"], responses=_talks(JobMessage), sync_to_thread=False)
def job_events_over_http(job_id: FromPath[str]) -> None:
    """A WebSocket: the job's snapshot first, then its events, a heartbeat every 5 s. Close code 4404: there is no such
    job.

    Close code 1013, after one message `refused`: too many are open.
    """
    raise DubError(UPGRADE_REQUIRED, headers={"Upgrade": "websocket"})


@get("/ws", tags=["events"], responses=_talks(LibraryMessage), sync_to_thread=False)
def library_events_over_http() -> None:
    """A WebSocket: the newest jobs first, then every change of state and progress of any job or link, a heartbeat every
    5 s."""
    raise DubError(UPGRADE_REQUIRED, headers={"Upgrade": "websocket"})


handlers: Final = [job_events, library_events, job_events_over_http, library_events_over_http]
