"""What a job would cost from where it is to its end, and what it has spent."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from app.domain import stages
from app.domain.dub_options import DubOptions
from app.domain.secret_names import NO_KEYS, Keys
from app.domain.segment import Segment, untranslated
from app.domain.spending import Charge, Spent
from app.domain.stage_outputs import Transcribed
from app.dubbing.casting import SpokenLine, spoken_lines
from app.dubbing.context import Context
from app.dubbing.pace import takes
from app.jobs import costs
from app.jobs.estimate_schemas import CostItem, Costs, Estimate
from app.jobs.options import choice_of
from app.jobs.stages import WorkStore
from app.spending.prices import MACHINE
from app.storage.job_row import JobRow, StageRow

_ROUNDING: Final = 1e-9  # sums of many small numbers


async def estimate_job(
    context: Context, store: WorkStore, job_id: str, *, keys: Keys = NO_KEYS, costs_s: Mapping[str, float]
) -> Estimate:
    """Of all languages of the job. `costs_s` are the stages' seconds per second of media. Lines that are not recognised
    yet are guessed. Raises job_not_found and the engines' errors."""
    row, first_lines, known = await asyncio.to_thread(_whole_job, store, job_id)
    recognised, done_s = known is not None and known.finished, 0.0
    if known is not None and not recognised:
        done_s = msgspec.convert(known.output, Transcribed).done_s
    media_s = row.job.media.duration_s if row.job.media else 0.0
    items: list[CostItem] = []
    guessed: tuple[Segment, ...] = ()
    if not recognised:
        items += costs.recognition(context, row.job.options, media_s - done_s)
        language = row.job.options.recognition.language or row.job.language
        guessed = tuple(costs.guessed_lines(done_s, media_s, language))
    if await asyncio.to_thread(store.stage, row.job.id, stages.SEPARATE.name) is None:
        items += await asyncio.to_thread(costs.separation, context, row, media_s)
    begun = stages.STAGES if not recognised else stages.in_phase(stages.SYNTHESIZE.phase)
    every_asked, every_new = list[SpokenLine](), list[SpokenLine]()
    seconds = sum(costs_s.get(stage.name, 0.0) * media_s for stage in begun if not stage.each_language)
    for language_id in [each.id for each in row.job.languages] or [row.job.id]:
        each, lines, translated = await asyncio.to_thread(_language, store, language_id)
        lines = (*(lines or map(untranslated, first_lines)), *guessed)
        own: list[CostItem] = []
        if not recognised or translated is None:
            own += (await asyncio.to_thread(costs.translation, context, each, lines, keys, guessed=not recognised))[0]
        asked, new = await _to_speak(context, each, lines, keys)
        is_guess = not recognised or any(item.what is Costs.TRANSLATION for item in own)
        own += await costs.speech(context, new, guessed=is_guess)
        own += await asyncio.to_thread(costs.shortening, context, each, lines, keys)
        share = len(new) / len(asked) if asked else 1.0
        seconds += sum(
            costs_s.get(stage.name, 0.0) * media_s * (share if stage is stages.SYNTHESIZE else 1.0)
            for stage in begun
            if stage.each_language
        )
        items += own
        every_asked += asked
        every_new += new
    items = await costs.with_quotas(context, items, keys)
    items.append(_machine(context, seconds))
    spent = await asyncio.to_thread(store.ledger(row.job.id).spent)
    return _whole(items, row.job.options, spent, every_asked, every_new, seconds)


def _whole_job(store: WorkStore, job_id: str) -> tuple[JobRow, tuple[Segment, ...], StageRow | None]:
    """The job that this is a language of, or the job itself."""
    row = store.row(job_id)
    if row.whole_id != job_id:
        row = store.row(row.whole_id)
    return row, store.segments(row.job.id)[1], store.stage(row.job.id, stages.TRANSCRIBE.name)


def _language(store: WorkStore, language_id: str) -> tuple[JobRow, tuple[Segment, ...], StageRow | None]:
    return store.row(language_id), store.segments(language_id)[1], store.stage(language_id, stages.TRANSLATE.name)


async def estimate_translation(
    context: Context,
    store: WorkStore,
    job_id: str,
    wanted: Sequence[Segment],
    *,
    keys: Keys = NO_KEYS,
) -> Estimate:
    """What translating these lines again would cost."""
    row, among = await asyncio.to_thread(lambda: (store.row(job_id), store.segments(job_id)[1]))
    items, found = await asyncio.to_thread(
        lambda: costs.translation(context, row, wanted, keys, among=among, again=True)
    )
    items = await costs.with_quotas(context, items, keys)
    spent = await asyncio.to_thread(store.ledger(row.whole_id).spent)
    whole = _whole(items, row.job.options, spent, (), (), 0.0)
    return msgspec.structs.replace(whole, lines=found.lines, cached_lines=found.cached)


async def _to_speak(
    context: Context, row: JobRow, lines: Sequence[Segment], keys: Keys
) -> tuple[Sequence[SpokenLine], Sequence[SpokenLine]]:
    """The lines that get a voice, and those of them that have no clip yet."""
    choice = await asyncio.to_thread(choice_of, row.job, row.speakers, keys, context.engines)
    asked = await asyncio.to_thread(spoken_lines, lines, choice, context.engines)
    known = await asyncio.to_thread(lambda: [bool(takes(context.blobs, each.voice, each.request)) for each in asked])
    return asked, [each for each, have in zip(asked, known, strict=True) if not have]


def _machine(context: Context, seconds: float) -> CostItem:
    minute_usd = context.engines.prices.usd(MACHINE, "minute")
    usd = None if minute_usd is None else minute_usd * seconds / 60
    return costs.item(context.engines.prices, Costs.MACHINE, [Charge(MACHINE, "", "minute", seconds / 60, usd)])


def _whole(
    items: Sequence[CostItem],
    options: DubOptions,
    spent: Spent,
    asked: Sequence[SpokenLine],
    new: Sequence[SpokenLine],
    seconds: float,
) -> Estimate:
    """The sum. The machine's minutes count where they have a price."""
    paid = [each for each in items if each.what is not Costs.MACHINE]
    money = costs.total(each.usd for each in items if each.what is not Costs.MACHINE or each.usd is not None)
    services = costs.total(each.usd for each in paid)
    credits = sum(each.amount for each in paid if each.unit == "credit")
    most = options.spending.ceiling
    gone_usd, gone_credits = spent.usd + spent.open_usd, spent.credits + spent.open_credits
    passes = most.usd is not None and (services is None or gone_usd + services > most.usd + _ROUNDING)
    passes = passes or (most.credits is not None and gone_credits + credits > most.credits + _ROUNDING)
    units = [each.voice.cost_unit.name for each in new or asked if each.voice.cost_unit is not None]
    return Estimate(
        len(asked),
        len(asked) - len(new),
        sum(len(each.request.text) for each in new),
        sum((each.amount for each in items if each.what is Costs.SPEECH), 0.0),
        money,
        seconds,
        " + ".join(dict.fromkeys(units)),
        items,
        any(each.guessed for each in items),
        spent.usd,
        spent.credits,
        spent.open_usd,
        spent.open_credits,
        most.usd,
        most.credits,
        passes and bool(paid),
    )
