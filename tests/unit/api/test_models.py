"""Models over HTTP: what is offered, what is taken, and what a path is told."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.unit.api.serving import Server


def test_a_path_is_told_nothing_and_the_operators_default_can_be_sent_back(tmp_path: Path) -> None:
    data, own = tmp_path / "data", tmp_path / "own.pt"
    (data / "models").mkdir(parents=True)
    (data / "models" / "mine.pt").write_bytes(b"x")
    own.write_bytes(b"x")
    with Server(data, AUTODUBBER_MODEL=str(own)) as server, httpx.Client(base_url=server.url) as client:
        recognizer, reference = [
            engine
            for engine in client.get("/api/engines").json()["engines"]
            if engine["kind"] == "recognizer" and "whisper" in engine["name"]
        ]
        assert recognizer["models"] == reference["models"]
        assert recognizer["models"][0] | {"name": ""} == {
            "id": "mine.pt",
            "name": "",
            "ready": True,
            "size_bytes": 0,
            "max_characters": 0,
            "usd_per_character": None,
            "languages": [],
            "credits_per_character": 0.0,
        }
        assert client.get("/api/settings").json()["defaults"]["recognition"]["model"] == str(own)

        def asked(model: str) -> httpx.Response:
            return client.post("/api/jobs", files={"file": ("talk.mp4", b"no video")}, data={"model": model})

        told = {
            asked(path).text.replace(path, "PATH").partition('"request_id"')[0]
            for path in ("/etc/passwd", "/nowhere", "/proc/kmsg", "../models/mine.pt", f"{data}/app.sqlite3")
        }
        assert len(told) == 1 and '"code":"model_unknown"' in told.pop()
        for model in (str(own), "mine.pt", "tiny"):
            assert asked(model).status_code == 201, model
