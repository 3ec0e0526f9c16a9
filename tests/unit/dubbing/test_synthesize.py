"""What an engine has been paid for is never bought again, whatever happens between its last byte and the clip."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.dubbing.mixing.cache_file import sealed
from app.dubbing.synthesize import StoredAnswer, clip_key, speak
from app.speech.elevenlabs.audio import Received
from app.speech.elevenlabs.voice import ElevenLabsVoice
from app.speech.ports import SpeechRequest
from app.storage.blobs import FolderBlobs
from tests.doubles.elevenlabs import KEY, Double
from tests.doubles.elevenlabs.calls import Fault

LINE = SpeechRequest("EnglishMale000000002", "", "Welcome to the workshop.", "en", 1.0, "", "", None)


@pytest.fixture
async def double() -> AsyncIterator[Double]:
    async with Double(tones=True) as running:
        yield running


@pytest.fixture
async def voice(double: Double) -> AsyncIterator[ElevenLabsVoice]:
    engine = ElevenLabsVoice(lambda: KEY, base_url=double.url, pause_s=0.01, deadline_s=5)
    yield engine
    await engine.close()


@pytest.fixture
def blobs(tmp_path: Path) -> FolderBlobs:
    return FolderBlobs(tmp_path / "blobs")


def answers(blobs: FolderBlobs) -> list[str]:
    return [entry.key for entry in blobs.entries() if entry.key.startswith("answers/")]


async def test_an_answer_whose_clip_could_not_be_stored_is_used_the_next_time(
    tmp_path: Path, blobs: FolderBlobs, voice: ElevenLabsVoice, double: Double
) -> None:
    in_the_way = tmp_path / "blobs" / "clips"
    in_the_way.write_bytes(b"")
    with pytest.raises(OSError):
        await speak(blobs, voice, LINE)
    assert len(answers(blobs)) == 1
    in_the_way.unlink()
    key, meta = await speak(blobs, voice, LINE)
    assert len(double.calls) == 1 and meta.cost_credits == double.calls[0].charged
    assert meta.duration_s == pytest.approx(len(LINE.text) / 15, abs=0.01)
    assert blobs.exists(f"{key}.wav") and answers(blobs) == []


async def test_half_an_answer_is_none(blobs: FolderBlobs, voice: ElevenLabsVoice, double: Double) -> None:
    answer = StoredAnswer(blobs, clip_key(voice, LINE))
    whole = sealed(Received({"content-type": "audio/pcm"}, b"\1\0" * 50_000).packed())
    for damaged in (b"", whole[:-1], whole[:40] + b"\7" + whole[41:]):
        blobs.put(f"answers/{clip_key(voice, LINE).rpartition('/')[2]}.raw", damaged, synced=False)
        assert answer.load() is None
    await speak(blobs, voice, LINE)
    assert len(double.calls) == 1 and answers(blobs) == []


async def test_a_kept_answer_that_is_no_sound_is_asked_for_again(
    blobs: FolderBlobs, voice: ElevenLabsVoice, double: Double
) -> None:
    StoredAnswer(blobs, clip_key(voice, LINE)).keep(Received({"content-type": "text/html"}, b"<html>").packed())
    await speak(blobs, voice, LINE)
    assert len(double.calls) == 1 and answers(blobs) == []


async def test_a_second_answer_takes_the_place_of_the_first(
    blobs: FolderBlobs, voice: ElevenLabsVoice, double: Double
) -> None:
    double.faults.append(Fault("silence"))
    await speak(blobs, voice, LINE)
    assert [call.fault for call in double.calls] == ["silence", ""]
    assert answers(blobs) == []


async def test_an_answer_whose_clip_is_there_already_goes(
    blobs: FolderBlobs, voice: ElevenLabsVoice, double: Double
) -> None:
    key, _ = await speak(blobs, voice, LINE)
    # killed before it was forgotten
    StoredAnswer(blobs, key).keep(Received({"content-type": "audio/pcm"}, b"\1\0" * 50_000).packed())
    await speak(blobs, voice, LINE)
    assert len(double.calls) == 1 and answers(blobs) == []
