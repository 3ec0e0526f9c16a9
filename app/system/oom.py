"""Whether the kernel has been killing processes for memory."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Final

# the container's own count, and the machine's: which of them is told depends on where we run
_COUNTERS: Final = (Path("/sys/fs/cgroup/memory.events"), Path("/proc/vmstat"))
_OOM_KILL = re.compile(r"^oom_kill (\d+)$", re.MULTILINE)


def oom_kills() -> int:
    """How many processes were killed for memory so far, as far as can be told here; it only grows."""
    total = 0
    for path in _COUNTERS:
        try:
            found = _OOM_KILL.search(path.read_text())
        except OSError:  # not Linux, or no control group of this kind
            continue
        total += int(found[1]) if found else 0
    return total
