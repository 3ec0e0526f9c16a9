"""The engine of neural voices, with the smallest models that there can be in place of the published ones."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.domain.errors import DubError
from app.domain.problems.lines import TEXT_INVALID, TEXT_TOO_LONG
from app.domain.problems.recognition import MODEL_DAMAGED
from app.domain.problems.voices import VOICE_UNKNOWN
from app.speech.model_files import ModelFile, ModelFiles
from app.speech.neural import catalogue, voice
from app.speech.neural.voice import NeuralVoices
from app.speech.ports import SpeechRequest
from tests.doubles.models import ModelServer
from tests.doubles.onnx_model import KOKORO, PIPER, write_voice

JSON = (
    '{"audio": {"sample_rate": 16000}, "espeak": {"voice": "de"}, "language": {"family": "de"}, "phoneme_id_map": '
    '{"_": [0], "^": [1], "$": [2], ".": [3], "a": [90], "l": [100], "o": [110]}}'
)


def line(text: str = "Hallo.", *, voice: str = "thorsten", language: str = "de", speed: float = 1.0) -> SpeechRequest:
    return SpeechRequest(voice, "", text, language, speed, "", "", None)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A models folder with a Piper voice of the operator's own."""
    write_voice(tmp_path / "piper" / "thorsten.onnx", PIPER)
    (tmp_path / "piper" / "thorsten.onnx.json").write_text(JSON)
    return tmp_path


@pytest.fixture
async def engine(models: Path) -> AsyncIterator[NeuralVoices]:
    one = NeuralVoices(ModelFiles(models), threads=1)
    yield one
    await one.close()


async def refused(engine: NeuralVoices, request: SpeechRequest) -> str:
    with pytest.raises(DubError) as error:
        await engine.check(request)
        await engine.speak(request)
    return error.value.problem.code


async def test_a_voice_of_the_models_folder_is_offered_and_speaks(engine: NeuralVoices) -> None:
    [own] = [each for each in await engine.voices() if each.id == "thorsten"]
    assert own.language == "de" and own.engine == "neural"
    spoken = await engine.speak(line())
    # ^ _ h?a l o . with a pad after each, $
    assert spoken.sample_rate_hz == 16_000 and len(spoken.pcm) == 2 * 11
    assert spoken.speed == 1.0 and spoken.cost_credits == 0.0
    assert (await engine.speak(line())).pcm == spoken.pcm, "bit for bit"


async def test_sentences_are_spoken_one_by_one_with_a_pause(engine: NeuralVoices) -> None:
    one, two = await engine.speak(line()), await engine.speak(line("Hallo. Hallo."))
    assert len(two.pcm) > len(one.pcm) + 2 * 16_000 * 0.25


async def test_auto_is_a_voice_of_the_language_or_says_what_speaks_it(engine: NeuralVoices) -> None:
    assert engine.fingerprint(line(voice="auto")) == engine.fingerprint(line())
    assert "af_heart" in engine.fingerprint(line(voice="auto", language="en"))
    assert "ef_dora" in engine.fingerprint(line(voice="auto", language="es-MX"))
    with pytest.raises(DubError, match="espeak:auto"):
        await engine.check(line(voice="auto", language="hu"))


async def test_what_cannot_be_spoken_is_refused_before_anything_is_downloaded(engine: NeuralVoices) -> None:
    assert await refused(engine, line(voice="nobody")) == VOICE_UNKNOWN.code
    assert await refused(engine, line("…")) == TEXT_INVALID.code
    assert await refused(engine, line("a" * 5001)) == TEXT_TOO_LONG.code


async def test_a_damaged_model_is_named(engine: NeuralVoices, models: Path) -> None:
    (models / "piper" / "thorsten.onnx").write_bytes(b"no model")
    assert await refused(engine, line()) == MODEL_DAMAGED.code


async def test_another_file_is_another_clip(engine: NeuralVoices, models: Path) -> None:
    before = engine.fingerprint(line())
    shutil.copy(models / "piper" / "thorsten.onnx", models / "copy")
    (models / "piper" / "thorsten.onnx").write_bytes((models / "copy").read_bytes() + b"\0")
    assert engine.fingerprint(line()) != before
    assert engine.fingerprint(line(speed=1.2)) != engine.fingerprint(line())


async def test_a_published_voice_is_downloaded_when_it_is_first_needed(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_voice(models / "k.onnx", KOKORO)
    files = {"k.onnx": (models / "k.onnx").read_bytes(), "v.bin": bytes(510 * 256 * 4)}
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    wanted = (
        ModelFile("kokoro/k.onnx", "https://models.invalid/k.onnx", sums["k.onnx"], len(files["k.onnx"])),
        ModelFile("kokoro/voices/v.bin", "https://models.invalid/v.bin", sums["v.bin"], len(files["v.bin"])),
    )
    one = catalogue.NeuralVoice("v", "V", "kokoro", "en-us", "en", "female", "A", "Apache-2.0", wanted)
    monkeypatch.setattr(voice, "published", lambda: (one,))
    async with ModelServer(files) as server:
        engine = NeuralVoices(ModelFiles(models / "new"), url=server.template, threads=1)
        [model] = (await engine.info()).models
        assert not model.ready and model.languages == ("en",)
        told: list[str] = []
        await engine.prepare(line("Hello.", voice="v", language="en"), told.append)
        assert told[-1].startswith("voice v.bin: 1 of 1 MB") and len(server.ranges) == 2
        spoken = await engine.speak(line("Hello.", voice="v", language="en"))
        assert len(server.ranges) == 2, "it is there now"
        await engine.close()
    assert spoken.sample_rate_hz == 24_000
    assert (await engine.info()).models[0].ready


def test_the_pace_is_asked_for_so_that_it_is_got() -> None:
    heart = next(each for each in catalogue.published() if each.id == "af_heart")
    assert heart.asked_speed(1.0) == 1.0
    assert heart.asked_speed(1.22) == pytest.approx(1.3) and heart.asked_speed(0.675) == pytest.approx(0.7)
    asked = [heart.asked_speed(speed / 100) for speed in range(70, 151)]
    assert asked == sorted(asked) and asked[-1] <= 1.5


def test_every_published_voice_has_its_files_and_hashes() -> None:
    voices = catalogue.published()
    assert len({each.id for each in voices}) == len(voices) == 38
    assert {each.iso for each in voices} == {"en", "es", "fr", "it", "pt"}
    for file in (file for each in voices for file in each.files):
        assert len(file.sha256) == 64 and file.size_bytes and file.url.startswith("https://")
