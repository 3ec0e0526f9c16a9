"""Asks the engine for the pace at which a line fits, so that little is left to be stretched.

The fit decides what a line needs: the pause after it comes first, then the engine's own speed, and what is left is
stretched. An engine that costs nothing speaks a line, and again where it has to be faster. One that costs money is
asked once: how long the line will be is foreseen (`speaking_rate`), and a line that was bought at any pace is not
bought again.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from app.domain.errors import DubError
from app.domain.problems.lines import DOES_NOT_FIT
from app.domain.segment import Clip, Placement, Segment
from app.dubbing import pipeline
from app.dubbing.casting import SpokenLine, VoiceChoice, at_pace, spoken_lines
from app.dubbing.context import Context, Report
from app.dubbing.speaking_rate import RateBook, SpeakingRate, Take, counted, learned
from app.dubbing.synthesize import cached, clip_key, synthesize
from app.dubbing.worker.client import run_task
from app.dubbing.worker.tasks import FitLine, FitRequest
from app.speech.ports import SpeechRequest, SpeedLimits, Voice
from app.storage.blobs import BlobStore

_HEARD: Final = 0.02  # a stretch below this is not worth speaking again
_SLOWEST: Final = 0.9  # the fit plays slower only to even out the pace
_FASTEST: Final = 1.5
_ROUNDS: Final = 2  # of speaking again: an engine does not keep to its speed exactly
_STEP: Final = 0.05  # of the paces that are asked of an engine that costs money: few, so that a bought clip is found
_FIRST_ROUND: Final = 0.7  # the share of the work when every line was spoken once
_SURE: Final = 0.10  # an error of the foreseen length that is borne


def limits_of(voice: Voice, speed: float) -> SpeedLimits:
    """The paces that may be asked for on top of the wished speed; 1 to 1 where the engine ignores it."""
    own: SpeedLimits = getattr(voice, "paces", voice.speeds)
    return SpeedLimits(max(_SLOWEST, min(1.0, own.min / speed)), min(_FASTEST, max(1.0, own.max / speed)))


def takes(blobs: BlobStore, voice: Voice, request: SpeechRequest) -> dict[float, str]:
    """The clips of a line that are there, by their pace. `request` is at pace 1. Blocks."""
    found: dict[float, str] = {}
    paces = [1.0]
    if voice.cost_unit is not None:
        limits = limits_of(voice, request.speed)
        first, last = round((limits.min - 1) / _STEP), round((limits.max - 1) / _STEP)
        paces += [round(1 + n * _STEP, 2) for n in range(first, last + 1) if n]
    for pace in paces:
        key = clip_key(voice, msgspec.structs.replace(request, speed=request.speed * pace))
        if key not in found.values() and cached(blobs, key) is not None:
            found[pace] = key
    return found


async def spoken_to_fit(
    context: Context,
    segments: Sequence[Segment],
    choice: VoiceChoice,
    duration_s: float,
    *,
    on_clip: Callable[[Clip], None],
    report: Report,
) -> tuple[Clip, ...]:
    """`synthesize`, every line at the pace that it needs in a video of `duration_s`. `on_clip` gets every clip that was
    used on the way. Raises as `synthesize`."""
    asked = [each for each in spoken_lines(segments, choice, context.engines) if _asks(each)]
    speeds = {segment.id: choice.of(segment).speed for segment in segments}
    books = _Books(context, choice.language)
    paces: dict[str, float] = {}
    if any(each.voice.cost_unit is not None for each in asked):
        paces = await _foreseen(context, segments, choice, speeds, duration_s, books)
    free = {each.line.id: each for each in asked if each.voice.cost_unit is None}
    share = _FIRST_ROUND if free else 1.0

    def first(fraction: float, message: str) -> None:
        report(fraction * share, message)

    clips = await synthesize(context, segments, choice, on_clip=on_clip, report=first, paces=paces)
    placed = await _placed(context, segments, clips, speeds, duration_s) if asked else ()
    for number in range(_ROUNDS):
        again = _again(free, clips, placed)
        if not again:
            break
        paces |= again
        done = share + (1 - share) * number / _ROUNDS

        def more(fraction: float, _message: str, done: float = done, count: int = len(again)) -> None:
            report(done + (1 - share) / _ROUNDS * fraction, f"{count} lines again, at the pace that they need")

        clips = await synthesize(context, segments, choice, on_clip=on_clip, report=more, paces=paces)
        placed = await _placed(context, segments, clips, speeds, duration_s)
    await asyncio.to_thread(books.remember, {each.line.id: each for each in asked}, clips, placed)
    return clips


def _asks(each: SpokenLine) -> bool:
    """Whether the engine makes another sound of it at another speed."""
    limits = limits_of(each.voice, each.request.speed)
    other = limits.max if limits.max > 1 else limits.min
    return other != 1 and each.voice.fingerprint(each.request) != each.voice.fingerprint(at_pace(each, other).request)


async def _placed(
    context: Context,
    segments: Sequence[Segment],
    clips: Sequence[Clip],
    speeds: Mapping[str, float],
    duration_s: float,
) -> tuple[Placement, ...]:
    """Where the clips would go; nothing where they do not fit (the next stage says so), or where one was deleted a
    moment ago, which nobody holds yet (what runs the stage sees that, and runs it again)."""
    try:
        return await pipeline.fit(context, segments, clips, speeds, duration_s)
    except (DubError, FileNotFoundError) as error:
        if isinstance(error, DubError) and error.problem is DOES_NOT_FIT:
            return ()
        keys = [pipeline.sound_of(clip) for clip in clips]
        if await asyncio.to_thread(lambda: all(context.blobs.exists(key) for key in keys)):
            raise
        return ()


def _again(free: Mapping[str, SpokenLine], clips: Sequence[Clip], placed: Sequence[Placement]) -> dict[str, float]:
    """The lines that are spoken again, and how fast. A locked rate is the person's."""
    now = {clip.segment_id: clip.pace for clip in clips}
    found = {}
    for placement in placed:
        each = free.get(placement.segment_id)
        if each is None or each.line.locked_rate is not None or abs(placement.rate - 1) <= _HEARD:
            continue
        limits, pace = limits_of(each.voice, each.request.speed), now[placement.segment_id]
        wanted = round(min(max(pace * placement.rate, limits.min), limits.max), 2)
        if abs(wanted - pace) >= _HEARD / 2:
            found[placement.segment_id] = wanted
    return found


