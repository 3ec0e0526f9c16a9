"""How long the event loop was blocked: every block is a moment in which nobody was answered."""

from __future__ import annotations

import asyncio
from typing import Final

_EVERY_S: Final = 0.05


class LoopWatch:
    """A task that sleeps and sees how late it wakes. `worst_s` is the longest block since the last `take`."""

    def __init__(self) -> None:
        self.worst_s = 0.0

    async def run(self) -> None:
        """Watch until cancelled; about 20 wake-ups a second."""
        clock = asyncio.get_running_loop().time
        while True:
            due = clock() + _EVERY_S
            await asyncio.sleep(_EVERY_S)
            self.worst_s = max(self.worst_s, clock() - due)

    def take(self) -> float:
        """The longest block since this was last asked, in seconds."""
        worst_s, self.worst_s = self.worst_s, 0.0
        return worst_s
