"""Translates lines in batches, checks every answer, and keeps it by content, so that no line is bought twice.

A batch is on disk before the next is asked for. A line whose answer is wrong is asked for again, with the reason where
the translator reads one; after the last try it stays in the source language and is marked.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import msgspec

from app.domain.dub_options import DubOptions
from app.domain.glossary import translated
from app.domain.segment import Segment, Translation
from app.domain.spending import Charge
from app.dubbing.context import Report, fingerprint
from app.dubbing.line_time import LineTime
from app.system.durable_files import Durable, write
from app.translation.checking import FASTEST, fault, name_lost, nearest
from app.translation.ports import LineToTranslate, TranslationRequest, Translator, Wishes

_NO_TIMES: Final[Mapping[str, LineTime]] = {}
_TRIES: Final = 3
NEIGHBOURS: Final = 3  # lines before and after a batch, as context
_VERSION: Final = 1  # not the pipeline's: raising it would have every line bought again


class TranslationChoice(msgspec.Struct, frozen=True):
    """From which language into which (`source` None: not known), for a voice of this speed. `key` is the person's own
    API key, if one came with the request; `wishes` are those of the person."""

    source: str | None
    target: str
    speed: float = 1.0
    key: str | None = None
    wishes: Wishes = Wishes()


def wishes(options: DubOptions) -> Wishes:
    """What the options say of the translation."""
    asked = options.translation
    return Wishes(translated(options.glossary.terms), asked.formality, asked.style)


class Kept(msgspec.Struct, frozen=True):
    """A translation that passed the checks."""

    text: str


def source_of(line: Segment) -> str:
    """The text that is translated: the line's own in the source language."""
    return line.original if line.translation else line.text


def translatable(lines: Sequence[Segment]) -> tuple[Segment, ...]:
    """The lines that are spoken and have words."""
    return tuple(line for line in lines if not line.skip and any(map(str.isalpha, source_of(line))))


def same_language(one: str | None, other: str | None) -> bool:
    """Whether nothing has to be translated between them: the same language, in whatever region."""
    return one is not None and other is not None and one.partition("-")[0].lower() == other.partition("-")[0].lower()


async def translate(
    translator: Translator,
    lines: Sequence[Segment],
    choice: TranslationChoice,
    cache: Path,
    report: Report,
    *,
    among: Sequence[Segment] = (),
    again: bool = False,
    times: Mapping[str, LineTime] = _NO_TIMES,
    on_lines: Callable[[Sequence[Segment]], Awaitable[None]] | None = None,
) -> tuple[Segment, ...]:
    """The translatable ones of the lines, with their translations. `among` are all lines, for context (empty: these).
    `again`: what was translated before is asked for anew. `times` are those of the lines for their voices (without: by
    the usual rate of the language). `on_lines` is told of the lines, in order, as far as their translations are known.
    Raises the translator's errors; what was translated before is in `cache`."""
    wanted = translatable(lines)
    keys = await asyncio.to_thread(lambda: {line.id: _key(translator, line, choice) for line in wanted})
    texts = {} if again else await asyncio.to_thread(_known, cache, keys)
    missing = [line for line in wanted if line.id not in texts]

    def tell() -> None:
        done = len(wanted) - len(missing) + asked_n
        report(done / len(wanted) if wanted else 1.0, f"{done} of {len(wanted)} lines")

    asked_n = told_n = 0

    async def hand_on(end: int) -> None:
        nonlocal told_n
        some = [_with_translation(line, texts.get(line.id)) for line in wanted[told_n:end]]
        told_n = max(told_n, end)
        if on_lines is not None and some:
            await on_lines(some)

    places = {line.id: at for at, line in enumerate(wanted)}
    tell()
    await hand_on(places[missing[0].id] if missing else len(wanted))
    for batch in batches(missing, translator):
        found: dict[str, str] = {}
        try:
            await _batch(found, translator, batch, choice, *neighbours(batch, among or lines), times)
        finally:  # what was answered is paid for, whatever ended this
            fresh = {keys[line_id]: text for line_id, text in found.items()}
            await asyncio.shield(asyncio.to_thread(_keep, cache, fresh))
        texts |= found
        asked_n += len(batch)
        tell()
        following = missing[asked_n].id if asked_n < len(missing) else None
        await hand_on(places[following] if following else len(wanted))
    return tuple(_with_translation(line, texts.get(line.id)) for line in wanted)


class Foreseen(msgspec.Struct, frozen=True):
    """What translating costs: how many lines, how many of them are here already, and what asking for the others costs,
    one by one."""

    lines: int
    cached: int
    charges: tuple[Charge, ...]


def foreseen(
    translator: Translator,
    lines: Sequence[Segment],
    choice: TranslationChoice,
    cache: Path,
    *,
    among: Sequence[Segment] = (),
    again: bool = False,
    times: Mapping[str, LineTime] = _NO_TIMES,
) -> Foreseen:
    """What `translate` would ask for, once: a line whose answer is wrong costs more. Blocks."""
    wanted = translatable(lines)
    known = {} if again else _known(cache, {line.id: _key(translator, line, choice) for line in wanted})
    charges = []
    for batch in batches([line for line in wanted if line.id not in known], translator):
        spans = {line.id: times.get(line.id) or usual_time(line, choice) for line in batch}
        before, after = neighbours(batch, among or lines)
        if charge := translator.charge(_request(batch, choice, before, after, spans, {})):
            charges.append(charge)
    return Foreseen(len(wanted), len(known), tuple(charges))


