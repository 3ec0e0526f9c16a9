"""The local voices can be heard before anything is downloaded."""

from __future__ import annotations

import asyncio
from pathlib import Path

import numpy as np
import pytest

from app.domain.errors import DubError
from app.media.decode import audio_blocks
from app.speech.model_files import ModelFiles
from app.speech.neural.catalogue import published
from app.speech.neural.voice import NeuralVoices
from app.speech.registry import build_registry

KOKORO = [voice.id for voice in published() if voice.family == "kokoro"]


@pytest.mark.parametrize("voice", KOKORO)
async def test_every_kokoro_voice_has_a_sample_that_is_heard(voice: str, tmp_path: Path) -> None:
    kind, data = await NeuralVoices(ModelFiles(tmp_path)).sample(voice)
    assert kind == "audio/ogg" and len(data) < 12_000
    path = tmp_path / "sample.opus"
    path.write_bytes(data)
    sound = await asyncio.to_thread(lambda: np.concatenate(list(audio_blocks(path, 0))))
    assert 1.0 < len(sound) / 48_000 < 4.0 and np.abs(sound).max() > 0.05


async def test_they_are_told_with_the_voices_and_are_small_in_all(tmp_path: Path) -> None:
    engine = NeuralVoices(ModelFiles(tmp_path))
    urls = {voice.id: voice.preview_url for voice in await engine.voices()}
    assert urls["af_heart"] == "/api/voices/neural/af_heart/sample" and urls["en_US-joe-medium"] is None
    assert sum([len((await engine.sample(voice))[1]) for voice in KOKORO]) < 400_000


async def test_a_voice_without_a_sample_and_an_unknown_one_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "piper").mkdir()
    registry = build_registry(models=tmp_path)
    for engine, voice, code in (
        ("neural", "en_US-joe-medium", "preview_unavailable"),
        ("neural", "../samples/af_heart", "voice_unknown"),
        ("espeak", "en-us", "no_library"),
        ("nobody", "x", "engine_unknown"),
    ):
        with pytest.raises(DubError) as error:
            await registry.sampled(engine).sample(voice)
        assert error.value.problem.code == code
