"""Asks a translator for shorter wordings of a line that takes too long to speak. The meaning is guarded as in any
translation."""

from __future__ import annotations

from typing import Final

from app.domain.segment import Segment, Wording
from app.dubbing.line_time import LineTime
from app.dubbing.translate import TranslationChoice, source_of
from app.translation.checking import fault, name_lost
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
        if len(found) >= _WANTED:
            break
        complaint = f"{said} The last answer was too long, or lost a part of the meaning. At most {most} characters."
    ranked = sorted(found.values(), key=lambda wording: -wording.pace)
    return tuple(ranked[-_WANTED:])


def _loses(source: str, text: str, choice: TranslationChoice) -> str:
    wrong = fault(source, text, choice.source, choice.target, choice.wishes.terms)
    return wrong or name_lost(source, text, choice.source)
