"""Counts how many processes the kernel has killed for memory."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

# the container's count and the machine's; which of them exists depends on where the program runs
_COUNTERS: Final = (Path("/sys/fs/cgroup/memory.events"), Path("/proc/vmstat"))
_OOM_KILL = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


def oom_kills() -> int:
    """How many processes were killed for memory so far; never decreases. 0 where the kernel does not say."""
    total = 0
    for path in _COUNTERS:
        try:
            found = _OOM_KILL.search(path.read_text())
        except OSError:  # not Linux, or no such control group
            continue
        total += int(found[1]) if found else 0
    return total
