"""Asks a translator for shorter wordings of a line that takes too long to speak. The meaning is guarded as in any
translation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from app.domain.segment import Segment, Translation, Wording
from app.dubbing.context import Report
from app.dubbing.line_time import LineTime
from app.dubbing.translate import TranslationChoice, source_of
from app.translation.checking import FASTEST, fault, name_lost
from app.translation.ports import LineToTranslate, TranslationRequest, Translator

_TRIES: Final = 2
_WANTED: Final = 2


async def shorter(
    translator: Translator,
    line: Segment,
    choice: TranslationChoice,
    time: LineTime,
    heard: float,
    around: tuple[tuple[str, ...], tuple[str, ...]] = ((), ()),
) -> tuple[Wording, ...]:
    """At most two wordings that are shorter than the line's, the shortest last; none where the translator gave none
    that can be used. `heard` is how many times faster than natural the line is spoken now. Raises the translator's
    errors."""
    source = source_of(line)
    most = min(max(4, int(len(line.text) / max(heard, 1.05))), len(line.text) - 1)
    said = f"“{line.text}” is right, but takes {heard:.2f} times too long to speak."
    complaint = f"{said} Give two shorter wordings of at most {most} characters, the second the shortest."
    found: dict[str, Wording] = {}
    for _ in range(_TRIES):
        request = TranslationRequest(
            (LineToTranslate(1, source, most, complaint),),
            around[0],
            around[1],
            choice.source,
            choice.target,
            choice.key,
            choice.wishes,
        )
        for wording in (await translator.translate(request)).get(1, ()):
            text = wording.strip()
            if len(text) < len(line.text) and not _loses(source, text, choice):
                found[text] = Wording(text, round(heard * time.pace(text) / time.pace(line.text), 3))
        if len(found) >= _WANTED or any(wording.pace <= FASTEST for wording in found.values()):
            break
        complaint = f"{said} The last answer was too long, or lost a part of the meaning. At most {most} characters."
    ranked = sorted(found.values(), key=lambda wording: -wording.pace)
    return tuple(ranked[-_WANTED:])


async def shortened(
    translator: Translator,
    lines: Sequence[Segment],
    choice: TranslationChoice,
    times: Mapping[str, LineTime],
    heard: Mapping[str, float],
    report: Report,
) -> tuple[Segment, ...]:
    """Those of the translated lines that are `heard` too fast (by their ids), with the fullest wording that is not,
    else the shortest; a line without any that keeps its meaning is not among them. Raises the translator's errors."""
    hurried = [
        (at, line)
        for at, line in enumerate(lines)
        if heard.get(line.id, 0.0) > FASTEST and line.translation is Translation.DONE and line.locked_rate is None
    ]
    sources = [source_of(line) for line in lines]
    changed = []
    for number, (at, line) in enumerate(hurried):
        report(number / len(hurried), f"shorter wordings: {number} of {len(hurried)} lines")
        around = tuple(sources[max(0, at - 3) : at]), tuple(sources[at + 1 : at + 4])
        found = await shorter(translator, line, choice, times[line.id], heard[line.id], around)
        if found:
            taken = next((each for each in found if each.pace <= FASTEST), found[-1])
            changed.append(msgspec.structs.replace(line, text=taken.text, words=()))
    return tuple(changed)


def _loses(source: str, text: str, choice: TranslationChoice) -> str:
    wrong = fault(source, text, choice.source, choice.target, choice.wishes.terms)
    return wrong or name_lost(source, text, choice.source)
