"""Limits concurrency across event loops: the server's and the job engine's share the same key."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import AsyncIterator


class _Waiter:
    def __init__(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.future: asyncio.Future[None] = self.loop.create_future()
        self.admitted = False


def _wake(future: asyncio.Future[None]) -> None:
    if not future.done():
        future.set_result(None)


class Gate:
    """At most `width` tasks are inside at once, whichever loop they run on; first come, first in."""

    def __init__(self, width: int) -> None:
        self._lock = threading.Lock()
        self._width = max(1, width)
        self._inside = 0
        self._waiting: deque[_Waiter] = deque()

    @property
    def width(self) -> int:
        return self._width

    def resize(self, width: int) -> None:
        """Change the limit; running tasks continue."""
        with self._lock:
            self._width = max(1, width)
            self._admit()

    @contextlib.asynccontextmanager
    async def hold(self) -> AsyncIterator[None]:
        """Wait for a place, and keep it for the block."""
        await self._enter()
        try:
            yield
        finally:
            self._leave()

    async def _enter(self) -> None:
        waiter = _Waiter()
        with self._lock:
            self._waiting.append(waiter)
            self._admit()
            if waiter.admitted:
                return
        try:
            await waiter.future
        except asyncio.CancelledError:
            with self._lock:
                if not waiter.admitted:
                    self._waiting.remove(waiter)
                    raise
            self._leave()
            raise

    def _leave(self) -> None:
        with self._lock:
            self._inside -= 1
            self._admit()

    def _admit(self) -> None:
        while self._waiting and self._inside < self._width:
            waiter = self._waiting.popleft()
            try:
                waiter.loop.call_soon_threadsafe(_wake, waiter.future)
            except RuntimeError:  # its loop is closed: no task waits there any more
                continue
            waiter.admitted = True
            self._inside += 1
