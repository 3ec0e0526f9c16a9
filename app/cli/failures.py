"""How a command fails: the exit status of a catalogue error, the message, and what Ctrl-C does."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import Coroutine
from typing import Any, Final, TypeVar

from app.domain.errors import DubError, Problem
from app.domain.problems import (
    backups,
    glossary,
    jobs,
    lines,
    links,
    media,
    recognition,
    requests,
    separation,
    spending,
    translation,
    uploads,
    voices,
)
from app.system.console import say, say_json
from app.system.exit_status import BAD_INPUT, ENGINE, ENVIRONMENT, INTERNAL, INTERRUPTED

T = TypeVar("T")

_BAD_INPUT: Final = (
    media.FILE_EMPTY,
    media.NOT_MEDIA,
    media.PLAYLIST,
    media.NO_AUDIO,
    media.AUDIO_TRACK_MISSING,
    media.MEDIA_TOO_LONG,
    media.MEDIA_DAMAGED,
    media.MEDIA_LIMIT,
    media.STEM_INVALID,
    lines.SUBTITLES_INVALID,
    lines.SUBTITLES_EMPTY,
    lines.ENCODING_UNKNOWN,
    lines.TEXT_TOO_LONG,
    lines.TEXT_INVALID,
    lines.TIMES_INVALID,
    lines.NO_SPEECH,
    lines.NOTHING_TO_SPEAK,
    lines.DOES_NOT_FIT,
    recognition.LANGUAGE_UNKNOWN,
    voices.SPEED_RANGE,
    recognition.MODEL_UNKNOWN,
    recognition.CANNOT_TRANSLATE,
    media.CONTAINER_UNSUITABLE,
    media.TRACK_LENGTH,
    media.MEDIA_INCOMPLETE,
    jobs.SOURCE_GONE,
    jobs.LANGUAGE_TAKEN,
    jobs.LANGUAGE_NOT_FOUND,
    jobs.TOO_MANY_LANGUAGES,
    lines.TOO_MANY_LINES,
    lines.SPEAKER_NOT_FOUND,
    lines.TOO_MANY_SPEAKERS,
    jobs.ARCHIVE_INVALID,
    jobs.ARCHIVE_NEWER,
    jobs.JOB_NOT_FOUND,
    translation.TARGET_LANGUAGE_MISSING,
    translation.TRANSLATION_UNMATCHED,
    lines.UNDO_GONE,
    glossary.GLOSSARY_NOT_FOUND,
    links.LINK_ADDRESS,
    links.LINK_PRIVATE,
    links.LINK_PLAYLIST,
    links.LINK_LIVE,
    links.LINK_TOO_LONG,
    links.LINK_TOO_LARGE,
    links.LINK_SITE,
    links.LINK_SIGN_IN,
    links.LINK_CAPTION,
    links.LINK_NOT_FOUND,
    links.LINK_STATE,
    links.TOO_MANY_LINKS,
    glossary.GLOSSARY_INVALID,
)
_ENGINE: Final = (
    voices.CLONE_RIGHT,
    voices.CLONE_TOO_SHORT,
    voices.PREVIEW_UNAVAILABLE,
    voices.NO_LIBRARY,
    recognition.RECOGNITION_KEY_MISSING,
    recognition.RECOGNITION_KEY_INVALID,
    recognition.RECOGNITION_QUOTA,
    recognition.RECOGNITION_BUSY,
    recognition.RECOGNITION_UNUSABLE,
    recognition.RECOGNITION_REFUSED,
    voices.ENGINE_UNKNOWN,
    voices.VOICE_UNKNOWN,
    voices.VOICE_MODEL_UNKNOWN,
    voices.KEY_MISSING,
    voices.KEY_INVALID,
    voices.QUOTA_EXCEEDED,
    voices.PLAN_REQUIRED,
    voices.SPEECH_BUSY,
    voices.SPEECH_FAILED,
    voices.SPEECH_REFUSED,
    separation.SEPARATION_FAILED,
    translation.TRANSLATOR_KEY_MISSING,
    translation.TRANSLATOR_KEY_INVALID,
    translation.TRANSLATOR_QUOTA,
    translation.TRANSLATION_BUSY,
    translation.TRANSLATION_FAILED,
    translation.TRANSLATION_REFUSED,
    spending.CEILING_REACHED,
    spending.PRICE_UNKNOWN,
)
_ENVIRONMENT: Final = (
    uploads.DISK_FULL,
    recognition.MODEL_DOWNLOAD,
    recognition.MODEL_DAMAGED,
    recognition.OUT_OF_MEMORY,
    voices.ENGINE_UNAVAILABLE,
    translation.TRANSLATOR_UNAVAILABLE,
    media.MEDIA_TOOL_FAILED,
    backups.BACKUP_PLACE,
    backups.BACKUP_NOT_FOUND,
    backups.BACKUP_PASSWORD,
    backups.BACKUP_BUSY,
    backups.BACKUP_DAMAGED,
    backups.BACKUP_NEWER,
    backups.DATA_DAMAGED,
    backups.DATA_IN_USE,
    backups.DATA_USED,
    requests.DATABASE_BUSY,
    links.LINKS_OFF,
    links.LINK_JAVASCRIPT,
    links.LINK_FAILED,
    links.LINK_DOWNLOADER,
    links.LINK_UPDATE,
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
