"""Estimates what a render would cost now."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from app.domain import stages
from app.domain.job import Phase
from app.domain.secret_names import Keys
from app.dubbing.casting import SpokenLine, spoken_lines
from app.dubbing.context import Context
from app.dubbing.pace import takes
from app.jobs.eta import stage_costs
from app.jobs.options import choice_of
from app.jobs.schemas import Estimate

if TYPE_CHECKING:
    from app.storage.jobs import JobStore


async def estimate_render(context: Context, store: JobStore, job_id: str, *, keys: Keys) -> Estimate:
    """What rendering would cost now: only lines that are not cached cost anything."""
    job, (_, script) = await asyncio.to_thread(lambda: (store.get(job_id), store.script(job_id)))
    choice = await asyncio.to_thread(choice_of, job, script.speakers, keys, context.engines)
    asked = await asyncio.to_thread(spoken_lines, script.segments, choice, context.engines)
    known = await asyncio.to_thread(lambda: [bool(takes(context.blobs, each.voice, each.request)) for each in asked])
    new = [each for each, have in zip(asked, known, strict=True) if not have]
    characters = sum(len(each.request.text) for each in new)
    credits, price, units = await _cost(new)
    media_s = job.media.duration_s if job.media else 0.0
    costs = await asyncio.to_thread(stage_costs, store, Phase.RENDER)
    seconds = sum(
        cost * media_s * (len(new) / len(asked) if stage == stages.SYNTHESIZE.name and asked else 1.0)
        for stage, cost in costs.items()
    )
    if not new:
        units = _units(asked)
    return Estimate(len(asked), sum(known), characters, credits, price, seconds, " + ".join(units))


async def _cost(lines: Sequence[SpokenLine]) -> tuple[float, float | None, tuple[str, ...]]:
    """Credits, US dollars (None when not known), and the units of the credits. Each engine has its own price."""
    credits, price = 0.0, 0.0
    known = True
    by_model: dict[tuple[str, str], list[SpokenLine]] = {}
    for each in lines:
        by_model.setdefault((each.voice.name, each.request.model), []).append(each)
    for (_, model_id), some in by_model.items():
        voice = some[0].voice
        info = await voice.info(some[0].request.key)
        models = {model.id: model for model in info.models}
        model = models.get(model_id) or (info.models[0] if info.models else None)
        spent = sum(len(each.request.text) for each in some) * (model.credits_per_character if model else 0.0)
        unit = voice.cost_unit
        credits += spent
        if unit is not None and unit.usd is None:
            known = False
        elif unit is not None:
            price += spent * (unit.usd or 0.0)
    return credits, price if known else None, _units(lines)


def _units(lines: Sequence[SpokenLine]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(each.voice.cost_unit.name for each in lines if each.voice.cost_unit is not None))
