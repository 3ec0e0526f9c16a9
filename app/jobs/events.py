"""Publish and subscribe for job events. In memory; the database has what must last."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator
from typing import Final

import msgspec

from app.domain.events import AnyEvent, LinkChanged, Progress, StateChanged
from app.observability import metrics

_QUEUE_SIZE: Final = 1000


class Subscription:
    """A bounded queue on a subscriber's loop. One that falls behind loses its backlog and is told so by
    `overflowed`."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.queue: asyncio.Queue[AnyEvent] = asyncio.Queue(_QUEUE_SIZE)
        self.overflowed = False

    def put(self, event: AnyEvent) -> None:
        if self.queue.full():
            self.overflowed = True
            metrics.MESSAGES_DROPPED.add(amount=self.queue.qsize())
            while not self.queue.empty():
                self.queue.get_nowait()
        self.queue.put_nowait(event)


class Hub:
    """Events to subscribers. `publish` may be called from any thread; a subscriber reads on its own loop.

    `seq` is one growing number for all jobs of this process. To miss nothing: subscribe, note `seq`, read the database,
    send the snapshot with the noted number, then every event with a greater one.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seq = 0
        self._subscriptions: dict[str | None, set[Subscription]] = {}
        self._latest: dict[str, Progress] = {}

    @property
    def seq(self) -> int:
        return self._seq

    @property
    def subscribers(self) -> int:
        return sum(len(found) for found in self._subscriptions.values())

    def publish(self, event: AnyEvent) -> None:
        """Number the event and hand it to everyone who listens to its job, or to everything."""
        with self._lock:
            self._seq += 1
            event = msgspec.structs.replace(event, seq=self._seq)
            if isinstance(event, Progress):
                self._latest[event.job_id] = event
            for topic in _topics(event):
                for subscription in self._subscriptions.get(topic, ()):
                    with contextlib.suppress(RuntimeError):  # its loop has closed
                        subscription.loop.call_soon_threadsafe(subscription.put, event)

    def latest(self, job_id: str) -> Progress | None:
        """The newest progress of a running job; fresher than the database's."""
        return self._latest.get(job_id)

    def forget(self, job_id: str) -> None:
        self._latest.pop(job_id, None)

    @contextlib.asynccontextmanager
    async def subscribe(self, *topics: str | None) -> AsyncIterator[Subscription]:
        """Events of these jobs, or of all (None), from now on."""
        subscription = Subscription(asyncio.get_running_loop())
        with self._lock:
            for topic in topics:
                self._subscriptions.setdefault(topic, set()).add(subscription)
        try:
            yield subscription
        finally:
            with self._lock:
                for topic in topics:
                    self._subscriptions[topic].discard(subscription)
                    if not self._subscriptions[topic]:
                        del self._subscriptions[topic]


def _topics(event: AnyEvent) -> tuple[str | None, ...]:
    """Who hears of it. A further language is in no list of jobs."""
    if isinstance(event, LinkChanged):
        return (None,)
    own = isinstance(event, StateChanged) and event.job.parent_id is not None
    return (event.job_id,) if own else (event.job_id, None)
