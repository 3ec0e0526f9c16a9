"""Request and response bodies of translations: one that a person brings, and lines that are translated again."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from typing import Annotated, Final

import msgspec
from msgspec import UNSET, UnsetType

from app.domain.brought_translation import Entry, Matched
from app.domain.segment import MAX_LINES, Wording
from app.jobs.schemas import Id, Segments

MOST_AGAIN: Final = 50  # a request should not last longer than a proxy waits
_MOST_CHARACTERS: Final = 6 << 20


class Which(StrEnum):
    """Lines to translate again: all, those whose original has changed, those that have no translation."""

    ALL = "all"
    STALE = "stale"
    FAILED = "failed"


class TranslateSegments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Lines to translate again by the job's translator, from their originals as they are now: up to 50 by their `ids`,
    or the first 50 `which` are so after the line `after`."""

    ids: Annotated[Sequence[Id], msgspec.Meta(min_length=1, max_length=MOST_AGAIN)] | UnsetType = UNSET
    which: Which | UnsetType = UNSET
    after: Id | UnsetType = UNSET


class TranslatedAgain(Segments, frozen=True, kw_only=True):
    """The lines now. `kept` are the ids of those that stay as they were: there was no usable answer, or they were
    edited meanwhile. `next`: ask for more `after` this line; None: that was the last."""

    kept: Sequence[str]
    next: str | None


class BroughtTranslation(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A translation of the lines: as `text`, or as the `data` of a file in any encoding (Base64). SRT, WebVTT, ASS,
    numbered lines, or one line each. `by` says how it finds its lines; left out, it is seen from what is there."""

    text: Annotated[str, msgspec.Meta(max_length=_MOST_CHARACTERS)] | UnsetType = UNSET
    data: Annotated[bytes, msgspec.Meta(max_length=_MOST_CHARACTERS)] | UnsetType = UNSET
    by: Matched | UnsetType = UNSET


class LineGiven(msgspec.Struct, frozen=True):
    """What one line would get. `number` counts from 1; `source` is what is translated, `before` the text it has now,
    `text` the one it gets (None: nothing)."""

    id: str
    number: int
    start_s: float
    source: str
    before: str
    text: str | None


class TranslationPreview(msgspec.Struct, frozen=True):
    """What would happen. `format` is "srt", "vtt", "ass", "numbered" or "plain". `lines` are those that get something
    or should; `given` and `missing` count them, `changed` those whose text would be another. `left_over` is what no
    line gets."""

    revision: int
    format: str
    by: Matched
    given: int
    changed: int
    missing: int
    lines: Annotated[Sequence[LineGiven], msgspec.Meta(max_length=MAX_LINES)]
    left_over: Sequence[Entry]


class TranslationApplied(Segments, frozen=True, kw_only=True):
    """The lines after a change of many at once; `undo` takes it back ("" where nothing was changed)."""

    undo: str


class UndoRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The `undo` that a change of many lines gave."""

    undo: Id


class TranslationUndone(Segments, frozen=True, kw_only=True):
    """The lines as they were; `kept` are the ids of those that were edited after the change, which stay."""

    kept: Sequence[str]


class ShorterWordings(msgspec.Struct, frozen=True):
    """Shorter wordings of one line at this revision, the shortest last; none where the translator gave none that keeps
    the meaning. `heard` is how many times faster than natural the line is spoken now."""

    revision: int
    heard: float
    wordings: Sequence[Wording]
