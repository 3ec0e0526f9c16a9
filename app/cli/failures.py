"""How a command fails: the exit status of a catalogue error, the message, and what Ctrl-C does."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from app.domain import errors
from app.domain.errors import DubError, Problem
from app.system.console import say, say_json
from app.system.exit_status import BAD_INPUT, ENGINE, ENVIRONMENT, INTERNAL, INTERRUPTED

T = TypeVar("T")

_BAD_INPUT: Final = (
    errors.FILE_EMPTY,
    errors.NOT_MEDIA,
    errors.PLAYLIST,
    errors.NO_AUDIO,
    errors.AUDIO_TRACK_MISSING,
    errors.MEDIA_TOO_LONG,
    errors.MEDIA_DAMAGED,
    errors.MEDIA_LIMIT,
    errors.STEM_INVALID,
    errors.SUBTITLES_INVALID,
    errors.SUBTITLES_EMPTY,
    errors.ENCODING_UNKNOWN,
    errors.TEXT_TOO_LONG,
    errors.TEXT_INVALID,
    errors.TIMES_INVALID,
    errors.NO_SPEECH,
    errors.NOTHING_TO_SPEAK,
    errors.DOES_NOT_FIT,
    errors.LANGUAGE_UNKNOWN,
    errors.SPEED_RANGE,
    errors.MODEL_UNKNOWN,
    errors.CANNOT_TRANSLATE,
    errors.CONTAINER_UNSUITABLE,
    errors.TRACK_LENGTH,
    errors.MEDIA_INCOMPLETE,
    errors.SOURCE_GONE,
    errors.TOO_MANY_LINES,
    errors.ARCHIVE_INVALID,
    errors.ARCHIVE_NEWER,
    errors.JOB_NOT_FOUND,
)
_ENGINE: Final = (
    errors.ENGINE_UNKNOWN,
    errors.VOICE_UNKNOWN,
    errors.VOICE_MODEL_UNKNOWN,
    errors.KEY_MISSING,
    errors.KEY_INVALID,
    errors.QUOTA_EXCEEDED,
    errors.PLAN_REQUIRED,
    errors.SPEECH_BUSY,
    errors.SPEECH_FAILED,
    errors.SPEECH_REFUSED,
)
_ENVIRONMENT: Final = (
    errors.DISK_FULL,
    errors.MODEL_DOWNLOAD,
    errors.MODEL_DAMAGED,
    errors.OUT_OF_MEMORY,
    errors.ENGINE_UNAVAILABLE,
    errors.MEDIA_TOOL_FAILED,
    errors.BACKUP_PLACE,
    errors.BACKUP_NOT_FOUND,
    errors.BACKUP_PASSWORD,
    errors.BACKUP_BUSY,
    errors.BACKUP_DAMAGED,
    errors.BACKUP_NEWER,
    errors.DATA_DAMAGED,
    errors.DATA_IN_USE,
    errors.DATA_USED,
    errors.DATABASE_BUSY,
)


def exit_status(problem: Problem) -> int:
    """The exit status of a catalogue error; see `app.system.exit_status`."""
    return (
        BAD_INPUT
        if problem in _BAD_INPUT
        else ENGINE
        if problem in _ENGINE
        else ENVIRONMENT
        if problem in _ENVIRONMENT
        else INTERNAL
    )


def failed(error: DubError, *, as_json: bool) -> int:
    """Print the error and what to do on standard error, with `as_json` also on standard output; returns the exit
    status."""
    if as_json:
        problem = {"code": error.problem.code, "message": error.message, "hint": error.problem.hint}
        say_json({"ok": False, "error": problem})
    say(f"autodubber: {error.message}", f"  {error.problem.hint}", to=sys.stderr)
    return exit_status(error.problem)


def interrupted() -> int:
    """Report the interruption; returns the exit status."""
    say("autodubber: interrupted", to=sys.stderr)
    return INTERRUPTED


async def interruptible(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end. SIGINT, SIGTERM or SIGHUP cancels it: children are killed and no partial file remains. Raises
    CancelledError then."""
    task = asyncio.ensure_future(work)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    return await task
