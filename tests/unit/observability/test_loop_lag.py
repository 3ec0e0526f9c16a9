"""A block of the event loop is seen, and whether it was ours."""

from __future__ import annotations

import asyncio
import hashlib
import sys
import threading
import time
from collections.abc import AsyncIterator

import pytest

from app.observability.loop_lag import LoopWatch


@pytest.fixture
async def watch() -> AsyncIterator[LoopWatch]:
    made = LoopWatch()
    task = asyncio.create_task(made.run())
    await told(made)  # it is on watch
    yield made
    task.cancel()


def compute(seconds: float) -> None:
    """With the interpreter, by the thread's own clock."""
    until = time.thread_time() + seconds
    while time.thread_time() < until:
        pass


async def told(watch: LoopWatch) -> tuple[float, float]:
    """After the watch has had its turn; then it sleeps again."""
    while watch.worst_s == 0:  # it always wakes a little late
        await asyncio.sleep(0)
    return watch.take()


async def test_what_the_loop_computes_is_ours(watch: LoopWatch) -> None:
    compute(0.3)
    worst_s, own_s = await told(watch)
    assert worst_s > 0.25 and own_s > 0.25


async def test_what_a_thread_computes_with_the_lock_held_is_ours(watch: LoopWatch) -> None:
    before = sys.getswitchinterval()
    sys.setswitchinterval(10)  # as in a garbage collection or a long call of a C extension
    try:
        thread = threading.Thread(target=compute, args=(0.3,))
        thread.start()
        worst_s, own_s = await told(watch)
    finally:
        sys.setswitchinterval(before)
    thread.join()
    assert worst_s > 0.2 and own_s > 0.2


async def test_what_the_system_did_meanwhile_is_not(watch: LoopWatch) -> None:
    time.sleep(0.3)  # noqa: ASYNC251  # the loop stands still, and nobody here computes
    worst_s, own_s = await told(watch)
    assert worst_s > 0.25 and own_s < 0.1


async def test_what_a_thread_computes_without_the_lock_is_no_block(watch: LoopWatch) -> None:
    await asyncio.to_thread(hashlib.sha256, bytes(200 << 20))
    _, own_s = await told(watch)
    assert own_s < 0.1


async def test_it_is_told_once(watch: LoopWatch) -> None:
    compute(0.3)
    assert (await told(watch))[1] > 0.25
    assert (await told(watch))[1] < 0.2
