"""A line that needs another pace is spoken at it: what is left to stretch is little, and nothing is bought twice."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from app.domain.segment import Clip, Flag, Segment
from app.dubbing import pipeline
from app.dubbing.casting import VoiceChoice, spoken_lines
from app.dubbing.context import Context
from app.dubbing.pace import limits_of, spoken_to_fit, takes
from app.dubbing.speaking_rate import RateBook, Take, counted, learned
from app.speech.espeak.voice import EspeakVoice
from app.speech.ports import CostUnit, SpeechRequest, SpeedLimits, Spoken
from app.storage.blobs import FolderBlobs
from app.storage.workspace import Workspace
from app.system.children import Limits

RATE_HZ = 16_000
LETTER_S = 0.08


class Talker:
    """A voice that says a letter in LETTER_S, with silence around, and keeps to the speed that it is asked for."""

    name = "talker"
    needs_key = False
    speeds = SpeedLimits(0.7, 1.2)

    def __init__(self, cost_unit: CostUnit | None = None, *, obeys: bool = True) -> None:
        self.cost_unit, self._obeys, self.asked = cost_unit, obeys, list[SpeechRequest]()

    def fingerprint(self, request: SpeechRequest) -> str:
        return f"{request.text} {round(request.speed, 2) if self._obeys else 1}"

    async def check(self, request: SpeechRequest) -> None: ...

    async def prepare(self, request: SpeechRequest, on_progress: Any) -> None: ...

    async def limit(self, request: SpeechRequest) -> int:
        return 1

    async def speak(self, request: SpeechRequest, *_: object) -> Spoken:
        self.asked.append(request)
        speed = request.speed if self._obeys else 1.0
        seconds = counted(request.text)[0] * LETTER_S / speed
        sound = 8000 * np.sin(np.arange(round(seconds * RATE_HZ)) * 0.2)
        quiet = np.zeros(RATE_HZ // 5)
        pcm = np.concatenate([quiet, sound, quiet]).astype("<i2").tobytes()
        return Spoken(pcm, RATE_HZ, speed, 1.0 if self.cost_unit else 0.0)


def line(name: str, start_s: float, end_s: float, letters: int, **more: Any) -> Segment:
    text = "a" * letters
    return Segment(name, start_s, end_s, text, text, "", False, (), **more)


# 1.6 s of speech each: fits, and nobody compares its pace; needs 1.15; needs 1.6, of which the engine can 1.2
LINES = (
    line("fits", 0.0, 1.7, 20),
    line("tight", 6.0, 7.4, 20),
    line("calm", 7.46, 9.2, 20),
    line("rushed", 13.0, 13.94, 20),
    line("next", 14.0, 15.7, 20),
)


def context_of(folder: Path, voice: Any) -> Context:
    engines: Any = SimpleNamespace(voice=lambda name: (voice, "v"))
    return Context(
        FolderBlobs(folder / "blobs"), Workspace(folder / "work"), folder / "cache", engines, 1, Limits(), 3600.0
    )


async def dub(
    context: Context, lines: tuple[Segment, ...] = LINES, *, speed: float = 1.0
) -> tuple[dict[str, Clip], dict[str, Any]]:
    choice = VoiceChoice("talker:v", "", speed, "en")
    clips = await spoken_to_fit(context, lines, choice, 18.0, on_clip=lambda _: None, report=lambda *_: None)
    speeds = {each.id: speed for each in lines}
    placed = await pipeline.fit(context, lines, clips, speeds, 18.0)
    return {clip.segment_id: clip for clip in clips}, {each.segment_id: each for each in placed}


async def test_what_fits_is_spoken_once_and_what_does_not_at_the_pace_that_it_needs(tmp_path: Path) -> None:
    voice = Talker()
    clips, placed = await dub(context_of(tmp_path, voice))
    assert clips["fits"].pace == 1.0 and placed["fits"].rate == 1.0
    assert clips["tight"].pace > 1.05 and abs(placed["tight"].rate - 1) <= 0.03
    assert clips["rushed"].pace == 1.2, "the engine's limit"
    assert placed["rushed"].rate > 1.05, "the rest is stretched"
    assert len([each for each in voice.asked if each.text == LINES[0].text and each.speed == 1.0]) == 1


async def test_a_line_that_is_rushed_is_flagged_however_the_pace_was_got(tmp_path: Path) -> None:
    _, placed = await dub(context_of(tmp_path, Talker()))
    rushed = placed["rushed"]
    assert rushed.rate < 1.45 and rushed.rate * rushed.pace > 1.25 and Flag.SHORTEN in rushed.flags


async def test_a_locked_rate_is_left_to_the_person(tmp_path: Path) -> None:
    lines = (line("locked", 0.0, 1.0, 20, locked_rate=1.4), *LINES[1:])
    clips, placed = await dub(context_of(tmp_path, Talker()), lines)
    assert clips["locked"].pace == 1.0 and placed["locked"].rate == 1.4


async def test_an_engine_that_ignores_the_speed_is_not_asked_again(tmp_path: Path) -> None:
    voice = Talker(obeys=False)
    clips, _ = await dub(context_of(tmp_path, voice))
    assert len(voice.asked) == 1, "all lines are one text"
    assert {clip.pace for clip in clips.values()} == {1.0}


async def test_a_paid_line_is_asked_for_once_at_a_pace_that_was_foreseen(tmp_path: Path) -> None:
    voice = Talker(CostUnit("credit", None))
    context = context_of(tmp_path, voice)
    lines = tuple(line(f"l{n}", 1.6 * n, 1.6 * n + 1.5, 20 + n) for n in range(4))
    book = RateBook(tmp_path / "rates", "talker", "v", "", "en")
    book.remember({f"{n}": Take(20.0 + n, 0.0, (20.0 + n) * LETTER_S + 0.05) for n in range(40)})
    clips, placed = await dub(context, lines)
    assert len(voice.asked) == len({each.text for each in voice.asked}) == 4
    assert max(clip.pace for clip in clips.values()) > 1.0
    assert all(each.rate <= 1.051 for each in placed.values() if clips[each.segment_id].pace < 1.2)
    moved = tuple(line(each.id, each.start_s, each.start_s + 1.0, len(each.text)) for each in lines)
    await dub(context, moved)
    assert len(voice.asked) == 4, "what was bought at one pace is not bought at another"
    first = spoken_lines(lines, VoiceChoice("talker:v", "", 1.0, "en"), context.engines)[0]
    assert len(takes(context.blobs, first.voice, first.request)) == 1


async def test_the_wished_speed_and_the_pace_stay_within_what_the_engine_can(tmp_path: Path) -> None:
    voice = Talker()
    await dub(context_of(tmp_path, voice), speed=1.1)
    assert max(each.speed for each in voice.asked) == pytest.approx(1.2, abs=0.01)
    assert limits_of(voice, 1.2).max == 1.0 and limits_of(EspeakVoice(), 1.0).max == 1.5


def test_a_rate_is_learned_with_its_error_and_its_pauses() -> None:
    before = learned([])
    assert before.error == 0.15 and before.clips == 0
    texts = ["one two three", "one, two, three, four, five", "a longer sentence, with two pauses, and words", "Yes.",
             "And then they left the house", "No, never"]  # fmt: skip
    known = [Take(*counted(text), counted(text)[0] * 0.07 + counted(text)[1] * 0.3) for text in texts] * 5
    rate = learned(known)
    assert rate.letter_s == pytest.approx(0.07, rel=0.05) and rate.mark_s == pytest.approx(0.3, rel=0.15)
    assert rate.error < 0.06 and rate.seconds("one, two") == pytest.approx(6 * 0.07 + 0.3, rel=0.08)
    assert counted("你好\uff0c世界。") == (10.0, 1.0)


def test_a_book_keeps_the_newest_and_a_damaged_one_is_empty(tmp_path: Path) -> None:
    book = RateBook(tmp_path, "a", "b")
    book.remember({f"{n}": Take(1.0, 0.0, float(n)) for n in range(300)})
    assert len(book.takes()) == 200 and "299" in book.takes() and "0" not in book.takes()
    next(tmp_path.iterdir()).write_bytes(b"{")
    assert book.takes() == {}
