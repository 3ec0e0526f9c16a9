"""Exit statuses of the command line, and the error for wrong usage."""

from __future__ import annotations

from typing import Final

OK: Final = 0
INTERNAL: Final = 1
USAGE: Final = 2
BAD_INPUT: Final = 3
ENGINE: Final = 4
ENVIRONMENT: Final = 5
INTERRUPTED: Final = 130

HELP: Final = """exit status:
  0  done
  1  something went wrong inside AutoDubber
  2  wrong usage or a wrong setting
  3  the input cannot be dubbed (not media, no sound, too long, bad subtitles)
  4  the voice engine refused (key, credits, unknown voice)
  5  the machine lacks something (disk, memory, a model's download, an engine, a free port)
  130  interrupted
"""


class UsageError(Exception):
    """A wrong argument or setting; the message is one line."""


def track_of(typed: str) -> int | None:
    """The audio track as typed; None for "auto". Raises UsageError."""
    if typed == "auto":
        return None
    if not (typed.isascii() and typed.isdigit() and int(typed) < 64):
        raise UsageError("--audio-track counts from 0: a number to 63, or auto")
    return int(typed)
