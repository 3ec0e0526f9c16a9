"""A limit that holds across loops and threads."""

import asyncio
import threading

import pytest

from app.speech.concurrency import Gate


async def test_never_more_inside_than_its_width_on_three_loops() -> None:
    gate, lock = Gate(3), threading.Lock()
    inside, most, done = 0, 0, 0

    async def work() -> None:
        nonlocal inside, most, done
        async with gate.hold():
            with lock:
                inside += 1
                most = max(most, inside)
            await asyncio.sleep(0)
            with lock:
                inside -= 1
                done += 1

    async def many() -> None:
        await asyncio.gather(*(work() for _ in range(200)))

    threads = [threading.Thread(target=lambda: asyncio.run(many())) for _ in range(2)]
    for thread in threads:
        thread.start()
    await many()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert (most, done, inside) == (3, 600, 0)


async def test_who_came_first_goes_first_and_a_cancelled_one_loses_nothing() -> None:
    gate, order = Gate(1), list[int]()

    async def work(number: int) -> None:
        async with gate.hold():
            order.append(number)

    async with gate.hold():
        tasks = [asyncio.create_task(work(number)) for number in range(4)]
        await asyncio.sleep(0)
        tasks[1].cancel()
        await asyncio.sleep(0)
    await asyncio.gather(*tasks, return_exceptions=True)
    assert order == [0, 2, 3]


async def test_a_place_given_to_a_task_that_is_cancelled_meanwhile_comes_back() -> None:
    gate = Gate(1)

    async def work() -> None:
        async with gate.hold():
            pytest.fail("it was cancelled before it could start")

    async with gate.hold():
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
    task.cancel()  # admitted, but not yet running
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(1), gate.hold():
        pass


async def test_a_wider_gate_lets_the_waiting_in() -> None:
    gate, entered = Gate(1), asyncio.Event()

    async def work() -> None:
        async with gate.hold():
            entered.set()

    async with gate.hold():
        task = asyncio.create_task(work())
        await asyncio.sleep(0)
        assert not entered.is_set()
        gate.resize(2)
        await entered.wait()
    await task


async def test_waiters_of_a_loop_that_is_gone_hold_nobody_up() -> None:
    gate = Gate(1)

    def elsewhere() -> None:
        loop = asyncio.new_event_loop()
        waiting = loop.create_task(gate._enter())
        loop.run_until_complete(asyncio.sleep(0))
        waiting._log_destroy_pending = False  # type: ignore[attr-defined]
        loop.close()

    async with gate.hold():
        await asyncio.to_thread(elsewhere)
    async with asyncio.timeout(1), gate.hold():
        pass
