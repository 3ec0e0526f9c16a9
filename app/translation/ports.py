"""The `Translator` protocol that every translation engine implements, and the types it exchanges.

An engine sends one request to one service. It knows nothing of jobs or files. Errors are catalogue errors.
"""

from __future__ import annotations

from typing import Any, Protocol

import msgspec

from app.domain.dub_options import Formality
from app.domain.glossary import Term, occurring
from app.domain.spending import Charge


class LineToTranslate(msgspec.Struct, frozen=True):
    """One line. `number` is unique within its request. `most_characters` is how long the translation may be to be
    spoken in the line's time. `complaint` says what was wrong with the last answer, "" at first."""

    number: int
    text: str
    most_characters: int
    complaint: str = ""


class Wishes(msgspec.Struct, frozen=True):
    """What a person wants of a translation. `terms` are those of the glossary that it has to know."""

    terms: tuple[Term, ...] = ()
    formality: Formality = Formality.DEFAULT
    style: str = ""

    def parts(self) -> list[Any]:
        """As parts of a hash; none where nothing is wished."""
        return [] if self == Wishes() else [self.terms, self.formality, self.style]

    def of(self, text: str) -> Wishes:
        """Those that matter to one line."""
        return msgspec.structs.replace(self, terms=occurring(self.terms, text)) if self.terms else self


class TranslationRequest(msgspec.Struct, frozen=True):
    """Lines to translate. `before` and `after` are the texts of the neighbours, for context. Languages are ISO 639-1;
    `source` is None when it is not known. `key` is an API key that came with the request; it is never logged."""

    lines: tuple[LineToTranslate, ...]
    before: tuple[str, ...]
    after: tuple[str, ...]
    source: str | None
    target: str
    key: str | None = None
    wishes: Wishes = Wishes()


# The wordings of each line by its number, the fullest first. A line that was not answered, or twice, is missing.
Wordings = dict[int, tuple[str, ...]]


class TranslatorState(msgspec.Struct, frozen=True):
    """Whether a translator is available; if not, why, and how to fix it."""

    available: bool
    reason: str = ""
    remedy: str = ""


class Translator(Protocol):
    """A translation engine. A request has at most `most_lines` lines and `most_bytes` of their text in UTF-8.

    `instructed`: it reads length limits and complaints, so that asking again may help. `model` is a part of the name
    under which an answer is kept.
    """

    name: str
    title: str
    needs_key: bool
    takes_key: bool
    instructed: bool
    most_lines: int
    most_bytes: int
    model: str

    def state(self, key: str | None = None) -> TranslatorState: ...

    def charge(self, request: TranslationRequest) -> Charge | None:
        """What asking once costs, as far as it can be foreseen; None where it costs nothing."""
        ...

    async def quota_left(self, given: str | None = None) -> float | None:
        """How much the account may still ask for, in the unit of `charge`; None where the service does not tell.
        Raises nothing."""
        ...

    async def translate(self, request: TranslationRequest) -> Wordings:
        """Ask once, with retries while the service is busy. Raises translator_unavailable, key_missing, key_invalid,
        quota_exceeded, translation_busy, translation_failed, translation_refused."""
        ...
