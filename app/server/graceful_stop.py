"""Stops the server in order: every WebSocket is closed with a reason, then the server stops.

Granian cuts all WebSockets as soon as it is told to stop. It registers its stop as a signal handler of the event loop,
so this loop delays the handler until the application has closed its sockets. Uses the standard library only.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import select
import signal
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Final, TypeVarTuple

_Args = TypeVarTuple("_Args")
STOPS: Final = frozenset({signal.SIGTERM, signal.SIGINT})


class StoppingLoop(asyncio.SelectorEventLoop):
    """An event loop that runs `before_stop` before the handlers of SIGTERM and SIGINT, and runs these handlers once.

    `before_stop` must have a time limit. Once, because a third signal would block for ever in Granian's handler, with
    the interpreter's lock held (its channel holds one message).
    """

    before_stop: Callable[[], Awaitable[None]] | None = None
    _stop: asyncio.Task[None] | None = None

    def add_signal_handler(self, sig: int, callback: Callable[[*_Args], object], *args: *_Args) -> None:
        """Delay the handlers of the two signals; all other handlers run as usual."""
        if sig in STOPS:
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
    """A threading.Event that a signal handler may set, for one thread that waits: the main thread.

    `threading.Event` has a lock of its own: a handler that sets it while its thread is about to wait for it, or while
    an earlier signal's handler sets it, waits for ever. Any wait for a lock has a second fault: a signal that arrives
    just before the thread blocks does not wake it, and Python runs no handler until something else does. So the
    interpreter writes a byte for each signal, and the thread waits for bytes
    (https://docs.python.org/3/library/signal.html#signal.set_wakeup_fd).
    """

    def __init__(self) -> None:
        super().__init__()
        self._set = False
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._reader, False)
        os.set_blocking(self._writer, False)

    def is_set(self) -> bool:
        return self._set

    def set(self) -> None:
        self._set = True
        if threading.get_ident() != threading.main_thread().ident:  # for a handler the interpreter has written
            with contextlib.suppress(BlockingIOError):  # full: the thread wakes anyway
                os.write(self._writer, b"\0")

    def clear(self) -> None:
        self._set = False

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until it is set. Call it in the main thread only: signals wake no other."""
        signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        until = None if timeout is None else time.monotonic() + timeout
        while not self._set:
            left = None if until is None else max(0.0, until - time.monotonic())
            if not select.select([self._reader], [], [], left)[0]:
                break
            with contextlib.suppress(BlockingIOError):
                os.read(self._reader, 1 << 16)
        return self._set
