"""Periodic tasks: what a full disk does to one of them is told in a line, and it runs again."""

from __future__ import annotations

import asyncio
import errno

import pytest
from structlog.testing import capture_logs

from app.domain.errors import DubError
from app.domain.problems.uploads import DISK_FULL
from app.retention import periodic_tasks
from app.retention.periodic_tasks import PeriodicTask


@pytest.mark.parametrize(
    ("error", "level"),
    [(DubError(DISK_FULL), "warning"), (OSError(errno.ENOSPC, ""), "warning"), (ValueError("a bug"), "error")],
)
async def test_a_task_that_fails_is_told_and_runs_again(
    error: Exception, level: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(periodic_tasks, "_SHORTEST_S", 0.01)
    ran, again = 0, asyncio.Event()
    loop = asyncio.get_running_loop()

    def work() -> int:
        nonlocal ran
        ran += 1
        if ran == 1:
            raise error
        loop.call_soon_threadsafe(again.set)
        return 0

    with capture_logs() as lines:
        running = asyncio.create_task(periodic_tasks.run([PeriodicTask("sweep", work, lambda: 0.0)]))
        await asyncio.wait_for(again.wait(), 10)
        running.cancel()
    (line,) = [line for line in lines if line["event"] == "housekeeping failed"]
    assert (line["log_level"], line["what"], bool(line.get("exc_info"))) == (level, "sweep", level == "error")
