"""`autodubber dub --estimate`: what the run would cost, without spending anything."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, TextIO

import msgspec

from app.system.console import say

if TYPE_CHECKING:
    from app.dubbing.context import Context
    from app.jobs.estimate_schemas import CostItem, Estimate
    from app.jobs.memory_languages import MemoryLanguages


async def estimate(context: Context, jobs: MemoryLanguages, arguments: argparse.Namespace) -> Estimate:
    """Of the file that has been read. Its lines are those of --subtitles; without, they are guessed by its length.
    Raises subtitles_invalid, subtitles_empty."""
    import asyncio

    from app.domain.stage_outputs import Transcribed
    from app.domain.stages import STAGES, TRANSCRIBE
    from app.dubbing.transcribe import from_subtitles
    from app.jobs.estimate import estimate_job

    store = jobs.first
    job = store.job
    if arguments.subtitles is not None and job.media is not None:
        data = await asyncio.to_thread(arguments.subtitles.read_bytes)
        found = await asyncio.to_thread(from_subtitles, data, job.media.duration_s, job.options)
        output = Transcribed(job.options.recognition.language, job.media.duration_s)
        store.append_segments(job.id, found.segments, stage=TRANSCRIBE.name, fingerprint="read", output=output)
    costs_s = {stage.name: stage.first_cost for stage in STAGES}
    return await estimate_job(context, jobs, job.id, costs_s=costs_s)


def show(found: Estimate, out: TextIO) -> None:
    """A line for each part, the sum, and what the ceiling says to it."""
    for item in found.items:
        say(described(item), to=out)
    fresh = found.lines - found.cached_lines
    say(f"lines to speak: {fresh} of {found.lines}{' (guessed)' if found.guessed else ''}", to=out)
    say(f"in all: about {total(found)}", to=out)
    if found.passes_ceiling:
        say("this is more than the ceiling allows: the run would stop before it is passed", to=out)


def described(item: CostItem) -> str:
    """One part: "speech by elevenlabs: 1,234 credits, $0.10 (as published on 2026-10)"."""
    from app.spending.ceiling import money

    amount = f"{item.amount:,.0f}" if item.amount >= 10 else f"{item.amount:.3g}"
    unit = item.unit if amount == "1" else f"{item.unit}s"
    if item.what == "machine":
        price = f", {money(item.usd)}" if item.usd is not None else ""
        return f"this machine: about {amount} {unit}{price}"
    price = "price not known" if item.usd is None else money(item.usd)
    told = f" (as published on {item.published})" if item.published and item.usd is not None else ""
    left = "" if item.quota_left is None else f"; {item.quota_left:,.0f} left"
    model = f" {item.model}" if item.model else ""
    return f"{item.what} by {item.engine}{model}: about {amount} {unit}, {price}{told}{left}"


def total(found: Estimate) -> str:
    """Money, or the words that say why there is no sum."""
    from app.spending.ceiling import money

    paid = [item for item in found.items if item.what != "machine"]
    if not paid and not found.money_usd:
        return "nothing: all is free, or here already"
    if found.money_usd is None:
        known = sum(item.usd for item in found.items if item.usd is not None)
        return f"{money(known)} and what has no known price"
    return money(found.money_usd)


def as_json(found: Estimate) -> dict[str, object]:
    return {"ok": True, "estimate": msgspec.to_builtins(found)}
