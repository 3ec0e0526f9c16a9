"""The language is heard at several places of a recording, and its certainty is told."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from app.domain.dub_options import Task
from app.speech.ports import Recognised, RecognitionProgress, RecognitionRequest
from app.speech.whisper.heard import Heard
from app.speech.whisper.language import listen
from app.speech.whisper.models import ModelStore
from app.speech.whisper.recognizer import FasterWhisper
from app.speech.whisper.vad import Samples
from tests.unit.speech.conftest import Recording, read, write


class Fixed:
    """A model that hears the languages it is told to, place by place."""

    device, multilingual = "cpu", True

    def __init__(self, *answers: dict[str, float]) -> None:
        self.answers = list(answers)
        self.asked = 0

    def languages(self, samples: Samples) -> dict[str, float]:
        self.asked += 1
        return self.answers[min(self.asked, len(self.answers)) - 1]

    def transcribe(self, samples: Samples, language: str, task: str, prompt: str, speech_end_s: float) -> list[Heard]:
        raise AssertionError("the language is found before anything is written down")


@pytest.fixture(scope="module")
def minutes(clips: dict[str, Recording], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five and a half minutes: half a minute of Spanish, then English."""
    english = read(clips["en_60s"].path)
    samples = np.concatenate([read(clips["es_30s"].path), *[english] * 6])[: 330 * 16_000]
    return write(tmp_path_factory.mktemp("minutes") / "speech.wav", samples)


def no_one(_place: int, _places: int) -> None:
    pass


def test_places_that_agree_decide_early_and_surely(minutes: Path) -> None:
    model, told = Fixed({"es": 0.98, "en": 0.02}), []
    assert listen(model, minutes, 0.0, lambda place, places: told.append((place, places))) == (
        "es",
        pytest.approx(0.98),
    )
    assert model.asked == 3 and told == [(1, 5), (2, 5), (3, 5)]


def test_another_language_at_the_start_does_not_decide_but_makes_less_certain(minutes: Path) -> None:
    model = Fixed({"es": 0.9, "en": 0.1}, {"en": 0.95, "es": 0.05})
    found = listen(model, minutes, 0.0, no_one)
    assert found is not None and found[0] == "en" and 0.6 < found[1] < 0.9 and model.asked == 5


def test_a_short_recording_and_one_without_speech_are_not_asked_about(minutes: Path, tmp_path: Path) -> None:
    model = Fixed({"en": 1.0})
    assert listen(model, minutes, 250.0, no_one) is None
    quiet = write(tmp_path / "quiet.wav", np.zeros(130 * 16_000, np.int16))
    assert listen(model, quiet, 0.0, no_one) is None and model.asked == 0


def test_a_film_that_begins_in_another_language_is_recognised_in_its_own(
    minutes: Path, whisper_checkpoint: Path, tmp_path: Path
) -> None:
    heard: list[Recognised] = []
    told: list[str] = []

    def on_event(event: Recognised | RecognitionProgress) -> None:
        if isinstance(event, Recognised):
            heard.append(event)
        else:
            told.append(event.message)

    engine = FasterWhisper(ModelStore(tmp_path, paths=True), threads=1, device="cpu")
    asked = RecognitionRequest(minutes, str(whisper_checkpoint), None, Task.TRANSCRIBE, 330.0, 0.0)
    assert asyncio.run(engine.transcribe(asked, on_event)) == "en"
    assert {chunk.language for chunk in heard} == {"en"}
    assert all(chunk.certainty is not None and 0.5 < chunk.certainty < 0.95 for chunk in heard)
    assert "finding the language: place 2 of 5" in told
