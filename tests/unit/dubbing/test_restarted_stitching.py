"""A server that was killed joins the lines that are left to the requests that spoke the others."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from app.domain.segment import Segment
from app.dubbing.casting import VoiceChoice, spoken_lines
from app.dubbing.synthesize import ClipMeta, clip_key, synthesize
from app.speech.elevenlabs.voice import ElevenLabsVoice
from app.speech.registry import Registry
from app.storage.blobs import bytes_of
from tests.doubles.elevenlabs import KEY, Double
from tests.doubles.elevenlabs.calls import Fault
from tests.unit.dubbing.test_disk_estimate import kit_on

TEXTS = ("One is here.", "Two is here.", "Three is here.")
LINES = [Segment(f"s{n}", 2.0 * n, 2.0 * n + 2, text, text, "", False, ()) for n, text in enumerate(TEXTS)]
CHOICE = VoiceChoice("elevenlabs:EnglishMale000000002", "", 1.0, "en")


@pytest.fixture
async def double() -> AsyncIterator[Double]:
    async with Double(tones=True) as running:
        yield running
        assert running.violations == []


async def speak(folder: Path, url: str, lines: list[Segment], key: str = KEY) -> None:
    """In a process of its own this is all that it does."""
    voice = ElevenLabsVoice(lambda: key, base_url=url, pause_s=0.01)
    context, _ = kit_on(folder, Registry((), (voice,)))
    await synthesize(context, lines, CHOICE, on_clip=lambda _: None, report=lambda *_: None)
    await voice.close()


async def killed_with_two_of_three(double: Double, folder: Path) -> None:
    """The lines before and after the second are there; the second was being bought."""
    await speak(folder, double.url, [LINES[0], LINES[2]])
    assert len(double.calls) == 2
    double.faults = [Fault("delay", text="Two", delay_s=60)]
    call = f"speak(pathlib.Path({str(folder)!r}), {double.url!r}, LINES)"
    code = f"import asyncio, pathlib; from {__name__} import *; asyncio.run({call})"
    double.called.clear()
    process = await asyncio.to_thread(
        subprocess.Popen, [sys.executable, "-c", code], cwd=Path(__file__).parents[3], stderr=subprocess.PIPE
    )
    await asyncio.wait_for(double.called.wait(), 30)
    process.kill()
    await asyncio.to_thread(process.communicate)
    double.faults.clear()


def spoken_by(double: Double) -> tuple[list[str], list[str], None, None]:
    """What a line between the two names."""
    ids = {call.text: f"request{call.number}" for call in double.calls}
    return [ids[TEXTS[0]]], [ids[TEXTS[2]]], None, None


def sides(double: Double) -> tuple[object, ...]:
    body = double.calls[-1].body
    return tuple(body.get(name) for name in ("previous_request_ids", "next_request_ids", "previous_text", "next_text"))


async def test_after_a_kill_the_line_is_joined_to_the_same_requests(double: Double, tmp_path: Path) -> None:
    await killed_with_two_of_three(double, tmp_path)
    before = sides(double)
    await speak(tmp_path, double.url, LINES)
    assert len(double.calls) == 4, "what was there is not bought again"
    assert sides(double) == before == spoken_by(double)


@pytest.mark.parametrize(("age_s", "joined"), [(3600.0, True), (7200.0, False), (-600.0, False)])
async def test_a_request_that_the_service_has_forgotten_is_not_named(
    age_s: float, joined: bool, double: Double, tmp_path: Path
) -> None:
    await speak(tmp_path, double.url, [LINES[0], LINES[2]])
    aged(tmp_path, age_s)
    await speak(tmp_path, double.url, LINES)
    assert sides(double) == (spoken_by(double) if joined else (None, None, TEXTS[0], TEXTS[2]))


async def test_a_request_of_another_account_is_not_named(double: Double, tmp_path: Path) -> None:
    await speak(tmp_path, double.url, [LINES[0], LINES[2]])
    double.keys.append("sk_another")
    await speak(tmp_path, double.url, LINES, "sk_another")
    assert sides(double) == (None, None, TEXTS[0], TEXTS[2])


def aged(folder: Path, age_s: float) -> None:
    """The clips, as if they had been spoken so long ago."""
    voice = ElevenLabsVoice(lambda: KEY)
    context, _ = kit_on(folder, Registry((), (voice,)))
    for each in spoken_lines([LINES[0], LINES[2]], CHOICE, context.engines):
        name = f"{clip_key(each.voice, each.request)}.json"
        meta = msgspec.json.decode(bytes_of(context.blobs, name), type=ClipMeta)
        assert meta.by is not None and KEY not in bytes_of(context.blobs, name).decode()
        by = msgspec.structs.replace(meta.by, at=time.time() - age_s)
        context.blobs.put(name, msgspec.json.encode(msgspec.structs.replace(meta, by=by)))
