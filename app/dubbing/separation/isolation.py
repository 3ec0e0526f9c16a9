"""Has a service take the voice out of a recording, piece by piece; what is left is made here.

A piece's voice stays until the background is whole: a run that was killed buys only what had not come.
"""

from __future__ import annotations

import asyncio
import contextlib
import math
from collections.abc import Callable
from pathlib import Path
from typing import Final, Protocol

import msgspec

from app.domain.errors import DubError
from app.domain.problems.separation import SEPARATION_FAILED
from app.dubbing.context import Context
from app.dubbing.worker.client import run_task
from app.dubbing.worker.tasks import CutRequest, FoundVoice, VoicePiece, VoiceRequest
from app.separation.rates import SOUND_HZ
from app.spending.paying import stored_as
from app.system.durable_files import Durable, write

_TRIES: Final = 2  # of an answer that cannot be used; it may have been billed


class Isolating(Protocol):
    """A `SeparationEngine` that is a service."""

    key_name: str
    piece_s: float
    margin_s: float
    least_s: float

    def check(self, key: str | None = None) -> None: ...

    async def isolate(self, recording: Path, voice: Path, length_s: float, key: str | None) -> None: ...


class Recording(msgspec.Struct, frozen=True):
    """A track of a file. `spans` is a folder that outlives a kill."""

    path: Path
    source_id: str
    track: int
    duration_s: float
    spans: Path


async def isolated(
    context: Context,
    engine: Isolating,
    recording: Recording,
    kept: Path,
    scratch: Path,
    key: str | None,
    report: Callable[[float, str], None],
) -> tuple[VoicePiece, ...]:
    """The voices of all pieces, in `kept`. `report` gets 0..1. Raises the engine's errors."""
    length_n = max(1, round(recording.duration_s * SOUND_HZ))
    step_n = round(engine.piece_s * SOUND_HZ)
    count = max(1, math.ceil(length_n / step_n))
    if count > 1 and length_n - (count - 1) * step_n < round(engine.least_s * SOUND_HZ):
        count -= 1  # the rest is too short to be sent by itself
    found = []
    for number in range(count):
        report(number / count, f"taking the voice out: part {number + 1} of {count}")
        begin_n, end_n = number * step_n, length_n if number == count - 1 else (number + 1) * step_n
        piece = _Piece(context, engine, recording, kept / f"voice-{number:04}.mp3", begin_n, end_n)
        found.append(await piece.bought(scratch, key))
    return tuple(found)


class _Piece:
    """One piece of the recording, and its voice."""

    def __init__(
        self, context: Context, engine: Isolating, recording: Recording, voice: Path, begin_n: int, end_n: int
    ) -> None:
        self._context, self._engine, self._recording, self._voice = context, engine, recording, voice
        self._begin_n, self._end_n = begin_n, end_n
        margin_n = round(engine.margin_s * SOUND_HZ)
        self._first_n = max(0, begin_n - margin_n)
        self._length_n = max(end_n + margin_n - self._first_n, round(engine.least_s * SOUND_HZ))
        self._late = voice.with_suffix(".json")

    async def bought(self, scratch: Path, key: str | None) -> VoicePiece:
        """On disk when this returns."""
        late = await asyncio.to_thread(self._known)
        if late is None:
            sent = scratch / "piece.flac"
            try:
                await self._cut(sent)
                late = await self._asked(sent, key)
                await asyncio.to_thread(write, self._late, msgspec.json.encode(late), durable=Durable.CONTENT)
            finally:
                await asyncio.to_thread(sent.unlink, missing_ok=True)
        return VoicePiece(str(self._voice), self._first_n, self._begin_n, self._end_n, late.late_n)

    async def _asked(self, sent: Path, key: str | None) -> FoundVoice:
        for _ in range(_TRIES):
            async with stored_as(f"{self._voice.parent.name}/{self._voice.name}"):
                if not await asyncio.to_thread(self._voice.exists):  # one that came before a kill is looked at first
                    await self._engine.isolate(sent, self._voice, self._length_n / SOUND_HZ, key)
            request = VoiceRequest(str(self._voice), str(sent), self._length_n)
            try:
                return await run_task(
                    "find_voice", request, FoundVoice, report=lambda _: None, limits=self._context.limits
                )
            except DubError as error:
                if error.problem is not SEPARATION_FAILED:
                    raise
                failure = error
                await asyncio.to_thread(self._voice.unlink, missing_ok=True)
        raise failure

    async def _cut(self, out: Path) -> None:
        track = self._recording
        request = CutRequest(
            path=str(track.path),
            source_id=track.source_id,
            audio_track=track.track,
            spans=str(track.spans),
            first_n=self._first_n,
            until_n=self._first_n + self._length_n,
            out=str(out),
        )
        await run_task("cut", request, FoundVoice, report=lambda _: None, limits=self._context.limits)

    def _known(self) -> FoundVoice | None:
        if self._voice.exists():
            with contextlib.suppress(FileNotFoundError, msgspec.DecodeError):
                return msgspec.json.decode(self._late.read_bytes(), type=FoundVoice)
        return None
