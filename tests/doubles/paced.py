"""Engines with known costs: a recogniser that hands over a chunk of lines at a time, a translator and a voice. What
each waits for before it answers is given; what was asked is noted."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from app.domain.segment import Segment
from app.domain.spending import Charge
from app.speech.ports import (
    Availability,
    CostUnit,
    EngineInfo,
    Recognised,
    RecognitionRequest,
    SpeechRequest,
    SpeedLimits,
    Spoken,
    VoiceInfo,
)
from app.spending.paying import paying
from app.translation.ports import TranslationRequest, TranslatorState, Wordings
from tests.doubles.translators import word_by_word

Wait = Callable[[int], Awaitable[None]]  # of the number of the chunk, request or line
RATE_HZ = 8_000


async def at_once(number: int) -> None:
    """Without waiting."""


def after(seconds: float) -> Wait:
    async def wait(number: int) -> None:
        await asyncio.sleep(seconds)

    return wait


def lines(count: int, each_s: float = 3.0) -> list[Segment]:
    """Sentences one after the other, with pauses between them."""
    parts = [consonant + vowel for consonant in "bdfgklmnprstvz" for vowel in "aeiou"]
    names = [first + second for first in parts for second in parts]
    texts = [f"This is the sentence {name} of the film." for name in names[:count]]
    return [
        Segment(f"line{n:05}", n * each_s + 0.2, (n + 1) * each_s - 0.4, text, text, "", False, ())
        for n, text in enumerate(texts)
    ]


class Recogniser:
    """Hands over `chunk` lines at a time; `wait` comes before each chunk."""

    name = "paced"
    key_name = ""
    cost_unit = None

    def __init__(self, found: Sequence[Segment], *, chunk: int = 10, wait: Wait = at_once) -> None:
        self._found, self._chunk, self._wait = found, chunk, wait
        self.done = asyncio.Event()

    async def info(self, key: str | None = None) -> EngineInfo:
        return EngineInfo(self.name, "recognizer", "Paced", False, Availability(True, "", ""), ())

    def check_model(self, model: str) -> None:
        """Any is fine."""

    def charge(self, model: str, length_s: float) -> None:
        """It costs nothing."""

    async def transcribe(self, request: RecognitionRequest, on_event: Callable[[Any], None]) -> str:
        left = [line for line in self._found if line.start_s >= request.resume_at_s]
        for number, at in enumerate(range(0, len(left), self._chunk)):
            await self._wait(number)
            some = left[at : at + self._chunk]
            # a pause follows, so that no sentence waits for the next chunk
            on_event(Recognised(tuple(some), "en", some[-1].end_s + 0.4))
        self.done.set()
        return "en"

    async def close(self) -> None:
        """Nothing is open."""


class Translator:
    """Turns the letters of words around."""

    name = "paced"
    title = "Paced"
    needs_key = takes_key = False
    instructed = False
    model = ""

    def __init__(
        self, *, most_lines: int = 10, wait: Wait = at_once, fails: Callable[[str], bool] | None = None
    ) -> None:
        self.most_lines, self.most_bytes, self._wait = most_lines, 60_000, wait
        self._fails = fails or (lambda text: False)
        self.asked: list[TranslationRequest] = []

    def state(self, key: str | None = None) -> TranslatorState:
        return TranslatorState(True)

    def charge(self, request: TranslationRequest) -> Charge | None:
        return Charge(self.name, "", "character", sum(len(line.text) for line in request.lines), 0.0)

    async def quota_left(self, given: str | None = None) -> None:
        """It does not tell."""

    async def translate(self, request: TranslationRequest) -> Wordings:
        self.asked.append(request)
        async with paying(self.charge(request)) as bill:
            await self._wait(len(self.asked))
            bill.answered()
        return {line.number: (word_by_word(line.text),) for line in request.lines if not self._fails(line.text)}


class Talker:
    """A tone for each line, half a second and more by its characters; a credit for each character."""

    name = "paced"
    needs_key = False
    cost_unit: CostUnit | None = CostUnit("credit", None)

    def __init__(self, *, width: int = 1, wait: Wait = at_once, speeds: SpeedLimits = SpeedLimits(1.0, 1.0)) -> None:  # noqa: B008
        self.speeds, self._width, self._wait = speeds, width, wait
        self.said: list[str] = []
        self.spoke = asyncio.Event()
        self._places = asyncio.Semaphore(width)

    async def info(self, key: str | None = None) -> EngineInfo:
        return EngineInfo(self.name, "voice", "Paced", False, Availability(True, "", ""), ())

    async def voices(self, key: str | None = None) -> tuple[VoiceInfo, ...]:
        return ()

    async def check(self, request: SpeechRequest) -> None:
        """Any line is fine."""

    async def prepare(self, request: SpeechRequest, on_progress: Callable[[str], None]) -> None:
        """Nothing has to be there."""

    def fingerprint(self, request: SpeechRequest) -> str:
        return f"{request.voice} {request.speed:.2f} {request.text}"

    async def limit(self, request: SpeechRequest) -> int:
        return self._width

    async def speak(self, request: SpeechRequest, answer: Any = None) -> Spoken:
        self.said.append(request.text)
        cost = float(len(request.text))
        async with self._places, paying(Charge(self.name, "", "credit", cost)) as bill:
            await self._wait(len(self.said))
            bill.answered()
        self.spoke.set()
        length_s = 0.5 + len(request.text) * 0.04 / request.speed
        tone = (b"\x00\x20" * 20 + b"\x00\xe0" * 20) * round(RATE_HZ * length_s / 40)
        return Spoken(tone, RATE_HZ, request.speed, cost)

    async def close(self) -> None:
        """Nothing is open."""
