"""What our voices say, Whisper understands: the proof that the sound is the text."""

import asyncio
from pathlib import Path

import numpy as np
import pytest

from app.domain.dub_options import Task
from app.speech.elevenlabs.voice import ElevenLabsVoice
from app.speech.espeak.voice import EspeakVoice
from app.speech.ports import Recognised, RecognitionProgress, RecognitionRequest, SpeechRequest, Spoken, Voice
from app.speech.whisper.models import ModelStore
from app.speech.whisper.recognizer import OpenAIWhisper
from tests.doubles.elevenlabs import KEY, running
from tests.unit.speech.conftest import write

pytestmark = pytest.mark.media

LINES = ("Welcome to the workshop.", "First, measure the length of the board.", "Thank you very much for watching.")


async def say(voice: Voice, voice_id: str, speed: float) -> list[Spoken]:
    return [await voice.speak(SpeechRequest(voice_id, "", text, "en", speed, "", "", None)) for text in LINES]


async def hear(spoken: list[Spoken], path: Path, checkpoint: Path) -> list[str]:
    import soxr

    silence = np.zeros(16_000, np.int16)
    pieces = [soxr.resample(np.frombuffer(one.pcm, "<i2"), one.sample_rate_hz, 16_000) for one in spoken]
    track = np.concatenate([part for piece in pieces for part in (silence, piece)] + [silence])
    found: list[str] = []

    def on_event(event: Recognised | RecognitionProgress) -> None:
        found.extend(segment.text for segment in event.segments) if isinstance(event, Recognised) else None

    request = RecognitionRequest(write(path, track), str(checkpoint), None, Task.TRANSCRIBE, len(track) / 16_000, 0.0)
    await OpenAIWhisper(ModelStore(path.parent, paths=True), threads=1, device="cpu").transcribe(request, on_event)
    return found


@pytest.mark.parametrize(("voice_id", "speed"), [("auto", 1.0), ("en-us+f2", 1.1)])
async def test_espeak_is_understood(voice_id: str, speed: float, whisper_checkpoint: Path, tmp_path: Path) -> None:
    assert await hear(await say(EspeakVoice(), voice_id, speed), tmp_path / "said.wav", whisper_checkpoint) == list(
        LINES
    )


def test_a_line_bought_from_the_double_in_its_own_process_is_understood(
    whisper_checkpoint: Path, tmp_path: Path
) -> None:
    with running() as url:

        async def buy() -> list[Spoken]:
            engine = ElevenLabsVoice(lambda: KEY, base_url=url)
            spoken = await say(engine, "EnglishMale000000002", 1.0)
            await engine.close()
            return spoken

        assert asyncio.run(hear(asyncio.run(buy()), tmp_path / "bought.wav", whisper_checkpoint)) == list(LINES)
