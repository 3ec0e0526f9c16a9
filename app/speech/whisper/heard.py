"""What a Whisper model hears in a chunk of sound, in the same form from either engine. No heavy imports."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

if TYPE_CHECKING:
    from app.speech.whisper.vad import Samples


class HeardWord(msgspec.Struct, frozen=True):
    """A word as Whisper writes it, with the space before it if it has one. Times are seconds of the chunk."""

    text: str
    start_s: float
    end_s: float
    probability: float


class Heard(msgspec.Struct, frozen=True):
    """A segment of Whisper's. Times are seconds of the chunk; `words` together are the text.

    `no_speech` is the probability that the window holds no speech, `log_probability` the average of the tokens',
    `compression` how many times shorter the text is when compressed.
    """

    start_s: float
    end_s: float
    text: str
    no_speech: float
    log_probability: float
    compression: float
    words: tuple[HeardWord, ...]


class Model(Protocol):
    """A loaded model. Both methods block and take float32 mono, (n,), -1..1, 16 kHz, at most 30 s."""

    device: str
    multilingual: bool

    def languages(self, samples: Samples) -> dict[str, float]:
        """The probability of each of Whisper's languages."""
        ...

    def transcribe(self, samples: Samples, language: str, task: str, prompt: str, speech_end_s: float) -> list[Heard]:
        """The segments with their words. `prompt` is text that is taken to have come before; there is no speech after
        `speech_end_s`. The same chunk always gives the same text."""
        ...


@contextlib.contextmanager
def own_segment_times(segments: Sequence[dict[str, Any]]) -> Iterator[None]:
    """The segments have the times that they have now when the block ends: both libraries put the words' in their
    place."""
    times = [(segment["start"], segment["end"]) for segment in segments]
    yield
    for segment, (start_s, end_s) in zip(segments, times, strict=True):
        segment["start"], segment["end"] = start_s, end_s
