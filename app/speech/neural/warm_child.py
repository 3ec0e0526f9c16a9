"""Children that keep a model in memory between lines, and give it back when nothing was asked of them for a while."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Mapping
from typing import Any, cast

import msgspec

from app.system.children import child, tail


class ChildEnded(Exception):
    """The child ended before its answer was whole; the message is the last that it said."""


class WarmChild:
    """One child of one event loop, which answers one request after another. Start none outside that loop."""

    def __init__(self, module: str, *, env: Mapping[str, str], idle_s: float) -> None:
        self._module, self._env, self._idle_s = module, env, idle_s
        self._turn = asyncio.Lock()
        self._stack: contextlib.AsyncExitStack | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._said: asyncio.Task[str] | None = None
        self._leaving: asyncio.TimerHandle | None = None
        self._closing: set[asyncio.Task[None]] = set()

    async def ask(self, request: Any) -> tuple[dict[str, Any], bytes]:
        """The child's answer, and the bytes behind it. Raises ChildEnded. When this is cancelled, so is the work: the
        child is killed and the next request starts another."""
        async with self._turn:
            if self._leaving is not None:
                self._leaving.cancel()
                self._leaving = None
            process = await self._running()
            stdin, stdout = cast(asyncio.StreamWriter, process.stdin), cast(asyncio.StreamReader, process.stdout)
            whole = False
            try:
                stdin.write(msgspec.json.encode(request) + b"\n")
                await stdin.drain()
                head = await stdout.readline()
                answer: dict[str, Any] = msgspec.json.decode(head)
                data = await stdout.readexactly(int(answer.get("bytes", 0)))
                whole = True
            except (OSError, EOFError, msgspec.DecodeError):
                raise ChildEnded(await self._last_words(process)) from None
            finally:
                if not whole:
                    await asyncio.shield(self._stop())
            self._leaving = asyncio.get_running_loop().call_later(self._idle_s, self._leave)
            return answer, data

    async def close(self) -> None:
        """End the child, if there is one."""
        if self._leaving is not None:
            self._leaving.cancel()
        async with self._turn:
            await self._stop()

    @property
    def running(self) -> bool:
        """Whether a model is in memory."""
        return self._process is not None

    async def _running(self) -> asyncio.subprocess.Process:
        if self._process is not None and self._process.returncode is None:
            return self._process
        await self._stop()
        self._stack = contextlib.AsyncExitStack()
        argv = [sys.executable, "-u", "-m", self._module]
        self._process = await self._stack.enter_async_context(child(argv, env=self._env, stdin=asyncio.subprocess.PIPE))
        self._said = asyncio.create_task(tail(cast(asyncio.StreamReader, self._process.stderr)))
        return self._process

    async def _last_words(self, process: asyncio.subprocess.Process) -> str:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(2):
                code = await process.wait()
                said = await self._said if self._said is not None else ""
                return (said.strip().splitlines() or [f"process code {code}"])[-1][:200]
        return "no answer"

    async def _stop(self) -> None:
        stack, self._stack, self._process = self._stack, None, None
        if stack is not None:
            await stack.aclose()
        if self._said is not None:
            await self._said
            self._said = None

    def _leave(self) -> None:
        task = asyncio.get_running_loop().create_task(self.close())
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)


class WarmChildren:
    """At most `width` children of one event loop; each request takes one that is free."""

    def __init__(self, module: str, *, width: int, env: Mapping[str, str], idle_s: float) -> None:
        self._all = [WarmChild(module, env=env, idle_s=idle_s) for _ in range(width)]
        self._free = list(self._all)
        self._places = asyncio.Semaphore(width)

    @contextlib.asynccontextmanager
    async def one(self) -> AsyncIterator[WarmChild]:
        """A child that is free, one with a model in memory if there is one."""
        async with self._places:
            warm = max(self._free, key=lambda each: each.running)
            self._free.remove(warm)
            try:
                yield warm
            finally:
                self._free.append(warm)

    async def close(self) -> None:
        for each in self._all:
            await each.close()
