"""Engines, voices, keys, settings, health and the description of the interface."""

from __future__ import annotations

import time
from collections.abc import Iterator

import httpx
import pytest

from tests.unit.api.conftest import Seeded
from tests.unit.api.serving import Server
from tests.unit.api.studio import refused


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """A client of a server without jobs, whose settings are the defaults but for a key in its environment."""
    data = tmp_path_factory.mktemp("fresh") / "data"
    with (
        Server(data, ELEVENLABS_API_KEY="sk_environment_9876") as server,
        httpx.Client(base_url=server.url, timeout=30) as client,
    ):
        yield client


def test_engines_and_voices_are_listed(client: httpx.Client) -> None:
    engines = {engine["name"]: engine for engine in client.get("/api/engines").json()["engines"]}
    assert {"openai-whisper", "espeak", "elevenlabs"} <= set(engines)
    assert engines["espeak"]["availability"]["available"]
    assert not engines["elevenlabs"]["availability"]["available"]
    assert engines["elevenlabs"]["availability"]["remedy"]
    assert (engines["elevenlabs"]["cost_unit"]["name"], engines["espeak"]["cost_unit"]) == ("credit", None)
    assert engines["espeak"]["speeds"] == {"min": 0.7, "max": 1.2} and engines["openai-whisper"]["speeds"] is None
    voices = client.get("/api/voices", params={"engine": "espeak", "language": "es"}).json()["voices"]
    assert voices and all(voice["engine"] == "espeak" and voice["language"] in (None, "es") for voice in voices)
    assert client.get("/api/voices", params={"engine": "none"}).json() == {"voices": []}


def test_engines_without_a_public_library_say_so(client: httpx.Client) -> None:
    refused(client.get("/api/voices/shared", params={"engine": "espeak"}), 422, "no_library")
    refused(client.get("/api/voices/espeak/en/sample"), 422, "no_library")
    refused(client.get("/api/voices/neural/nobody/sample"), 422, "voice_unknown")
    sample = client.get("/api/voices/neural/af_heart/sample")
    assert sample.headers["content-type"] == "audio/ogg" and sample.content.startswith(b"OggS")
    refused(client.get("/api/voices/shared", params={"engine": "nobody"}), 422, "engine_unknown")
    refused(client.get("/api/voices/shared"), 401, "key_missing")
    refused(client.get("/api/voices/shared", params={"page": -1}), 400, "invalid_request")
    body = {"owner": "a", "id": "b", "name": "c"}
    refused(client.post("/api/voices/shared", json=body), 401, "key_missing")
    refused(client.post("/api/voices/shared", json=body | {"more": 1}), 400, "invalid_request")


def test_a_key_goes_in_and_never_comes_out(seeded: Seeded, client: httpx.Client) -> None:
    key = "sk_0123456789abcdefWXYZ"
    path = "/api/settings/keys/elevenlabs"
    assert client.get(path).json() == {"stored": False, "source": None, "last4": None}
    answers = [client.put(path, json={"key": key}), client.get(path), client.get("/api/settings")]
    assert answers[0].json() == {"stored": True, "source": "page", "last4": "WXYZ"}
    assert answers[2].json()["elevenlabs_key"]["last4"] == "WXYZ"
    keys = answers[2].json()["keys"]
    assert keys["elevenlabs"] == answers[2].json()["elevenlabs_key"]
    without = {engine for engine, status in keys.items() if not status["stored"]}
    assert without == {"chat", "libretranslate", "deepl", "openai", "openai-transcription"}
    for engine in ("espeak", "unheard-of"):  # the one takes no key, the other does not exist
        refused(client.put(f"/api/settings/keys/{engine}", json={"key": key}), 422, "engine_unknown")
    refused(client.put(path, json={"key": "short"}), 400, "invalid_request")
    refused(client.put(path, json={"key": "with space and\nline"}), 400, "invalid_request")
    assert client.delete(path).status_code == 204
    assert client.get(path).json()["stored"] is False
    assert all(key not in answer.text for answer in answers)
    assert key not in seeded.server.log.read_text()
    assert all(key.encode() not in file.read_bytes() for file in seeded.server.data.glob("app.sqlite3*"))


def test_an_environments_key_is_named_by_its_end(fresh: httpx.Client) -> None:
    answer = fresh.get("/api/settings/keys/elevenlabs").json()
    assert answer == {"stored": False, "source": "environment", "last4": "9876"}


def test_the_settings_tell_limits_and_defaults(fresh: httpx.Client) -> None:
    settings = fresh.get("/api/settings").json()
    assert settings["max_upload_bytes"] == 2 << 30
    assert settings["chunk_bytes"] == 50 << 20
    assert settings["defaults"]["voices"]["voice"] == "local:auto"


def test_health_tells_how_it_stands(seeded: Seeded, client: httpx.Client) -> None:
    deadline = time.monotonic() + 20
    while (ready := client.get("/health/ready")).status_code != 200:  # the engine is still launching
        assert time.monotonic() < deadline, ready.text
    assert {check["name"] for check in ready.json()["checks"]} == {"database", "storage", "disk", "ffmpeg", "engine"}
    assert client.get("/health/live").json() == {"status": "alive"}
    health = client.get("/health").json()
    assert health["jobs"]["completed"] >= 1


def test_the_interface_is_described_without_another_server(client: httpx.Client) -> None:
    document = client.get("/schema/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    assert {"application/json", "multipart/form-data"} == set(
        document["paths"]["/api/jobs"]["post"]["requestBody"]["content"]
    )
    assert set(document["paths"]["/ws/{job_id}"]["get"]["responses"]) == {"101", "400", "426"}
    for operations in document["paths"].values():
        for operation in operations.values():
            assert operation["description"], operation
            for status, response in operation["responses"].items():
                if status >= "400" and status != "503":
                    assert set(response["content"]) == {"application/problem+json"}
    page = client.get("/schema")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    assert "src=" not in page.text and 'id="quota_exceeded"' in page.text
