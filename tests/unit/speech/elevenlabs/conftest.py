"""A double of ElevenLabs, and the engine that speaks to it."""

from collections.abc import AsyncIterator

import pytest

from app.speech.elevenlabs.voice import ElevenLabsVoice
from tests.doubles.elevenlabs import KEY, Double


@pytest.fixture
async def double() -> AsyncIterator[Double]:
    async with Double(tones=True) as running:
        yield running
        assert running.violations == []


@pytest.fixture
async def voice(double: Double) -> AsyncIterator[ElevenLabsVoice]:
    engine = ElevenLabsVoice(lambda: KEY, base_url=double.url, pause_s=0.01, deadline_s=5)
    yield engine
    await engine.close()
