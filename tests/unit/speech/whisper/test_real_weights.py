"""Whisper base itself, by both recognisers: the same words, for less with faster-whisper."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path
from typing import Any

import pytest

from app.domain.dub_options import Task
from app.speech.ports import Recognised, RecognitionProgress, RecognitionRequest
from app.speech.whisper.models import ModelStore
from app.speech.whisper.recognizer import FasterWhisper, OpenAIWhisper, WhisperRecognizer
from bench.recognition import apart, applause, level, melody, words_of, write, wrong_words
from tests.unit.speech.conftest import Compose, Recording

pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def by_engine(weights: Path, clips: dict[str, Recording]) -> dict[str, dict[str, Any]]:
    asked = asked_for(weights)
    apart(asked, "faster-whisper", clips["en_60s"].path)  # converts the checkpoint, which takes more memory
    return {name: apart(asked, name, clips["en_60s"].path) for name in ("faster-whisper", "openai-whisper")}


def asked_for(weights: Path) -> argparse.Namespace:
    return argparse.Namespace(model=weights / "whisper-base.pt", models=weights, threads=1, language="en")


def test_faster_whisper_costs_less_and_errs_no_more(
    by_engine: dict[str, dict[str, Any]], clips: dict[str, Recording]
) -> None:
    fast, reference = by_engine["faster-whisper"], by_engine["openai-whisper"]
    said = words_of(" ".join(text for _, text in clips["en_60s"].lines))
    wrong = {name: wrong_words(said, words_of(" ".join(run["texts"]))) for name, run in by_engine.items()}
    assert wrong["faster-whisper"] <= wrong["openai-whisper"] + 0.02, wrong
    assert fast["memory_mb"] <= 0.6 * reference["memory_mb"]
    assert 2.5 * fast["cpu_s"] <= reference["cpu_s"]


def test_progress_is_never_quiet_for_two_seconds(by_engine: dict[str, dict[str, Any]]) -> None:
    assert {name: run["quiet_s"] for name, run in by_engine.items() if run["quiet_s"] > 2.0} == {}


def test_applause_and_a_fiddle_give_no_lines(weights: Path, tmp_path: Path) -> None:
    for make in (applause, melody):
        path = write(tmp_path / "sound.wav", level(make(30 * 16_000, 1)))
        assert apart(asked_for(weights), "faster-whisper", path)["texts"] == []


@pytest.mark.parametrize("kind", [FasterWhisper, OpenAIWhisper], ids=lambda kind: kind.name)
def test_likely_words_are_written_as_they_were_given(
    kind: type[WhisperRecognizer], weights: Path, compose: Compose
) -> None:
    said = compose([(0.5, "We use auto dubber every day, and Kaycia likes it very much.", "en-us")], 6.0)

    async def texts(*hotwords: str) -> str:
        found: list[str] = []

        def on_event(event: Recognised | RecognitionProgress) -> None:
            if isinstance(event, Recognised):
                found.extend(line.text for line in event.segments)

        engine = kind(ModelStore(weights, paths=True), threads=1, device="cpu")
        asked = RecognitionRequest(
            said.path, str(weights / "whisper-base.pt"), "en", Task.TRANSCRIBE, 6.0, 0.0, hotwords=hotwords
        )
        await engine.transcribe(asked, on_event)
        return " ".join(found)

    assert "AutoDubber" not in asyncio.run(texts())
    assert "AutoDubber" in asyncio.run(texts("AutoDubber", "Kasia"))
