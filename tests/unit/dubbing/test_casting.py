"""Which voice, speed and level a line has, and that each engine speaks its own lines within its own limits."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from app.domain.glossary import Pronounced
from app.domain.secret_names import Keys
from app.domain.segment import Segment
from app.domain.speaker import Speaker
from app.dubbing.casting import LineVoice, VoiceChoice, spoken_lines
from app.dubbing.line_time import line_times
from app.dubbing.speaking_rate import learned
from app.dubbing.synthesize import clip_key, synthesize
from app.speech.elevenlabs.voice import ElevenLabsVoice
from app.speech.openai.voice import OpenAIVoice
from app.speech.ports import SpeechRequest, SpeedLimits, Spoken, reads_numbers
from app.speech.registry import build_registry
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

    cost_unit = None

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


def asked_of(voice: str, folder: Path, *, normalize: bool = True) -> list[tuple[str, str, str]]:
    lines = [replace(line(0), text="It cost $5."), replace(line(1), text="In 1999, [[x]] B2.")]
    choice = VoiceChoice(
        voice, "", 1.0, "en", normalize=normalize, pronounced=(Pronounced("B2", "", "b'i:"), Pronounced("x", "3 x", ""))
    )
    found = spoken_lines(lines, choice, build_registry(models=folder))
    assert [each.line.text for each in found] == [each.text for each in lines], "lines and subtitles keep their numbers"
    return [(each.request.text, each.request.previous_text, each.request.next_text) for each in found]


WRITTEN, SAID = (
    ("It cost $5.", "In 1999, [[3 x]] B2."),
    ("It cost five dollars.", "In nineteen ninety-nine, [[three x]] B2."),
)


@pytest.mark.parametrize(
    ("voice", "normalize", "first", "second"),
    [
        ("local:auto", True, *SAID),
        ("neural:af_heart", True, *SAID),
        ("openai:any", True, *SAID),
        ("neural:af_heart", False, *WRITTEN),
        ("elevenlabs:EnglishMale000000002", True, WRITTEN[0], "In 1999, [[x]] B2."),
    ],
)
def test_numbers_are_written_out_for_voices_that_do_not_do_it_themselves(
    voice: str, normalize: bool, first: str, second: str, tmp_path: Path
) -> None:
    assert asked_of(voice, tmp_path, normalize=normalize) == [(first, "", second), (second, first, "")]


def test_services_that_read_numbers_get_numbers_and_their_fast_models_get_words(tmp_path: Path) -> None:
    eleven, openai = ElevenLabsVoice(lambda: None), OpenAIVoice("https://api.openai.com/v1")
    assert reads_numbers(eleven, "") and reads_numbers(eleven, "eleven_v3")
    assert not reads_numbers(eleven, "eleven_flash_v2_5")
    assert reads_numbers(openai, "tts-1") and not reads_numbers(OpenAIVoice("http://localhost:8880/v1"), "kokoro")


def test_the_words_name_the_clip_and_foresee_its_length(tmp_path: Path) -> None:
    engines = build_registry(models=tmp_path)
    context, _ = kit_on(tmp_path, engines)
    lines = [replace(line(0), text="It cost $1,234.56.")]
    words, digits = (VoiceChoice("espeak:en-us", "", 1.0, "en", normalize=normalize) for normalize in (True, False))
    (said,), (written,) = spoken_lines(lines, words, engines), spoken_lines(lines, digits, engines)
    assert clip_key(said.voice, said.request) != clip_key(written.voice, written.request)
    rate = learned(())
    assert rate.seconds(said.request.text) > 2 * rate.seconds(written.request.text)
    longer, shorter = (line_times(context, lines, choice, "en")["s0"] for choice in (words, digits))
    assert longer.pace(lines[0].text) > 2 * shorter.pace(lines[0].text)
