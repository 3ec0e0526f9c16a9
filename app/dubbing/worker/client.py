"""The server's side of `app.dubbing.worker.child`: run one task in a child and get its result or a catalogue error."""

from __future__ import annotations

import logging
import signal
from collections.abc import Callable
from typing import Any, Final, TypeVar

import msgspec

from app.domain.catalogue import catalogue
from app.domain.errors import DubError
from app.domain.problems.media import MEDIA_DAMAGED, MEDIA_LIMIT
from app.domain.problems.recognition import OUT_OF_MEMORY
from app.domain.problems.requests import INTERNAL
from app.dubbing.worker.tasks import EncodeSoundRequest, IngestRequest, MixRequest, ProbeRequest, SeparateRequest
from app.system import children
from app.system.children import Limits

T = TypeVar("T")
log = logging.getLogger(__name__)

# Address space: the libraries take 0.4 GiB of it, the decoder of an 8K picture as much again; what asks for more has
# been built to.
_CHILD_BYTES: Final = 1 << 30
_THREAD_BYTES: Final = 80 << 20  # a thread's stack and the allocator's arena for it: address space, hardly any memory
_PROBE_CPU_S: Final = 25  # a header is read in milliseconds, an 8K picture in two seconds
_START_CPU_S: Final = 120
_INGEST_SPEED: Final = 10  # at least so many times faster than the sound plays; measured: 200
_ENDLESS_S: Final = 1e6  # a setting may say "inf"
_MIX_SPEED: Final = 2  # measured: 60 on one core
_SEPARATION_COST: Final = 5  # processor seconds for a second of sound; measured: 0.3


def limits_of(request: msgspec.Struct, given: Limits) -> Limits:
    """`given`, tightened to what this task can honestly need. Output is per file: 16 kHz speech is the largest that
    ingest writes."""
    most = Limits()
    if isinstance(request, ProbeRequest):
        most = Limits(memory_bytes=_CHILD_BYTES, cpu_s=_PROBE_CPU_S, output_bytes=1 << 20)
    elif isinstance(request, IngestRequest):
        longest_s = min(request.max_duration_s, _ENDLESS_S)
        cpu_s = _START_CPU_S + round(longest_s / _INGEST_SPEED)
        most = Limits(memory_bytes=_CHILD_BYTES, cpu_s=cpu_s, output_bytes=(1 << 20) + round(longest_s * 32_000))
    elif isinstance(request, MixRequest):
        memory_bytes = _CHILD_BYTES + request.threads * _THREAD_BYTES
        most = Limits(memory_bytes=memory_bytes, cpu_s=10 * _START_CPU_S + round(request.duration_s / _MIX_SPEED))
    elif isinstance(request, EncodeSoundRequest):
        most = Limits(memory_bytes=_CHILD_BYTES, cpu_s=_START_CPU_S + round(request.duration_s / _MIX_SPEED))
    elif isinstance(request, SeparateRequest):  # torch maps what it never touches: the operator's limit of memory
        cpu_s = 10 * _START_CPU_S + round(_SEPARATION_COST * request.duration_s)
        most = Limits(cpu_s=cpu_s, output_bytes=(64 << 20) + round(request.duration_s * 200_000))
    return Limits(
        *(
            min(a, b) if a and b else a or b
            for a, b in zip(msgspec.structs.astuple(given), msgspec.structs.astuple(most), strict=True)
        )
    )


async def run_task(
    task: str, request: msgspec.Struct, result: type[T], *, report: Callable[[float], None], limits: Limits
) -> T:
    """Run `task` (see `child.TASKS`) to its end, within `limits` and those of its kind (`limits_of`). Cancelling kills
    the child.

    Raises what the task raised; media_damaged when the decoder crashed, media_limit or out_of_memory when the child was
    ended by a limit.
    """
    answer: dict[str, Any] = {}

    def on_event(event: dict[str, Any]) -> None:
        if "progress" in event:
            report(event["progress"])
        else:
            answer.update(event)

    ended = await children.run_python(
        "app.dubbing.worker.child",
        {"task": task, "request": request},
        on_event=on_event,
        limits=limits_of(request, limits),
    )
    if "result" in answer:
        return msgspec.convert(answer["result"], result)
    if "error" in answer:
        if answer["error"]["code"] == INTERNAL.code:
            log.error("task %s failed: %s", task, ended.stderr)
        raise DubError(
            catalogue().get(answer["error"]["code"], INTERNAL),
            answer["error"]["detail"],
            **answer["error"].get("extra", {}),
        )
    log.error("task %s ended with %s: %s", task, ended.code, ended.stderr)
    if ended.code in (-signal.SIGKILL, 137):
        raise DubError(OUT_OF_MEMORY)
    if ended.code in (-signal.SIGXCPU, -signal.SIGXFSZ):
        raise DubError(MEDIA_LIMIT)
    if ended.code in (-signal.SIGSEGV, -signal.SIGABRT, -signal.SIGFPE, -signal.SIGBUS, -signal.SIGILL):
        raise DubError(MEDIA_DAMAGED)
    raise DubError(INTERNAL)
