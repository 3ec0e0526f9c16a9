"""A child keeps its model between lines, gives it back when idle, and is replaced when it was killed."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator

import pytest

from app.speech.neural.warm_child import ChildEnded, WarmChild, WarmChildren

CHILD = "tests.doubles.answering_child"


@pytest.fixture
async def warm() -> AsyncIterator[WarmChild]:
    one = WarmChild(CHILD, env={}, idle_s=60.0)
    yield one
    await one.close()


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


async def test_one_child_answers_every_request(warm: WarmChild) -> None:
    first, data = await warm.ask("one")
    second, _ = await warm.ask("two")
    assert data == b"abc" and first["pid"] == second["pid"]
    await warm.close()
    assert not alive(first["pid"]) and not warm.running


async def test_a_child_that_was_not_asked_for_a_while_ends() -> None:
    warm = WarmChild(CHILD, env={}, idle_s=0.2)
    answer, _ = await warm.ask("one")
    async with asyncio.timeout(10):
        while alive(answer["pid"]):
            await asyncio.sleep(0.02)
    assert (await warm.ask("two"))[0]["pid"] != answer["pid"], "the next request starts another"
    await warm.close()


async def test_a_cancelled_request_ends_the_work_at_once(warm: WarmChild) -> None:
    pid = (await warm.ask("one"))[0]["pid"]
    asked = asyncio.create_task(warm.ask("sleep"))
    await asyncio.sleep(0)
    while warm._turn.locked() is False:
        await asyncio.sleep(0)
    asked.cancel()
    async with asyncio.timeout(2):
        with pytest.raises(asyncio.CancelledError):
            await asked
    assert not alive(pid)
    assert (await warm.ask("two"))[0]["pid"] != pid


async def test_a_child_that_is_killed_or_ends_is_told_and_replaced(warm: WarmChild) -> None:
    pid = (await warm.ask("one"))[0]["pid"]
    os.kill(pid, signal.SIGKILL)
    with pytest.raises(ChildEnded, match=r"-9|no answer"):
        await warm.ask("two")
    with pytest.raises(ChildEnded, match="as it was told"):
        await warm.ask("die")
    assert (await warm.ask("three"))[0]["pid"] != pid


async def test_requests_at_once_share_as_many_children_as_there_may_be() -> None:
    children = WarmChildren(CHILD, width=2, env={}, idle_s=60.0)

    async def ask() -> int:
        async with children.one() as child:
            return int((await child.ask("x"))[0]["pid"])

    pids = {await ask() for _ in range(3)}
    assert len(pids) == 1, "one after another: the child with a model in memory is taken"
    pids = set(await asyncio.gather(*(ask() for _ in range(6))))
    assert len(pids) == 2
    await children.close()
    assert not any(map(alive, pids))
