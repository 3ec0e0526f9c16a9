"""Stops the server in order: every WebSocket is closed with a reason, then the server stops.

Granian cuts all WebSockets as soon as it is told to stop. It registers its stop as a signal handler of the event loop,
so this loop delays the handler until the application has closed its sockets. Uses the standard library only.
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
    """An event loop that runs `before_stop` before the handlers of SIGTERM and SIGINT, and runs these handlers once.

    `before_stop` must have a time limit. Once, because a third signal would block for ever in Granian's handler, with
    the interpreter's lock held (its channel holds one message).
    """

    before_stop: Callable[[], Awaitable[None]] | None = None
    _stop: asyncio.Task[None] | None = None

    def add_signal_handler(self, sig: int, callback: Callable[[*_Args], object], *args: *_Args) -> None:
        """Delay the handlers of the two signals; all other handlers run as usual."""
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
    """Make a new loop and set it for this thread, as Granian expects."""
    loop = StoppingLoop()
    asyncio.set_event_loop(loop)
    return loop


class SignalEvent(threading.Event):
    """A threading.Event that is safe to set in a signal handler.

    `threading.Event` has a lock of its own: a handler that sets it while its thread is about to wait for it, or while
    an earlier signal's handler sets it, waits for ever. `queue.SimpleQueue.put` is made for this
    (https://docs.python.org/3/library/queue.html#queue.SimpleQueue.put).
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
        """Wait until it is set. For one waiting thread."""
        while not self._rung:
            try:
                self._rings.get(timeout=timeout)
            except queue.Empty:
                break
        return self._rung
