"""Speaks segments to clips: concurrently, cached by content, so that no line is bought twice.

What an engine that costs money has sent is on disk, under the hash of everything that made it, the moment its last byte
has come; then the clip is made of it. The cache is shared by all jobs and by previews; two that want the same line at
the same moment wait for one purchase.
"""

from __future__ import annotations

import asyncio
import io
import threading
import time
import wave
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final

import msgspec

from app.domain.errors import DubError
from app.domain.problems.lines import NOTHING_TO_SPEAK
from app.domain.segment import Clip, Segment
from app.dubbing.casting import SpokenLine, VoiceChoice, at_pace, spoken_lines
from app.dubbing.context import Context, Report, fingerprint
from app.dubbing.disk_estimate import line_bytes
from app.dubbing.stored_answer import StoredAnswer
from app.observability import metrics, tracing
from app.speech.ports import Answer, SpeechRequest, Spoken, SpokenBy, Voice
from app.spending.paying import stored_as
from app.storage.blobs import BlobStore, bytes_of
from app.storage.disk_floors import reserved


class ClipMeta(msgspec.Struct, frozen=True):
    """Stored beside the WAV, and after it: where this is, the clip is whole."""

    duration_s: float
    sample_rate_hz: int
    speed: float
    cost_credits: float
    by: SpokenBy | None = None


NO_PACES: Final[Mapping[str, float]] = {}
_CLIP_VERSION: Final = 1  # not the pipeline's: raising it would have every line bought again
# of their own: where the disk is slow to sync clips, answers of other lines, and what they cost, are stored meanwhile
_storing: Final = ThreadPoolExecutor(4, thread_name_prefix="clips")
_flights: dict[str, Future[None]] = {}  # clips being spoken now, in any thread's event loop
_flights_lock: Final = threading.Lock()


def clip_key(voice: Voice, request: SpeechRequest) -> str:
    return f"clips/{fingerprint(voice.name, voice.fingerprint(request), version=_CLIP_VERSION)}"


def clip_files(key: str) -> tuple[str, str]:
    """The blobs of a clip: sound and meta."""
    return f"{key}.wav", f"{key}.json"


def cached(blobs: BlobStore, key: str) -> ClipMeta | None:
    sound, meta = clip_files(key)
    if not (blobs.exists(meta) and blobs.exists(sound)):
        return None
    return msgspec.json.decode(bytes_of(blobs, meta), type=ClipMeta)


def _lacks(blobs: BlobStore, each: SpokenLine) -> bool:
    """Whether the line has no clip. Which request spoke one that is there, its voice is told: a restarted server has
    its lines joined as if it had never stopped."""
    key = clip_key(each.voice, each.request)
    recall: Callable[[SpeechRequest, SpokenBy], None] | None = getattr(each.voice, "recall", None)
    if recall is None:
        return not all(map(blobs.exists, clip_files(key)))
    meta = cached(blobs, key)
    if meta is not None and meta.by is not None:
        recall(each.request, meta.by)
    return meta is None


def _found(blobs: BlobStore, key: str) -> ClipMeta | None:
    meta = cached(blobs, key)
    if meta is not None:
        StoredAnswer(blobs, key).forget()  # killed between the two
    return meta


async def speak(blobs: BlobStore, voice: Voice, request: SpeechRequest) -> tuple[str, ClipMeta]:
    """The clip of one line, from the cache or spoken now. On disk when this returns."""
    key = clip_key(voice, request)
    while True:
        if (meta := await asyncio.to_thread(_found, blobs, key)) is not None:
            metrics.CLIP_LOOKUPS.add("hit")
            return key, meta
        with _flights_lock:
            flight = _flights.get(key)
            leading = flight is None
            if flight is None:
                flight = _flights[key] = Future()
        if not leading:
            # then look again: the leader may have failed or been cancelled
            await asyncio.wait([asyncio.wrap_future(flight)])
            continue
        try:
            answer = StoredAnswer(blobs, key)
            spoken = await _bought(voice, request, answer, key)
            meta = ClipMeta(
                len(spoken.pcm) / 2 / spoken.sample_rate_hz,
                spoken.sample_rate_hz,
                spoken.speed,
                spoken.cost_credits,
                spoken.by,
            )
            storing = asyncio.get_running_loop().run_in_executor
            await asyncio.shield(storing(_storing, _store, blobs, key, spoken.pcm, meta, answer))
            return key, meta
        finally:
            with _flights_lock:
                del _flights[key]
            flight.set_result(None)


async def _bought(voice: Voice, request: SpeechRequest, answer: Answer, key: str) -> Spoken:
    """`_spoken`; of an engine that costs money, with what it costs."""
    if voice.cost_unit is None:
        return await _spoken(voice, request, answer)
    async with stored_as(key):
        return await _spoken(voice, request, answer)


