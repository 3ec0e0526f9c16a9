"""Which voice, speed and level a line has, and that each engine speaks its own lines within its own limits."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from app.domain.secret_names import Keys
from app.domain.segment import Segment
from app.domain.speaker import Speaker
from app.dubbing.casting import LineVoice, VoiceChoice
from app.dubbing.synthesize import synthesize
from app.speech.ports import SpeechRequest, SpeedLimits, Spoken
from tests.unit.dubbing.test_disk_estimate import kit_on

ANNA = Speaker("a", "Anna", 0, "two:anna", "big", 1.1, -3.0)
BEN = Speaker("b", "Ben", 1)
CHOICE = VoiceChoice("one:job", "small", 1.0, "en", (ANNA, BEN), Keys({"one": "key-1", "two": "key-2"}))


def line(n: int, speaker: str = "", **own: Any) -> Segment:
    return Segment(f"s{n}", n, n + 0.9, f"Line {n}.", f"Line {n}.", speaker, False, (), **own)


@pytest.mark.parametrize(
    ("said", "how"),
    [
        (line(0), LineVoice("one:job", "small", 1.0, 0.0)),
        (line(0, "b"), LineVoice("one:job", "small", 1.0, 0.0)),
        (line(0, "a"), LineVoice("two:anna", "big", 1.1, -3.0)),
        (line(0, "a", voice="two:other"), LineVoice("two:other", "big", 1.1, -3.0)),
        (line(0, "a", voice="one:other", speed=0.9, level_db=0.0), LineVoice("one:other", "", 0.9, 0.0)),
        (line(0, "gone"), LineVoice("one:job", "small", 1.0, 0.0)),
    ],
)
def test_what_is_chosen_for_a_line_wins_over_its_speaker_and_that_over_the_job(said: Segment, how: LineVoice) -> None:
    assert CHOICE.of(said) == how


class Engine:
    """Speaks as many at once as it is asked to, and notes how many those were, with which keys and which voices."""

    def __init__(self, name: str, width: int, speeds: SpeedLimits) -> None:
        self.name, self.width, self.speeds = name, width, speeds
        self.now = self.most = 0
        self.full = asyncio.Event()
        self.asked: list[SpeechRequest] = []
        self.prepared: list[str] = []

    def fingerprint(self, request: SpeechRequest) -> str:
        return f"{request.voice} {request.text} {request.speed}"

    async def check(self, request: SpeechRequest) -> None: ...

    async def prepare(self, request: SpeechRequest, on_progress: Any) -> None:
        self.prepared.append(request.voice)

    async def limit(self, request: SpeechRequest) -> int:
        return self.width

    async def speak(self, request: SpeechRequest, *_: object) -> Spoken:
        self.asked.append(request)
        self.now += 1
        self.most = max(self.most, self.now)
        if self.now == self.width:
            self.full.set()
        await self.full.wait()  # the first ones wait until there are as many as there may be
        await asyncio.sleep(0)
        self.now -= 1
        return Spoken(bytes(4410), 22_050, request.speed, 0.0)


async def test_engines_of_one_job_have_their_own_limits_and_keys(tmp_path: Path) -> None:
    one, two = Engine("one", 1, SpeedLimits(0.5, 2.0)), Engine("two", 3, SpeedLimits(0.9, 1.05))
    engines = SimpleNamespace(voice=lambda name: ({"one": one, "two": two}[name.partition(":")[0]], name[4:]))
    context, _ = kit_on(tmp_path, engines)
    lines = [line(n, "ab"[n % 2]) for n in range(12)] + [line(12, "b", voice="one:other"), line(13, "b")]
    clips = await synthesize(context, lines, CHOICE, on_clip=lambda _: None, report=lambda *_: None)
    assert [clip.segment_id for clip in clips] == [each.id for each in lines]
    assert (one.most, two.most) == (1, 3)
    assert {request.key for request in one.asked} == {"key-1"} and {request.key for request in two.asked} == {"key-2"}
    assert {request.speed for request in two.asked} == {1.05}, "the fit does what an engine cannot"
    assert (one.prepared, two.prepared) == (["job", "other"], ["anna"])
    assert [request.voice for request in one.asked][-1] == "other", "one voice after the other"
