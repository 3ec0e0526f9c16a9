"""The server's side of `app.dubbing.child`: run one task in a child and get its result or a catalogue error."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from app import processes
from app.domain.errors import INTERNAL, MEDIA_DAMAGED, MEDIA_LIMIT, OUT_OF_MEMORY, DubError, catalogue

T = TypeVar("T")
log = logging.getLogger(__name__)


async def run_task(task: str, request: msgspec.Struct, result: type[T], *, report: Callable[[float], None], limits: processes.Limits) -> T:
    """Run `task` (see `child.TASKS`) to its end. Cancelling kills the child.

    Raises what the task raised; media_damaged when the decoder crashed, media_limit or out_of_memory when the child was ended by a limit.
    """
    answer: dict[str, Any] = {}

    def on_event(event: dict[str, Any]) -> None:
        if "progress" in event:
            report(event["progress"])
        else:
            answer.update(event)

    ended = await processes.run_python("app.dubbing.child", {"task": task, "request": request}, on_event=on_event, limits=limits)
    if "result" in answer:
        return msgspec.convert(answer["result"], result)
    if "error" in answer:
        if answer["error"]["code"] == INTERNAL.code:
            log.error("task %s failed: %s", task, ended.stderr)
        raise DubError(catalogue().get(answer["error"]["code"], INTERNAL), answer["error"]["detail"])
    log.error("task %s ended with %s: %s", task, ended.code, ended.stderr)
    if ended.code in (-signal.SIGKILL, 137):
        raise DubError(OUT_OF_MEMORY)
    if ended.code in (-signal.SIGXCPU, -signal.SIGXFSZ):
        raise DubError(MEDIA_LIMIT)
    if ended.code in (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGFPE, -signal.SIGBUS, -signal.SIGILL):
        raise DubError(MEDIA_DAMAGED)
    raise DubError(INTERNAL)
