"""What each part of a job would cost: recognition, translation, shorter wordings, speech. Nothing is asked for."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

import msgspec

from app.domain.dub_options import DubOptions
from app.domain.secret_names import Keys
from app.domain.segment import Segment
from app.domain.spending import Charge
from app.dubbing.casting import SpokenLine
from app.dubbing.context import Context
from app.dubbing.line_time import line_times
from app.dubbing.pipeline import written_language
from app.dubbing.separation import stage
from app.dubbing.transcribe import SUBTITLES
from app.dubbing.translate import Foreseen, TranslationChoice, foreseen, same_language, wishes
from app.jobs.estimate_schemas import CostItem, Costs
from app.jobs.options import choice_of
from app.jobs.shortening import shortens
from app.speech.ports import EngineInfo
from app.spending.prices import Prices
from app.storage.job_row import JobRow
from app.translation.checking import FASTEST, rate

GUESSED_S: Final = 4.0  # how long a line is of which nothing is known


def guessed_lines(begin_s: float, end_s: float, language: str | None) -> Iterator[Segment]:
    """Lines of a recording that is not recognised yet, as if somebody spoke all the time."""
    text = "word " * round(GUESSED_S * rate(language or "") / 5)
    while begin_s < end_s:
        length_s = min(GUESSED_S, end_s - begin_s)
        said = text[: max(4, round(len(text) * length_s / GUESSED_S))].strip()
        yield Segment(uuid.uuid4().hex, begin_s, begin_s + length_s, said, said, "", False, ())
        begin_s += length_s


def recognition(context: Context, options: DubOptions, length_s: float) -> list[CostItem]:
    """Of so much of the recording."""
    asked = options.recognition
    if asked.recognizer == SUBTITLES or length_s <= 0:
        return []
    charge = context.engines.recognizer(asked.recognizer).charge(asked.model, length_s)
    return [item(context.engines.prices, Costs.RECOGNITION, [charge])] if charge else []


def separation(context: Context, row: JobRow, length_s: float) -> list[CostItem]:
    """Of a service that takes the old voice out. Blocks."""
    info, options = row.job.media, row.job.options
    if info is None or length_s <= 0 or not stage.worth_it(info, options):
        return []
    engine = stage.chosen(context.engines, options, has_stem=row.stem_key is not None)
    charge = engine.charge(length_s) if engine is not None else None
    return [item(context.engines.prices, Costs.SEPARATION, [charge])] if charge else []


def translation(
    context: Context,
    row: JobRow,
    lines: Sequence[Segment],
    keys: Keys,
    *,
    among: Sequence[Segment] = (),
    again: bool = False,
    guessed: bool = False,
) -> tuple[list[CostItem], Foreseen]:
    """Of the lines that are not here yet; `again`: of all. Blocks."""
    options = row.job.options
    choice = _choice(context, row, keys)
    if choice is None or (not again and same_language(choice.source, choice.target)):
        return [], Foreseen(0, 0, ())
    translator = context.engines.translator(options.translation.translator)
    voices = choice_of(row.job, row.speakers, keys, context.engines)
    times = line_times(context, lines, voices, choice.target)
    cache = context.cache / row.job.id / "translations"
    found = foreseen(translator, lines, choice, cache, among=among, again=again, times=times)
    made = item(context.engines.prices, Costs.TRANSLATION, found.charges, guessed=guessed)
    return [made] if found.charges else [], found


async def with_quotas(context: Context, items: Sequence[CostItem], keys: Keys) -> list[CostItem]:
    """The items, those of translators with what is left of their quota."""
    left: dict[str, float | None] = {}
    for each in items:
        if each.what is Costs.TRANSLATION and each.engine not in left:
            translator = context.engines.translator(each.engine)
            left[each.engine] = await translator.quota_left(keys.of(each.engine))
    return [
        msgspec.structs.replace(each, quota_left=left[each.engine]) if each.engine in left else each for each in items
    ]


def shortening(context: Context, row: JobRow, lines: Sequence[Segment], keys: Keys) -> list[CostItem]:
    """Of the lines that will be hurried, as far as that can be foreseen. Blocks."""
    choice = _choice(context, row, keys)
    if choice is None or not shortens(row):
        return []
    translator = context.engines.translator(row.job.options.translation.translator)
    if not translator.instructed:
        return []
    voices = choice_of(row.job, row.speakers, keys, context.engines)
    times = line_times(context, lines, voices, choice.target)
    hurried = [line for line in lines if not line.skip and times[line.id].surely(line.text) > FASTEST]
    cache = context.cache / row.job.id / "translations"
    charges = [
        charge
        for line in hurried
        for charge in foreseen(translator, [line], choice, cache, among=lines, again=True, times=times).charges
    ]
    return [item(context.engines.prices, Costs.TRANSLATION, charges, guessed=True)] if charges else []


async def speech(context: Context, lines: Sequence[SpokenLine], *, guessed: bool) -> list[CostItem]:
    """Of lines that have to be spoken; each engine and model has its own price."""
    by_model: dict[tuple[str, str], list[SpokenLine]] = {}
    for each in lines:
        if each.voice.cost_unit is not None:
            by_model.setdefault((each.voice.name, each.request.model), []).append(each)
    found = []
    for (engine, model_id), some in by_model.items():
        voice = some[0].voice
        info = await voice.info(some[0].request.key)
        found.append(_speech_item(context.engines.prices, info, engine, model_id, some, guessed=guessed))
    return found


def _speech_item(
    prices: Prices, info: EngineInfo, engine: str, model_id: str, lines: Sequence[SpokenLine], *, guessed: bool
) -> CostItem:
    models = {model.id: model for model in info.models}
    model = models.get(model_id) or (info.models[0] if info.models else None)
    unit = lines[0].voice.cost_unit
    characters = sum(len(each.request.text) for each in lines)
    amount = characters * (model.credits_per_character if model else 0.0)
    usd = unit.usd if unit else None
    money = None if usd is None else amount * usd
    if model is not None and model.usd_per_character is not None:
        money = characters * model.usd_per_character
    charge = Charge(engine, model.id if model else model_id, unit.name if unit else "", amount, money)
    left = info.quota.limit - info.quota.used if info.quota else None
    return item(prices, Costs.SPEECH, [charge], quota_left=left, guessed=guessed)


def item(
    prices: Prices,
    what: Costs,
    charges: Sequence[Charge],
    *,
    quota_left: float | None = None,
    guessed: bool = False,
) -> CostItem:
    """The charges of one service as one."""
    first = charges[0] if charges else Charge("", "", "", 0.0, 0.0)
    units = {first.unit, "input token"} if first.unit == "token" else {first.unit}
    rows = [row for unit in units if (row := prices.row(first.engine, unit, model=first.model)) is not None]
    return CostItem(
        what,
        first.engine,
        first.model,
        first.unit,
        sum(each.amount for each in charges),
        total(each.usd for each in charges),
        rows[0].published if rows else "",
        quota_left,
        guessed,
    )


def total(parts: Iterable[float | None]) -> float | None:
    """None where one of them is not known."""
    known = list(parts)
    return None if any(each is None for each in known) else sum((each or 0.0 for each in known), 0.0)


def _choice(context: Context, row: JobRow, keys: Keys) -> TranslationChoice | None:
    """None where nothing is translated by an engine."""
    options = row.job.options
    if not options.translation.translator or options.translation.target_language is None:
        return None
    key = keys.of(options.translation.translator)
    source = written_language(options, row.job.language)
    return TranslationChoice(source, options.translation.target_language, options.voices.speed, key, wishes(options))
