"""Runs one task in the downloader's process, within its limits of memory, processor time, output and patience."""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from app.domain.catalogue import catalogue
from app.domain.errors import DubError
from app.domain.problems.links import LINK_FAILED, LINK_TOO_LARGE
from app.domain.problems.requests import INTERNAL
from app.links.tasks import Examine, Fetch, FetchCaption, Look, Request, Rules
from app.system import children
from app.system.children import Limits

T = TypeVar("T")
_log = logging.getLogger("links")
LOOK_S: Final = 180.0  # a page, its player and a JavaScript challenge
STALL_S: Final = 120.0  # without a new byte
_CPU_S: Final = 300
_BYTES_PER_CPU_S: Final = 4_000_000  # decryption included; measured without: thirty times that
_SMALL_BYTES: Final = 64 << 20


def limits_of(request: Request) -> Limits:
    """Of processor time and of each file. Memory is limited in the process itself (`app.links.child`): an address space
    of a few gigabytes would end a JavaScript runtime."""
    if not isinstance(request.task, Fetch):
        return Limits(cpu_s=_CPU_S, output_bytes=_SMALL_BYTES)
    most = request.rules.max_bytes
    return Limits(cpu_s=_CPU_S + most // _BYTES_PER_CPU_S, output_bytes=most + (1 << 20) if most else 0)


async def run(
    rules: Rules,
    task: Look | Fetch | FetchCaption | Examine,
    result: type[T],
    *,
    received: Callable[[int], None] = lambda _: None,
) -> T:
    """The task's result. `received` hears the bytes so far of a `Fetch`. Cancelling kills the process.

    Raises errors of `app.domain.problems.links`, and disk_full.
    """
    request = Request(rules, task)
    answer: dict[str, Any] = {}
    clock = asyncio.get_running_loop()
    patience_s = STALL_S if isinstance(task, Fetch) else LOOK_S
    newest = -1

    def on_event(event: dict[str, Any]) -> None:
        nonlocal newest
        if "received" not in event:
            answer.update(event)
            return
        if event["received"] != newest:
            newest = event["received"]
            patience.reschedule(clock.time() + patience_s)
        received(newest)

    try:
        async with asyncio.timeout(patience_s) as patience:
            ended = await children.run_python("app.links.child", request, on_event=on_event, limits=limits_of(request))
    except TimeoutError:
        raise DubError(LINK_FAILED, f"Nothing came for {patience_s:.0f} s.", retryable=True) from None
    if "result" in answer:
        return msgspec.convert(answer["result"], result)
    if "error" in answer:
        raise DubError(catalogue().get(answer["error"]["code"], INTERNAL), answer["error"]["detail"])
    if ended.code == -signal.SIGXFSZ:
        raise DubError(LINK_TOO_LARGE)
    _log.error("the downloader ended with %s", ended.code)
    raise DubError(LINK_FAILED, "The downloader needed more memory or time than it may have.")
