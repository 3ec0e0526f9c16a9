"""The published voices themselves: every file is the one whose hash is known, and Whisper understands what they say."""

from __future__ import annotations

import argparse
import asyncio
from pathlib import Path

import pytest

from app.dubbing.normalization.normalize import normalized
from app.speech.model_files import ModelFiles
from app.speech.neural.voice import NeuralVoices
from bench.sentences import SENTENCES
from bench.voices import heard, heard_wrong, request, words_of, wrong_words

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


NUMBERS = (
    "The trip was 42 km long and cost $3.50.",
    "In 1999 it rained on March 5 from 2:30 to 9:05.",
    "Dr. Miller has 1,500 books, which is 20% of them.",
)
CIFRAS = ("El viaje costó 3,50 € el 1 de mayo de 2024.", "La Sra. López recorrió 42 km en 2 h.")


@pytest.mark.parametrize(
    ("voice", "language", "lines"), [("af_heart", "en", NUMBERS), ("ef_dora", "es", CIFRAS)], ids=("en", "es")
)
def test_numbers_that_were_written_out_are_heard(
    weights: Path, voice: str, language: str, lines: tuple[str, ...]
) -> None:
    texts = [normalized(text, language) for text in lines]
    assert not any(c.isdecimal() for text in texts for c in text)

    async def speak() -> str:
        engine = NeuralVoices(ModelFiles(weights), threads=2)
        spoken = [await engine.speak(request(voice, text)) for text in texts]
        await engine.close()
        asked = argparse.Namespace(model=weights / "whisper-base.pt", threads=2)
        return await asyncio.to_thread(heard, asked, spoken, language)

    found = normalized(asyncio.run(speak()), language)  # the recogniser writes digits where it likes
    assert wrong_words(words_of(" ".join(texts)), words_of(found)) <= 0.06, found