async def _foreseen(
    context: Context,
    segments: Sequence[Segment],
    choice: VoiceChoice,
    speeds: Mapping[str, float],
    duration_s: float,
    books: _Books,
) -> dict[str, float]:
    """The pace to ask of the engines that cost money, from how long the lines will be. A line that was bought has the
    pace of the nearest clip that is there."""
    lines = spoken_lines(segments, choice, context.engines)
    rates, bought = await asyncio.to_thread(
        lambda: (
            {each.line.id: books.rate(each) for each in lines},
            {each.line.id: takes(context.blobs, each.voice, each.request) for each in lines},
        )
    )
    request = FitRequest(
        lines=tuple(_line(each, rates[each.line.id], speeds[each.line.id]) for each in lines), video_end_s=duration_s
    )
    try:
        placed = await run_task("fit", request, tuple[Placement, ...], report=lambda _: None, limits=context.limits)
    except DubError as error:
        if error.problem is not DOES_NOT_FIT:
            raise
        placed = ()
    needed = {placement.segment_id: placement.rate for placement in placed}
    paces = {}
    for each in lines:
        if each.voice.cost_unit is None or not _asks(each):
            continue
        limits, there = limits_of(each.voice, each.request.speed), bought[each.line.id]
        rate = 1.0 if each.line.locked_rate is not None else needed.get(each.line.id, 1.0)
        steps = math.ceil((rate - _HEARD - 1) / _STEP)
        wanted = min(max(round(1 + steps * _STEP, 2), limits.min), limits.max)
        paces[each.line.id] = min(there, key=lambda pace: (abs(pace - wanted), pace)) if there else wanted
    return paces


def _line(each: SpokenLine, rate: SpeakingRate, speed: float) -> FitLine:
    foreseen_s = rate.seconds(each.request.text) * (1 - max(0.0, rate.error - _SURE))  # less sure, less is asked for
    line = each.line
    return FitLine(
        segment_id=line.id,
        start_s=line.start_s,
        end_s=line.end_s,
        speaker=line.speaker,
        clip="",
        speed=speed,
        start_locked=line.start_locked,
        locked_rate=line.locked_rate,
        natural_s=foreseen_s,
    )


class _Books:
    """What is known of the voices of one language. Blocks."""

    def __init__(self, context: Context, language: str | None) -> None:
        self._folder, self._language = context.cache.parent / "rates", language
        self._rates: dict[tuple[str, str, str], SpeakingRate] = {}

    def rate(self, each: SpokenLine) -> SpeakingRate:
        voice = each.voice.name, each.request.voice, each.request.model
        if voice not in self._rates:
            self._rates[voice] = learned(RateBook(self._folder, *voice, self._language).takes().values())
        return self._rates[voice]

    def remember(self, lines: Mapping[str, SpokenLine], clips: Sequence[Clip], placed: Sequence[Placement]) -> None:
        """What these clips teach of their voices."""
        trims = {placement.segment_id: placement.trim_start_s + placement.trim_end_s for placement in placed}
        found: dict[tuple[str, str, str], dict[str, Take]] = {}
        for clip in clips:
            each = lines.get(clip.segment_id)
            if each is not None and clip.segment_id in trims:
                letters, marks = counted(each.request.text)
                seconds = (clip.duration_s - trims[clip.segment_id]) * clip.speed
                takes_of = found.setdefault((each.voice.name, each.request.voice, each.request.model), {})
                takes_of[Path(clip.key).name[:16]] = Take(letters, marks, round(seconds, 3))
        for voice, some in found.items():
            RateBook(self._folder, *voice, self._language).remember(some)
