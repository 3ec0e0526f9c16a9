"""Runs periodic maintenance tasks one after another: sweeps, retention, backups."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import structlog

from app.domain.errors import DubError
from app.domain.problems.uploads import DISK_FULL
from app.system.disk_full import is_disk_full

HOUR_S: Final = 3600.0
_SHORTEST_S: Final = 1.0
log = structlog.get_logger(__name__)


class PeriodicTask(msgspec.Struct, frozen=True):
    """`work` blocks, runs in a thread, and returns how many things it did; `due_in_s` returns the seconds until the
    next run (asked after every run)."""

    name: str
    work: Callable[[], int]
    due_in_s: Callable[[], float] = lambda: HOUR_S


async def run(periodic_tasks: Sequence[PeriodicTask]) -> None:
    """Run until cancelled. A failing task is logged and runs again when it is due."""
    await asyncio.gather(*(_repeat(periodic_task) for periodic_task in periodic_tasks))


async def _repeat(periodic_task: PeriodicTask) -> None:
    while True:
        await asyncio.sleep(max(_SHORTEST_S, periodic_task.due_in_s()))
        try:
            count = await asyncio.to_thread(periodic_task.work)
        except DubError as error:  # a full disk, a busy database: nothing is wrong with the task
            log.warning("housekeeping failed", what=periodic_task.name, code=error.problem.code, reason=str(error))
        except Exception as error:  # the boundary of one task: the others go on, and this one runs again
            if is_disk_full(error):
                log.warning("housekeeping failed", what=periodic_task.name, code=DISK_FULL.code, reason=str(error))
            else:
                log.exception("housekeeping failed", what=periodic_task.name)
        else:
            if count:
                log.info("housekeeping", what=periodic_task.name, count=count)
