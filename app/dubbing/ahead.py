"""Translates and speaks lines while others are still being recognised, so that a dub takes about as long as its slowest
part.

It only fills the caches, in which the stages find the lines later: every request is one that a stage would send.
A line goes to the translator in the batch in which the stage would send it, once the lines after it are known, and to
the voice with those around it known. What fails here is left to the stages, which say why.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from app.domain.errors import DubError
from app.domain.segment import Clip, Segment, Translation
from app.dubbing.casting import VoiceChoice, spoken_lines
from app.dubbing.context import Context
from app.dubbing.line_time import line_times
from app.dubbing.pace import spoken_to_fit, takes
from app.dubbing.translate import NEIGHBOURS, TranslationChoice, batches, translatable, translate
from app.dubbing.voice_ready import ready
from app.translation.ports import Translator

log: Final = logging.getLogger(__name__)
GROUP: Final = 8  # lines that are spoken together
HELD: Final = 2  # the last ones wait: the next line decides how much time they have
_BEFORE: Final = 12  # lines before a group that are placed with it
_PAUSE_S: Final = 0.8  # a line after such a pause is placed as if it were the first


class _Worker:
    """One task that works on what it is handed, in order. Ended by `finish`, which lets a request that is on its way
    come back, or by `cancel`."""

    def __init__(self) -> None:
        self._changed, self._ending = asyncio.Event(), False
        self._task: asyncio.Task[None] | None = None

    def _start(self) -> None:
        self._changed.set()
        if self._task is None and not self._ending:
            self._task = asyncio.create_task(self._run())

    async def finish(self) -> None:
        """Begin nothing more."""
        self._ending = True
        self._changed.set()
        if self._task is not None:
            await self._task

    async def cancel(self) -> None:
        """Stop at once."""
        self._ending = True
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        try:
            while not self._ending:
                self._changed.clear()
                if not await self._step():
                    await self._changed.wait()
        except DubError as error:
            log.info("nothing more is done ahead", extra={"code": error.problem.code, "who": type(self).__name__})
        except Exception:  # no failure of the job: the stages do what is missing, and say what is wrong
            log.exception("working ahead failed")

    async def _step(self) -> bool:
        """Do the next piece of work; False where there is none yet."""
        raise NotImplementedError


class SpeakAhead(_Worker):
    """Speaks lines whose text is final. `choice` gives the voices, `keep` says that the job needs these clips."""

    def __init__(
        self,
        context: Context,
        choice: Callable[[], Awaitable[VoiceChoice]],
        keep: Callable[[Sequence[Clip]], Awaitable[None]],
        end_s: float,
    ) -> None:
        super().__init__()
        self._context, self._choice, self._keep, self._end_s = context, choice, keep, end_s
        self._lines: list[Segment] = []
        self._spoken = 0
        self._closed = False
        self._voices: VoiceChoice | None = None

    def take(self, lines: Sequence[Segment]) -> None:
        """The next lines, in order. One that has no translation yet will get another text: nothing after it is
        spoken."""
        for line in lines:
            self._closed = self._closed or line.translation is Translation.FAILED
            if not self._closed:
                self._lines.append(line)
        if len(self._lines) - self._spoken >= GROUP + HELD:
            self._start()

    async def _step(self) -> bool:
        if len(self._lines) - self._spoken < GROUP + HELD:
            return False
        end = min(len(self._lines) - HELD, self._spoken + 2 * GROUP)
        window = self._lines[self._begin() : end]
        spoken: list[Clip] = []
        if self._voices is None:
            self._voices = await ready(self._context, await self._choice(), _silent)
        try:
            if not await asyncio.to_thread(self._are_here, self._lines[self._spoken : end], self._voices):
                until_s = min(self._end_s, max(self._lines[end].start_s, window[-1].end_s))
                await spoken_to_fit(self._context, window, self._voices, until_s, on_clip=spoken.append, report=_silent)
        finally:
            await asyncio.shield(self._keep(spoken))
        self._spoken = end
        return True

    def _are_here(self, lines: Sequence[Segment], voices: VoiceChoice) -> bool:
        """Whether each of them that is spoken has a clip. Blocks."""
        asked = spoken_lines(lines, voices, self._context.engines)
        return all(takes(self._context.blobs, each.voice, each.request) for each in asked)

    def _begin(self) -> int:
        """From where the lines are placed together: a long pause before the group."""
        first = max(0, self._spoken - _BEFORE)
        for at in range(self._spoken, first, -1):
            if self._lines[at].start_s - self._lines[at - 1].end_s >= _PAUSE_S:
                return at
        return first


class TranslateAhead(_Worker):
    """Translates lines in the batches in which the stage would, and hands them on."""

    def __init__(
        self,
        context: Context,
        translator: Translator,
        choice: TranslationChoice,
        voices: VoiceChoice,
        cache: Path,
        speak: SpeakAhead | None,
    ) -> None:
        super().__init__()
        self._context, self._translator, self._choice = context, translator, choice
        self._voices, self._cache, self._speak = voices, cache, speak
        self._lines: list[Segment] = []
        self._batches = self._handed = 0  # how many batches are done, how many lines are handed on

    def take(self, lines: Sequence[Segment]) -> None:
        """The next recognised lines, which are final."""
        self._lines += lines
        self._start()

    async def _step(self) -> bool:
        lines = tuple(self._lines)
        found = await asyncio.to_thread(lambda: list(batches(translatable(lines), self._translator)))
        if self._batches + 1 >= len(found):  # the last one may still grow
            return False
        batch = found[self._batches]
        last = next(at for at, line in enumerate(lines) if line.id == batch[-1].id)
        if last + NEIGHBOURS >= len(lines):
            return False
        times = await asyncio.to_thread(line_times, self._context, batch, self._voices, self._choice.target)
        done = await translate(self._translator, batch, self._choice, self._cache, _silent, among=lines, times=times)
        self._batches += 1
        if self._speak is not None:
            texts = {line.id: line for line in done}
            self._speak.take([texts.get(line.id, line) for line in lines[self._handed : last + 1]])
        self._handed = last + 1
        return True


def _silent(fraction: float, message: str) -> None:
    """Nobody is told."""