def neighbours(batch: Sequence[Segment], among: Sequence[Segment]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The texts of the lines before and after a batch of those lines."""
    first = next(at for at, line in enumerate(among) if line.id == batch[0].id)
    last = next(at for at, line in enumerate(among) if line.id == batch[-1].id)
    around = [source_of(line) for line in among[max(0, first - NEIGHBOURS) : last + 1 + NEIGHBOURS]]
    before = first - max(0, first - NEIGHBOURS)
    return tuple(around[:before]), tuple(around[before + last + 1 - first :])


def _request(
    lines: Sequence[Segment],
    choice: TranslationChoice,
    before: tuple[str, ...],
    after: tuple[str, ...],
    spans: Mapping[str, LineTime],
    complaints: Mapping[str, str],
) -> TranslationRequest:
    return TranslationRequest(
        tuple(
            LineToTranslate(number, source_of(line), spans[line.id].most_characters, complaints.get(line.id, ""))
            for number, line in enumerate(lines, 1)
        ),
        before,
        after,
        choice.source,
        choice.target,
        choice.key,
        choice.wishes,
    )


def batches(lines: Sequence[Segment], translator: Translator) -> Iterator[list[Segment]]:
    """The lines in their order, as many at once as the translator takes; one that is too long alone is a batch."""
    batch: list[Segment] = []
    size = 0
    for line in lines:
        own = len(source_of(line).encode())
        if batch and (len(batch) == translator.most_lines or size + own > translator.most_bytes):
            yield batch
            batch, size = [], 0
        batch.append(line)
        size += own
    if batch:
        yield batch


async def _batch(
    found: dict[str, str],
    translator: Translator,
    batch: Sequence[Segment],
    choice: TranslationChoice,
    before: tuple[str, ...],
    after: tuple[str, ...],
    times: Mapping[str, LineTime],
) -> None:
    """Put the translations of a batch by the lines' ids into `found`, without those that no try gave."""
    complaints = {line.id: "" for line in batch}
    spans = {line.id: times.get(line.id) or usual_time(line, choice) for line in batch}
    for attempt in range(_TRIES if translator.instructed else 1):
        asked = [line for line in batch if line.id in complaints]
        for some in _parts(asked, attempt):
            answer = await translator.translate(_request(some, choice, before, after, spans, complaints))
            for number, line in enumerate(some, 1):
                complaints[line.id] = _take(found, line, answer.get(number, ()), choice, spans[line.id])
        # a text that is right but long, or lacks a name, is asked for once more, if that may help
        complaints = {
            line_id: said for line_id, said in complaints.items() if said and (line_id not in found or attempt == 0)
        }
        if not complaints:
            break


def _parts(lines: Sequence[Segment], attempt: int) -> Iterator[Sequence[Segment]]:
    """All at once; what is asked for again, in smaller parts: an answer may have been cut for its length."""
    each = max(1, len(lines) if attempt == 0 else -(-len(lines) // 2))
    for at in range(0, len(lines), each):
        yield lines[at : at + each]


def _take(
    found: dict[str, str], line: Segment, wordings: Sequence[str], choice: TranslationChoice, time: LineTime
) -> str:
    """Keep the best of the usable wordings, if it is better than what is there. Returns what to complain about."""
    source, terms = source_of(line), choice.wishes.terms
    wrong = {text: fault(source, text, choice.source, choice.target, terms) for text in wordings}
    usable = [text.strip() for text, said in wrong.items() if not said]
    if not usable and line.id not in found:
        return next(iter(wrong.values()), "It is missing, or was given twice.")
    there = [*([found[line.id]] if line.id in found else []), *usable]
    named = [text for text in there if not name_lost(source, text, choice.source)]
    found[line.id] = nearest(named or there, time.pace)
    if time.surely(found[line.id]) > FASTEST:
        return f"It is too long to be spoken; at most {time.most_characters} characters."
    if name := name_lost(source, found[line.id], choice.source):
        return f"The name {name} seems to be lost."
    return ""


def usual_time(line: Segment, choice: TranslationChoice) -> LineTime:
    """The line's time for a voice of which nothing is known."""
    return LineTime(max(0.1, line.end_s - line.start_s), choice.target, choice.speed)


def _with_translation(line: Segment, text: str | None) -> Segment:
    source = source_of(line)
    return msgspec.structs.replace(
        line,
        original=source,
        text=text or source,
        words=line.words if text is None else (),
        translation=Translation.FAILED if text is None else Translation.DONE,
    )


def _key(translator: Translator, line: Segment, choice: TranslationChoice) -> str:
    source = source_of(line)
    parts = (translator.name, translator.model, choice.source, choice.target, source, *choice.wishes.of(source).parts())
    return fingerprint(*parts, version=_VERSION)


def _known(cache: Path, keys: dict[str, str]) -> dict[str, str]:
    """Of the lines' ids and keys, the ids whose translation is there."""
    return {line_id: text for line_id, key in keys.items() if (text := _cached(cache, key))}


def _cached(cache: Path, key: str) -> str | None:
    try:
        return msgspec.json.decode((cache / f"{key}.json").read_bytes(), type=Kept).text
    except (FileNotFoundError, msgspec.DecodeError):  # a damaged one is asked for again
        return None


def _keep(cache: Path, texts: dict[str, str]) -> None:
    cache.mkdir(parents=True, exist_ok=True)
    for key, text in texts.items():
        write(cache / f"{key}.json", msgspec.json.encode(Kept(text)), durable=Durable.CONTENT)
