"""The life of a server process: light at import, alone on its folder, quick to answer and to stop, dead with its parent."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import httpx

from tests.unit.api.serving import Server, seed_job

HEAVY = ("torch", "whisper", "numpy", "scipy", "av", "elevenlabs", "dbos", "onnxruntime", "faster_whisper", "httpx", "prometheus_client")


def test_the_server_is_light_at_import() -> None:
    code = f"import sys, app.server, app.rooms; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"


def test_a_second_server_on_the_same_folder_stops_with_one_line(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as first:
        second = Server(tmp_path / "data")
        environment = {"AUTODUBBER_DATA": str(tmp_path / "data"), "AUTODUBBER_PORT": str(second.port), "PATH": "/usr/bin:/bin"}
        done = subprocess.run([sys.executable, "-m", "app.cli", "serve"], env=environment, capture_output=True, text=True, timeout=30)
        assert done.returncode != 0
        assert "Traceback" not in done.stderr
        assert [line for line in done.stderr.splitlines() if "another" in line and str(tmp_path / "data") in line]
        assert httpx.get(f"{first.url}/health/live").status_code == 200


def test_a_killed_server_leaves_nothing_running_and_its_folder_free(tmp_path: Path) -> None:
    job_id = seed_job(tmp_path / "data", {})
    server = Server(tmp_path / "data").start()
    server.kill()
    with Server(tmp_path / "data") as again:
        assert httpx.get(f"{again.url}/api/jobs/{job_id}").json()["state"] == "completed"


def test_every_line_of_the_log_is_json_and_requests_carry_their_id(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        request_id = httpx.get(f"{server.url}/api/jobs").headers["x-request-id"]
        httpx.get(f"{server.url}/api/settings", headers={"xi-api-key": "sk_0123456789abcdef"})
    text = server.log.read_text()
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert [line for line in text.splitlines() if not line.startswith("{")] == [line for line in text.splitlines() if line.startswith("AutoDubber ")]
    assert [line["path"] for line in lines if line.get("request_id") == request_id] == ["/api/jobs"]
    assert "sk_0123456789abcdef" not in text
