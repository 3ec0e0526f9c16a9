"""A stop waits for the goodbyes, happens once, and no signal comes at a wrong moment."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from app.server.graceful_stop import SignalEvent, StoppingLoop, stopping_loop


@pytest.fixture
def loop() -> Iterator[StoppingLoop]:
    made = stopping_loop()
    yield made
    made.close()
    asyncio.set_event_loop(None)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_waits_for_what_comes_before_it_and_happens_once(loop: StoppingLoop, number: signal.Signals) -> None:
    order: list[str] = []
    stopped = asyncio.Event()

    async def goodbye() -> None:
        order.append("begins")
        for _ in range(3):
            os.kill(os.getpid(), number)
            await asyncio.sleep(0)
        order.append("ends")

    def stop(name: str) -> None:
        order.append(name)
        stopped.set()

    loop.before_stop = goodbye
    loop.add_signal_handler(number, stop, "stops")
    loop.call_soon(os.kill, os.getpid(), number)
    loop.run_until_complete(asyncio.wait_for(stopped.wait(), 10))
    loop.run_until_complete(asyncio.sleep(0.05))
    assert order == ["begins", "ends", "stops"]


def test_a_goodbye_that_fails_does_not_prevent_the_stop(loop: StoppingLoop) -> None:
    stopped, told = asyncio.Event(), []

    async def goodbye() -> None:
        raise RuntimeError("no")

    loop.set_exception_handler(lambda _, context: told.append(str(context["exception"])))
    loop.before_stop = goodbye
    loop.add_signal_handler(signal.SIGTERM, stopped.set)
    os.kill(os.getpid(), signal.SIGTERM)
    loop.run_until_complete(asyncio.wait_for(stopped.wait(), 10))
    loop._stop = None  # forgets the task, which then tells
    assert told == ["no"]


def test_other_signals_are_not_postponed(loop: StoppingLoop) -> None:
    heard = asyncio.Event()
    loop.before_stop = asyncio.Event().wait  # type: ignore[assignment]  # never
    loop.add_signal_handler(signal.SIGUSR1, heard.set)
    os.kill(os.getpid(), signal.SIGUSR1)
    loop.run_until_complete(asyncio.wait_for(heard.wait(), 10))


RINGING = """
import signal, sys, time
from app.server.graceful_stop import SignalEvent
from threading import Event
event = {"SignalEvent": SignalEvent, "Event": Event}[sys.argv[1]]()
signal.signal(signal.SIGALRM, lambda *_: event.set())
signal.setitimer(signal.ITIMER_REAL, 1e-5, 1e-5)
until = time.monotonic() + 2
while time.monotonic() < until:
    event.wait()
    event.clear()
signal.setitimer(signal.ITIMER_REAL, 0)
signal.signal(signal.SIGALRM, signal.SIG_IGN)  # one may be under way
"""


def test_the_event_may_be_set_by_a_signal_at_any_moment() -> None:
    """With `threading.Event` in its place the handlers wait for one another, and it ends in a RecursionError."""
    subprocess.run([sys.executable, "-c", RINGING, "SignalEvent"], timeout=30, check=True)


UNNOTICED = """
import pathlib, signal, sys, threading
from app.server.graceful_stop import SignalEvent
event = SignalEvent()
signal.signal(signal.SIGUSR1, lambda *_: event.set())
main = pathlib.Path(f"/proc/self/task/{threading.main_thread().native_id}/stat")
def tell():
    while main.read_text().rpartition(")")[2].split()[0] != "S":
        pass
    signal.pthread_kill(threading.get_ident(), signal.SIGUSR1)
    threading.Event().wait()  # this thread stays, so that its end wakes nobody
threading.Thread(target=tell, daemon=True).start()
event.wait()
"""


def test_a_signal_that_does_not_interrupt_the_waiting_thread_wakes_it() -> None:
    """Here another thread takes the signal. One that arrives just before the wait blocks is the same: the handler runs
    only when the waiting thread wakes."""
    subprocess.run([sys.executable, "-c", UNNOTICED], timeout=30, check=True)


def test_it_is_an_event() -> None:
    event = SignalEvent()
    assert not event.is_set() and not event.wait(0.01)
    ringing = threading.Timer(0.01, event.set)
    ringing.start()
    assert event.wait(10) and event.is_set() and event.wait()
    event.clear()
    assert not event.is_set() and not event.wait(0.01)
    ringing.join()
