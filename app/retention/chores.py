"""What is done again and again so that nothing grows for ever and nothing is lost: sweeps, retention, backups. One chore after another."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import msgspec
import structlog

HOUR_S: Final = 3600.0
_SHORTEST_S: Final = 1.0
log = structlog.get_logger(__name__)


class Chore(msgspec.Struct, frozen=True):
    """`work` blocks, runs in a thread, and says how many things it did; `due_in_s` tells how long it has still to wait (asked after every run)."""

    name: str
    work: Callable[[], int]
    due_in_s: Callable[[], float] = lambda: HOUR_S


async def run(chores: Sequence[Chore]) -> None:
    """Until cancelled. A failure is logged, and the chore tried again when it is due."""
    await asyncio.gather(*(_repeat(chore) for chore in chores))


async def _repeat(chore: Chore) -> None:
    while True:
        await asyncio.sleep(max(_SHORTEST_S, chore.due_in_s()))
        try:
            count = await asyncio.to_thread(chore.work)
        except Exception:  # the boundary of one chore: the others and its next time go on
            log.exception("housekeeping failed", what=chore.name)
        else:
            if count:
                log.info("housekeeping", what=chore.name, count=count)
