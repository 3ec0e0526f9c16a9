"""Where each thread of this process is: for the log, when something hangs."""

from __future__ import annotations

import sys
import threading
import traceback
from pathlib import Path
from typing import Final

_FRAMES: Final = 5


def stacks() -> dict[str, str]:
    """The innermost calls of every thread, by its name: "file:line function", the innermost first."""
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    found = {}
    for ident, frame in sys._current_frames().items():
        calls = traceback.extract_stack(frame)[-_FRAMES:][::-1]
        where = [f"{Path(call.filename).name}:{call.lineno} {call.name}" for call in calls]
        found[names.get(ident, str(ident))] = " < ".join(where)
    return found
