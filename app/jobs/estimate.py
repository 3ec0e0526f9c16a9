"""Estimates what a render would cost now."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from app.domain import stages
from app.domain.job import Phase
from app.domain.secret_names import Keys
from app.dubbing.context import Context
from app.dubbing.synthesize import cached, clip_key, requests_for
from app.jobs.eta import stage_costs
from app.jobs.options import choice_of
from app.jobs.schemas import Estimate

if TYPE_CHECKING:
    from app.storage.jobs import JobStore


async def estimate_render(context: Context, store: JobStore, job_id: str, *, keys: Keys) -> Estimate:
    """What rendering would cost now: only lines that are not cached cost anything."""
    job, lines = await asyncio.to_thread(lambda: (store.get(job_id), store.segments(job_id)[1]))
    choice = await asyncio.to_thread(choice_of, job, keys, context.engines)
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
