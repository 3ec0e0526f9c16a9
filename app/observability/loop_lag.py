"""Measures how long the event loop was blocked, and how much of that the process itself computed."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Final

_EVERY_S: Final = 0.025
_WAITED: Final = Path("/proc/thread-self/schedstat")


class LoopWatch:
    """A task that sleeps and sees how late it wakes.

    `worst_s` is the longest block since the last `take`. `worst_own_s` leaves out what the process did not compute: an
    upper limit of what our own code did, in the loop or in a thread that held the interpreter's lock. The remainder was
    scheduler delay: another process had the processor.
    """

    def __init__(self) -> None:
        self.worst_s = self.worst_own_s = 0.0

    async def run(self) -> None:
        """Watch until cancelled; about 40 wake-ups a second."""
        clock = asyncio.get_running_loop().time
        while True:
            due, waited_s, computed_s = clock() + _EVERY_S, _waited_s(), time.process_time()
            await asyncio.sleep(_EVERY_S)
            late_s = clock() - due
            if late_s > self.worst_s:
                self.worst_s = late_s
            if late_s > self.worst_own_s:
                own_s = min(late_s - (_waited_s() - waited_s), time.process_time() - computed_s)
                self.worst_own_s = max(self.worst_own_s, own_s)

    def take(self) -> tuple[float, float]:
        """The longest block since the last call and the longest of the process's own, in seconds."""
        worst_s, self.worst_s = self.worst_s, 0.0
        own_s, self.worst_own_s = self.worst_own_s, 0.0
        return worst_s, own_s


def _waited_s() -> float:
    """How long this thread has been ready to run while another had its processor (proc(5); Linux alone tells it)."""
    try:
        return int(_WAITED.read_bytes().split()[1]) / 1e9
    except FileNotFoundError:
        return 0.0
