"""The published voices themselves: every file is the one whose hash is known, and Whisper understands what they say."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import pytest

from app.speech.model_files import ModelFiles
from app.speech.neural.voice import NeuralVoices
from bench.sentences import SENTENCES
from bench.voices import heard_wrong, request

pytestmark = pytest.mark.real


@pytest.mark.parametrize(("voice", "language"), [("af_heart", "en"), ("en_US-joe-medium", "en")])
def test_what_is_said_is_understood_and_is_the_same_each_time(weights: Path, voice: str, language: str) -> None:
    texts = [text.replace(" |", "") for text in SENTENCES[language]]

    async def speak() -> list[bytes]:
        engine = NeuralVoices(ModelFiles(weights), threads=2)
        spoken = [await engine.speak(request(voice, text)) for text in [*texts, texts[0]]]
        await engine.close()
        asked = argparse.Namespace(model=weights / "whisper-base.pt", threads=2)
        assert await asyncio.to_thread(heard_wrong, asked, spoken[:-1], texts, language) <= 0.06
        return [each.pcm for each in spoken]

    sounds = asyncio.run(speak())
    assert sounds[0] == sounds[-1] and len(sounds[0]) > 2 * 22_050
