"""The order of a stop: every open socket hears that the server goes away, then the server goes.

Granian cuts the WebSockets at once when it is told to stop; an application cannot be faster. So its stop, which it hangs on the signal handlers of
the event loop, waits here for the application. A leaf: the standard library only.
"""

from __future__ import annotations

import asyncio
import queue
import signal
import threading
from collections.abc import Awaitable, Callable
from typing import Final, TypeVarTuple

_Args = TypeVarTuple("_Args")
_STOPS: Final = frozenset({signal.SIGTERM, signal.SIGINT})


class StoppingLoop(asyncio.SelectorEventLoop):
    """An event loop whose handlers of SIGTERM and SIGINT wait for `before_stop`, which must bound itself, and run once.

    Once: the third signal would block for ever in Granian's handler, with the interpreter's lock held (a channel for one message).
    """

    before_stop: Callable[[], Awaitable[None]] | None = None
    _stop: asyncio.Task[None] | None = None

    def add_signal_handler(self, sig: int, callback: Callable[[*_Args], object], *args: *_Args) -> None:
        """Those of the two signals are postponed, all others are as they are."""
        if sig in _STOPS:
            super().add_signal_handler(sig, self._begin, callback, args)
        else:
            super().add_signal_handler(sig, callback, *args)

    def _begin(self, callback: Callable[[*_Args], object], args: tuple[*_Args]) -> None:
        if self._stop is None:
            self._stop = self.create_task(self._leave(callback, args))

    async def _leave(self, callback: Callable[[*_Args], object], args: tuple[*_Args]) -> None:
        try:
            if self.before_stop is not None:
                await self.before_stop()
        finally:
            callback(*args)


def stopping_loop() -> StoppingLoop:
    """A new one, current in this thread; what Granian asks for."""
    loop = StoppingLoop()
    asyncio.set_event_loop(loop)
    return loop


class Bell(threading.Event):
    """An event that a signal handler may set at any moment.

    `threading.Event` has a lock of its own: a handler that sets it while its thread is about to wait for it, or while an earlier signal's handler
    sets it, waits for ever. `queue.SimpleQueue.put` is made for this (https://docs.python.org/3/library/queue.html#queue.SimpleQueue.put).
    """

    def __init__(self) -> None:
        super().__init__()
        self._rings: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._rung = False

    def is_set(self) -> bool:
        return self._rung

    def set(self) -> None:
        self._rung = True
        self._rings.put(None)

    def clear(self) -> None:
        self._rung = False

    def wait(self, timeout: float | None = None) -> bool:
        """For one waiting thread."""
        while not self._rung:
            try:
                self._rings.get(timeout=timeout)
            except queue.Empty:
                break
        return self._rung
