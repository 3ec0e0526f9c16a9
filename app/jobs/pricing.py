"""Previews a line and estimates the cost of a render."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING

from app.domain import stages
from app.domain.errors import DubError
from app.domain.job import Job, Phase
from app.domain.problems.lines import SEGMENT_NOT_FOUND, TEXT_INVALID
from app.domain.secret_names import Keys
from app.domain.segment import Segment
from app.dubbing.context import Context
from app.dubbing.disk_estimate import line_bytes
from app.dubbing.pipeline import spoken_language
from app.dubbing.synthesize import VoiceChoice, cached, clip_files, clip_key, requests_for, speak
from app.jobs.schemas import Estimate
from app.speech.registry import engine_of
from app.storage.blobs import bytes_of
from app.storage.disk_floors import reserved

if TYPE_CHECKING:
    from app.storage.jobs import JobStore


def choice_of(job: Job, keys: Keys) -> VoiceChoice:
    """The voice and its parameters for the job's lines."""
    options = job.options
    return VoiceChoice(
        options.voices.voice,
        options.voices.voice_model,
        options.voices.speed,
        spoken_language(options, job.language),
        keys.of(engine_of(options.voices.voice)),
    )


async def preview(context: Context, store: JobStore, job_id: str, segment_id: str, *, keys: Keys) -> bytes:
    """One line as WAV, from the cache or spoken now; a render uses the same clip.

    Raises segment_not_found, text_invalid, disk_full and the engine's errors.
    """
    job, lines = await asyncio.to_thread(_read, store, job_id)
    choice = choice_of(job, keys)
    voice, voice_id = context.engines.voice(choice.voice)
    line = next((line for line in lines if line.id == segment_id), None)
    if line is None:
        raise DubError(SEGMENT_NOT_FOUND)
    request = next(
        (request for found, request in requests_for(lines, choice, voice_id) if found.id == segment_id), None
    )
    if request is None:
        raise DubError(TEXT_INVALID, "The line has nothing to speak, or keeps the original sound.")
    await voice.check(request)
    while True:
        async with reserved(context.disks, line_bytes(request), *context.lines_go_to):
            clip, _ = await speak(context.blobs, voice, request)
        await asyncio.to_thread(store.refer, job_id, clip_files(clip))
        # kept no longer, by somebody who did not know that it is wanted: it is spoken again
        with contextlib.suppress(FileNotFoundError):
            return await asyncio.to_thread(bytes_of, context.blobs, clip_files(clip)[0])


async def estimate(context: Context, store: JobStore, job_id: str, *, keys: Keys) -> Estimate:
    """What rendering would cost now: only lines that are not cached cost anything."""
    job, lines = await asyncio.to_thread(_read, store, job_id)
    choice = choice_of(job, keys)
    voice, voice_id = context.engines.voice(choice.voice)
    pairs = requests_for(lines, choice, voice_id)
    known = await asyncio.to_thread(
        lambda: [cached(context.blobs, clip_key(voice, request)) is not None for _, request in pairs]
    )
    new = [request for (_, request), have in zip(pairs, known, strict=True) if not have]
    characters = sum(len(request.text) for request in new)
    info = await voice.info(choice.key)
    models = {model.id: model for model in info.models}
    model = models.get(choice.model) or (info.models[0] if info.models else None)
    credits = characters * model.credits_per_character if model else 0.0
    unit = voice.cost_unit
    price = 0.0 if unit is None else unit.usd
    media_s = job.media.duration_s if job.media else 0.0
    costs = await asyncio.to_thread(stage_costs, store, Phase.RENDER)
    seconds = sum(
        cost * media_s * (len(new) / len(pairs) if stage == stages.SYNTHESIZE.name and pairs else 1.0)
        for stage, cost in costs.items()
    )
    return Estimate(
        len(pairs),
        sum(known),
        characters,
        credits,
        None if price is None else credits * price,
        seconds,
        "" if unit is None else unit.name,
    )


def stage_costs(store: JobStore, phase: Phase) -> dict[str, float]:
    """Seconds per second of media, as measured on this machine, else a first guess."""
    measured = {stage: store.seconds_per_media_second(stage.name) for stage in stages.in_phase(phase)}
    return {stage.name: stage.first_cost if cost is None else cost for stage, cost in measured.items()}


def _read(store: JobStore, job_id: str) -> tuple[Job, tuple[Segment, ...]]:
    return store.get(job_id), store.segments(job_id)[1]
