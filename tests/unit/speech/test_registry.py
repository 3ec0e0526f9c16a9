"""Engines by name, and a server that stays light."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.domain.errors import DubError
from app.domain.problems.voices import ENGINE_UNKNOWN, VOICE_UNKNOWN
from app.domain.secret_names import Keys
from app.speech.engine_info import EngineInfo
from app.speech.registry import Registry, build_registry
from tests.doubles.elevenlabs import KEY, Double

pytestmark = pytest.mark.server


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return build_registry(models=tmp_path / "models", threads=1, elevenlabs_url="http://127.0.0.1:9")


async def test_every_engine_is_told_and_why_it_is_not_available(registry: Registry) -> None:
    infos = {info.name: info for info in await registry.infos()}
    assert set(infos) == {
        "faster-whisper",
        "openai-whisper",
        "espeak",
        "local",
        "neural",
        "ge2e",
        "elevenlabs",
        "openai",
        "scribe",
        "openai-transcription",
    }
    assert infos["openai-whisper"].kind == "recognizer" and infos["espeak"].availability.available
    assert not infos["elevenlabs"].availability.available and infos["elevenlabs"].availability.remedy
    await registry.close()


async def test_a_key_that_comes_with_the_request_brings_its_voices(tmp_path: Path) -> None:
    async with Double() as double:
        registry = build_registry(models=tmp_path, elevenlabs_url=double.url)
        without, with_key = await registry.all_voices(), await registry.all_voices(Keys({"elevenlabs": KEY}))
        assert {voice.engine for voice in without} == {"espeak", "local", "neural"}
        assert {voice.engine for voice in with_key} == {"espeak", "local", "neural", "elevenlabs"}
        infos = {info.name: info for info in await registry.infos(Keys({"elevenlabs": KEY}))}
        assert infos["elevenlabs"].availability.available and len(infos["elevenlabs"].models) == 4
        await registry.close()


def test_names_that_are_none_are_refused(registry: Registry) -> None:
    voice, voice_id = registry.voice("espeak:en-us+f3")
    assert (voice.name, voice_id) == ("espeak", "en-us+f3")
    for name, problem in (
        ("espeak", VOICE_UNKNOWN),
        ("espeak:", VOICE_UNKNOWN),
        ("nobody:x", ENGINE_UNKNOWN),
    ):
        with pytest.raises(DubError) as caught:
            registry.voice(name)
        assert caught.value.problem is problem
    with pytest.raises(DubError) as caught:
        registry.recognizer("nobody")
    assert caught.value.problem is ENGINE_UNKNOWN
    assert registry.recognizer("openai-whisper").name == "openai-whisper"


def test_nothing_heavy_is_imported_with_the_registry() -> None:
    code = "import sys, app.speech.registry; print(*sys.modules)"
    loaded = set(
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    )
    assert not loaded & {
        "torch",
        "whisper",
        "ctranslate2",
        "tokenizers",
        "numpy",
        "elevenlabs",
        "onnxruntime",
        "faster_whisper",
        "httpx",
        "av",
        "scipy",
        "pydantic",
    }


async def test_the_model_that_tells_speakers_apart_is_among_the_engines_with_whether_it_is_here(tmp_path: Path) -> None:
    async def told() -> EngineInfo:
        return next(one for one in await build_registry(models=tmp_path).infos() if one.kind == "diarizer")

    absent = await told()
    assert (absent.name, absent.licence, absent.availability.available) == ("ge2e", "Apache-2.0", True)
    assert (absent.models[0].ready, absent.models[0].size_bytes) == (False, 17_090_379)
    (tmp_path / "speakers").mkdir()
    (tmp_path / "speakers" / "ge2e.pt").write_bytes(b"of one's own")
    assert (await told()).models[0].ready
