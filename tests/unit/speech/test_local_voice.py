"""The voice that the server chooses for a language: the best that is here or can be had, and why it is that one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.domain.errors import DubError
from app.domain.problems.recognition import MODEL_DOWNLOAD
from app.speech import local_voice
from app.speech.espeak.voice import EspeakVoice
from app.speech.local_voice import LocalVoice
from app.speech.model_files import ModelFiles
from app.speech.neural.voice import NeuralVoices
from app.speech.ports import SpeechRequest
from tests.doubles.onnx_model import PIPER, write_voice

JSON = (
    '{"audio": {"sample_rate": 16000}, "espeak": {"voice": "de"}, "language": {"family": "de"}, "phoneme_id_map": {}}'
)


def line(voice: str, language: str | None = "en") -> SpeechRequest:
    return SpeechRequest(voice, "", "a", language, 1.0, "", "", None)


def local(models: Path, *, downloads: bool = True, url: str = "") -> LocalVoice:
    return LocalVoice(NeuralVoices(ModelFiles(models), url=url, threads=1), EspeakVoice(), downloads=downloads)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A models folder with a German Piper voice."""
    write_voice(tmp_path / "piper" / "thorsten.onnx", PIPER)
    (tmp_path / "piper" / "thorsten.onnx.json").write_text(JSON)
    return tmp_path


@pytest.fixture
async def silent() -> AsyncIterator[str]:
    """A mirror that takes connections and never answers."""
    gone = asyncio.Event()

    async def wait(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await gone.wait()
        writer.close()

    server = await asyncio.start_server(wait, "127.0.0.1", 0)
    yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/{{sha256}}/{{file}}"
    gone.set()
    server.close()


def test_a_neural_voice_is_chosen_where_it_is_here(models: Path) -> None:
    found = local(models, downloads=False).chosen("de-AT")
    assert (found.voice, found.language, found.download_bytes) == ("neural:thorsten", "de", 0)
    assert "best" in found.reason


def test_a_neural_voice_is_chosen_where_it_can_be_downloaded_with_size_and_licence(models: Path) -> None:
    found = local(models).chosen("es")
    assert (found.voice, found.name, found.licence) == ("neural:ef_dora", "Dora", "Apache-2.0")
    assert 92e6 < found.download_bytes < 94e6
    assert local(models).chosen(None).voice == "neural:af_heart", "English where no language is known"


def test_espeak_is_chosen_only_where_there_is_no_neural_voice_and_says_so(models: Path) -> None:
    found = local(models).chosen("hu")
    assert (found.voice, found.licence, found.download_bytes) == ("espeak:auto", "", 0)
    assert found.reason == "There is no neural voice of this language."
    kept = local(models, downloads=False).chosen("es")
    assert kept.voice == "espeak:auto" and "this server downloads no voices" in kept.reason


def test_the_engines_speak_alike_whether_they_are_named_or_chosen(models: Path) -> None:
    engine = local(models, downloads=False)
    request = line("auto", "fr")
    assert engine.fingerprint(request) == EspeakVoice().fingerprint(request)


async def test_a_network_that_does_not_answer_costs_a_moment_once(
    models: Path, silent: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(local_voice, "_PROBE_S", 0.3)
    engine = local(models, url=silent)
    began_s = time.monotonic()
    with pytest.raises(DubError) as error:
        await engine.ready(line("af_heart"), lambda _: None)
    assert error.value.problem is MODEL_DOWNLOAD and time.monotonic() - began_s < 3
    engine.gives_up(error.value)
    assert engine.chosen("en").voice == "espeak:auto" and "did not answer in time" in engine.chosen("en").reason
    assert engine.chosen("de").voice == "neural:thorsten", "what is here needs no network"
    monkeypatch.setattr(local_voice.time, "monotonic", lambda: began_s + 700)
    assert engine.chosen("en").voice == "neural:af_heart", "after a while it is tried again"


async def test_the_list_of_voices_has_licence_and_download_of_each(models: Path) -> None:
    listed = {each.id: each for each in await NeuralVoices(ModelFiles(models), threads=1).voices()}
    assert listed["ef_dora"].licence == "Apache-2.0" and listed["ef_dora"].download_bytes > 92e6
    assert listed["thorsten"].download_bytes == 0
