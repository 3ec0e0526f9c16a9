"""Live events: a snapshot first, then what changes, and a heartbeat so that a dead connection is known to be dead."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

import msgspec
from litestar import WebSocket, get, websocket
from litestar.openapi.datastructures import ResponseSpec

from app.api.problems import refuses
from app.domain import errors
from app.domain.errors import DubError
from app.domain.events import Deleted, Heartbeat, Progress, SegmentsChanged, Snapshot, StateChanged
from app.domain.job import Job

if TYPE_CHECKING:
    from app.jobs.progress import Hub
    from app.jobs.service import JobService

HEARTBEAT_S: Final = 5.0
UNKNOWN_JOB: Final = 4404
GOING_AWAY: Final = 1001


class Library(msgspec.Struct, frozen=True, tag="library", tag_field="type"):
    """The first message on `/ws`: the newest jobs. `total` counts all there are."""

    jobs: tuple[Job, ...]
    total: int


JobMessage = Snapshot | StateChanged | Progress | SegmentsChanged | Deleted | Heartbeat
LibraryMessage = Library | StateChanged | Progress | Deleted | Heartbeat


@websocket("/ws/{job_id:str}")
async def job_events(socket: WebSocket[Any, Any, Any], job_id: str, service: JobService, hub: Hub, closing: asyncio.Event) -> None:
    """One job: its snapshot, then every event. Closed with 4404 when there is no such job."""
    await socket.accept()


@websocket("/ws")
async def library_events(socket: WebSocket[Any, Any, Any], service: JobService, hub: Hub, closing: asyncio.Event) -> None:
    """All jobs: the newest ones, then every change of state and progress."""
    await socket.accept()


_UPGRADE: Final = errors.Problem(
    "upgrade_required", 426, "This address speaks WebSocket.", "Open it as a WebSocket; each message is one JSON object with a `type`."
)


def _talks(messages: Any) -> dict[int, ResponseSpec]:
    return {101: ResponseSpec(messages, generate_examples=False, description="Every message is one of these, as JSON text."), **refuses(426)}


@get("/ws/{job_id:str}", tags=["events"], responses=_talks(JobMessage), sync_to_thread=False)
def job_events_over_http(job_id: str) -> None:
    """A WebSocket: the job's snapshot first, then its events, a heartbeat every 5 s. Close code 4404: there is no such job."""
    raise DubError(_UPGRADE, headers={"Upgrade": "websocket"})


@get("/ws", tags=["events"], responses=_talks(LibraryMessage), sync_to_thread=False)
def library_events_over_http() -> None:
    """A WebSocket: the newest jobs first, then every change of state and progress of any job, a heartbeat every 5 s."""
    raise DubError(_UPGRADE, headers={"Upgrade": "websocket"})


handlers: Final = [job_events, library_events, job_events_over_http, library_events_over_http]
