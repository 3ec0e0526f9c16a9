"""How much can be said in a line's time: by the voice's own rate where it is learned, else by the usual one of the
language."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from app.domain.segment import Segment
from app.dubbing.casting import VoiceChoice
from app.dubbing.context import Context
from app.dubbing.normalization.normalize import normalized
from app.dubbing.speaking_rate import RateBook, SpeakingRate, learned
from app.speech.ports import reads_numbers
from app.translation.checking import budget, pace

_ENOUGH: Final = 5  # clips from which a voice is known
_SURE: Final = 0.10  # an error of the foreseen length that is borne
_LETTERS: Final = 0.8  # of the characters of a text; the others are spaces and marks
_MARKS: Final = 0.015


class LineTime(msgspec.Struct, frozen=True):
    """The time of one line, for a voice of this speed. `rate` is what is learned of the voice, None: nothing.
    `written_out`: numbers are made words before they are spoken, which are longer."""

    duration_s: float
    language: str
    speed: float = 1.0
    rate: SpeakingRate | None = None
    written_out: bool = False

    @property
    def most_characters(self) -> int:
        """How many are spoken in the time at a natural pace, about."""
        if self.rate is None:
            return budget(self.duration_s, self.language, self.speed)
        character_s = _LETTERS * self.rate.letter_s + _MARKS * self.rate.mark_s
        return max(4, round(self.duration_s * self.speed / character_s))

    def pace(self, text: str) -> float:
        """How many times faster than natural the text has to be spoken, as foreseen."""
        if self.written_out:
            text = normalized(text, self.language)
        if self.rate is None:
            return pace(text, self.most_characters)
        return self.rate.seconds(text) / self.speed / self.duration_s

    def surely(self, text: str) -> float:
        """The same, but the less is known of the voice the less is said of it."""
        return self.pace(text) * (1 - max(0.0, (self.rate.error if self.rate else 0.0) - _SURE))


def line_times(context: Context, lines: Sequence[Segment], choice: VoiceChoice, language: str) -> dict[str, LineTime]:
    """Of every line, for the voice that will speak it. Blocks: reads what is learned of the voices."""
    known: dict[tuple[str, str], tuple[SpeakingRate | None, bool]] = {}
    found = {}
    for line in lines:
        how = choice.of(line)
        if (how.voice, how.model) not in known:
            voice, voice_id = context.engines.voice(how.voice)
            book = RateBook(context.cache.parent / "rates", voice.name, voice_id, how.model, choice.language)
            rate = learned(book.takes().values())
            written_out = choice.normalize and not reads_numbers(voice, how.model)
            known[how.voice, how.model] = rate if rate.clips >= _ENOUGH else None, written_out
        duration_s = max(0.1, line.end_s - line.start_s)
        found[line.id] = LineTime(duration_s, language, how.speed, *known[how.voice, how.model])
    return found