async def _spoken(voice: Voice, request: SpeechRequest, answer: Answer) -> Spoken:
    """Have the engine speak it, and count what it did."""
    metrics.CLIP_LOOKUPS.add("miss")
    began_s, result = time.monotonic(), "internal"
    with tracing.span(
        "speak", "client", autodubber__engine=voice.name, autodubber__characters=len(request.text)
    ) as span:
        try:
            spoken = await voice.speak(request, answer)
            result = "ok"
        except DubError as error:
            result = error.problem.code
            span.fail(result)
            raise
        except asyncio.CancelledError:
            result = "cancelled"
            raise
        finally:
            metrics.SPEECH_CALLS.add(voice.name, result)
            metrics.SPEECH_SECONDS.observe(voice.name, value=time.monotonic() - began_s)
    metrics.SPEECH_CHARACTERS.add(voice.name, amount=len(request.text))
    metrics.SPEECH_CREDITS.add(voice.name, amount=spoken.cost_credits)
    return spoken


async def synthesize(
    context: Context,
    segments: Sequence[Segment],
    choice: VoiceChoice,
    *,
    on_clip: Callable[[Clip], None],
    report: Report,
    paces: Mapping[str, float] = NO_PACES,
) -> tuple[Clip, ...]:
    """Speak every line, as many at once as its engine allows; engines work side by side.

    Everything is checked, and room on the disk reserved, before anything is paid for. When a line fails, no new line is
    begun, those in flight are finished and kept, and the first error is raised. `paces`, by the lines' ids, are asked
    for on top of the wished speed. Raises nothing_to_speak, disk_full and
    the engine's errors.
    """
    asked = [at_pace(each, paces.get(each.line.id, 1.0)) for each in spoken_lines(segments, choice, context.engines)]
    if not asked:
        raise DubError(NOTHING_TO_SPEAK)
    for each in asked:
        await each.voice.check(each.request)
    for first in _distinct(asked):
        await first.voice.prepare(first.request, lambda message: report(0.0, message))
    clips: dict[str, Clip] = {}
    failures: list[BaseException] = []

    async def work(waiting: Iterator[SpokenLine]) -> None:
        for each in waiting:
            segment, request = each.line, each.request
            try:
                if segment.id in lacking:
                    await asyncio.to_thread(room.need, line_bytes(request))
                key, meta = await speak(context.blobs, each.voice, request)
            except DubError as error:
                failures.append(
                    DubError(
                        error.problem, f"{error.detail} Line: “{request.text[:60]}”.".strip(), retryable=error.retryable
                    )
                )
            if failures:
                return
            if segment.id in lacking:
                room.landed(round(meta.duration_s * meta.sample_rate_hz) * 2)
            clip = Clip(
                segment.id,
                key,
                meta.duration_s,
                meta.sample_rate_hz,
                meta.speed,
                len(request.text),
                meta.cost_credits,
                paces.get(segment.id, 1.0) if abs(meta.speed - request.speed) < 0.01 else 1.0,  # it may ignore it
            )
            clips[segment.id] = clip
            on_clip(clip)
            if segment.id in lacking:
                spoken.add(segment.id)
                tell()

    lacking = await asyncio.to_thread(lambda: {each.line.id for each in asked if _lacks(context.blobs, each)})
    wanted_bytes = sum(line_bytes(each.request) for each in asked if each.line.id in lacking)
    spoken: set[str] = set()

    def tell() -> None:
        """The lines that an earlier run has spoken count from the start: the pace is that of the others."""
        done = len(asked) - len(lacking) + len(spoken)
        report(done / len(asked), f"{done} of {len(asked)} lines")

    tell()
    queues = [(iter(queue), await _width(queue)) for queue in _by_engine(asked)]
    async with reserved(context.disks, wanted_bytes, *context.lines_go_to) as room, asyncio.TaskGroup() as group:
        for waiting, width in queues:
            for _ in range(width):
                group.create_task(work(waiting))
    if failures:
        raise failures[0]
    return tuple(clips[each.line.id] for each in asked)


def _distinct(asked: Sequence[SpokenLine]) -> tuple[SpokenLine, ...]:
    """The first line of each voice and model."""
    found: dict[tuple[str, str, str], SpokenLine] = {}
    for each in asked:
        found.setdefault(_voice_of(each), each)
    return tuple(found.values())


def _voice_of(each: SpokenLine) -> tuple[str, str, str]:
    return each.voice.name, each.request.voice, each.request.model


def _by_engine(asked: Sequence[SpokenLine]) -> list[list[SpokenLine]]:
    """The lines of each engine, one voice after the other: a local engine then loads each voice once."""
    places = {_voice_of(each): n for n, each in enumerate(_distinct(asked))}
    queues: dict[str, list[SpokenLine]] = {}
    for each in sorted(asked, key=lambda one: places[_voice_of(one)]):
        queues.setdefault(each.voice.name, []).append(each)
    return list(queues.values())


async def _width(queue: Sequence[SpokenLine]) -> int:
    """How many of an engine's lines may be spoken at once: its own limit, the least of all models in use."""
    limits = [await each.voice.limit(each.request) for each in _distinct(queue)]
    return max(min(*limits, len(queue)), 1)


def _store(blobs: BlobStore, key: str, pcm: bytes, meta: ClipMeta, answer: StoredAnswer) -> None:
    sound, about = clip_files(key)
    buffer = io.BytesIO()
    with wave.open(buffer, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(meta.sample_rate_hz)
        file.writeframes(pcm)
    blobs.put(sound, buffer.getvalue())
    blobs.put(about, msgspec.json.encode(meta))
    answer.forget()
