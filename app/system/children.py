"""Starts every subprocess of AutoDubber; a child never outlives the process that started it.

A child is started through `app/system/launch.py`, which sets PR_SET_PDEATHSIG and the resource limits before it becomes
the program, so that no fork hook of Python's runs between fork and exec. PDEATHSIG fires when the SPAWNING THREAD ends:
call these functions on a loop that lives as long as the program (the server's, the engine's or the CLI's).
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from app.observability import metrics

_log = logging.getLogger("child")
_LAUNCH = str(Path(__file__).with_name("launch.py"))
_LINE_LIMIT = 64 << 20  # a result line may hold a whole transcript


class Limits(msgspec.Struct, frozen=True):
    """Resource limits of a child; 0 means unlimited. Memory is address space, CPU is processor seconds, output is per
    file."""

    memory_bytes: int = 0
    cpu_s: int = 0
    output_bytes: int = 0


class Exit(msgspec.Struct, frozen=True):
    """How a child ended: its return code (negative: the signal) and the last of what it wrote to stderr."""

    code: int
    stderr: str


NO_LIMITS = Limits()


def command(argv: Sequence[str], limits: Limits = NO_LIMITS) -> list[str]:
    """The argv that starts `argv[0]` (an absolute path) as a child that dies with the calling thread."""
    head = [
        sys.executable,
        "-I",
        "-S",
        _LAUNCH,
        str(os.getpid()),
        str(limits.memory_bytes),
        str(limits.cpu_s),
        str(limits.output_bytes),
    ]
    return [*head, *argv]


@contextlib.asynccontextmanager
async def child(
    argv: Sequence[str],
    *,
    limits: Limits = NO_LIMITS,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    stdin: int | None = asyncio.subprocess.DEVNULL,
    pass_fds: Sequence[int] = (),
) -> AsyncIterator[asyncio.subprocess.Process]:
    """A running child with piped stdout and stderr, in a process group of its own; killed with its whole group when the
    block ends."""
    process = await asyncio.create_subprocess_exec(
        *command(argv, limits),
        stdin=stdin,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **env} if env is not None else None,
        cwd=cwd,
        pass_fds=tuple(pass_fds),
        start_new_session=True,
        limit=_LINE_LIMIT,
    )
    metrics.CHILDREN_STARTED.add()
    metrics.CHILDREN.change(by=1)
    try:
        yield process
    finally:
        metrics.CHILDREN.change(by=-1)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await asyncio.shield(process.wait())


async def tail(stream: asyncio.StreamReader, keep_bytes: int = 8192) -> str:
    """Read a stream to its end and keep only the last of it, so that a chatty child costs no memory."""
    end = b""
    while block := await stream.read(65536):
        end = (end + block)[-keep_bytes:]
    return end.decode(errors="replace")


async def run_python(
    module: str,
    request: Any,
    *,
    on_event: Callable[[dict[str, Any]], None],
    limits: Limits = NO_LIMITS,
    env: Mapping[str, str] | None = None,
) -> Exit:
    """Run `python -m module` with `request` as JSON on stdin; every JSON object it prints, one a line, goes to
    `on_event`.

    Returns when the child has ended. Cancelling kills it. Lines that are not JSON objects are dropped: libraries print
    too.
    """
    argv = [sys.executable, "-X", "faulthandler", "-m", module]
    async with child(argv, limits=limits, env=env, stdin=asyncio.subprocess.PIPE) as process:
        if process.stdin is None or process.stdout is None or process.stderr is None:
            raise RuntimeError("a child without pipes")
        errors = asyncio.create_task(tail(process.stderr))
        try:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                # Not msgspec's encoder: a file name may hold bytes that are not UTF-8; Python keeps them as lone
                # surrogates.
                process.stdin.write(json.dumps(msgspec.to_builtins(request)).encode() + b"\n")
                await process.stdin.drain()
                process.stdin.close()
            async for line in process.stdout:
                if line.startswith(b"{"):
                    with contextlib.suppress(json.JSONDecodeError):
                        on_event(json.loads(line))
            code = await process.wait()
            said = await errors
            if code or said:
                _log.log(
                    logging.WARNING if code else logging.DEBUG,
                    "a child has ended",
                    extra={"module_name": module, "code": code, "stderr": said},
                )
            return Exit(code, said)
        finally:
            errors.cancel()
