"""doctor, openapi and health, as a person runs them."""

from __future__ import annotations

import http.server
import json
import socket
import threading
from pathlib import Path

import pytest

from app.cli import main as cli
from app.config.environment import load
from app.domain.secret_names import engine_key
from app.server.engines import known_key
from app.storage.database import migrate, open_database
from app.storage.secrets import SecretStore
from app.system import exit_status
from tests.unit.cli.test_dub import run


def test_doctor_finds_a_sound_machine_and_says_what_it_found(tmp_path: Path) -> None:
    done = run(tmp_path / "data", "doctor", "--json")
    report = json.loads(done.stdout)
    checks = {check["name"]: check for check in report["checks"]}
    assert done.returncode == exit_status.OK and report["ok"], report
    assert {
        "Python",
        "data folder",
        "disk",
        "memory",
        "ffmpeg",
        "ffmpeg libx264",
        "ffmpeg aac",
        "ffmpeg ass",
        "fonts",
        "Whisper",
    } <= set(checks)
    assert {"GPU", "page", "models", "recognizer openai-whisper", "voice espeak", "voice elevenlabs"} <= set(checks)
    assert not checks["voice elevenlabs"]["ok"] and "ELEVENLABS_API_KEY" in checks["voice elevenlabs"]["fix"]
    assert not (tmp_path / "data").exists(), "doctor changes nothing"


def test_doctor_names_the_fix_and_fails_when_something_needed_is_missing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run(tmp_path / "file" / "data", "doctor")
    assert done.returncode == exit_status.INTERNAL
    assert "FAIL data folder" in done.stdout and "fix: Make" in done.stdout


def test_the_schema_is_written_whole(tmp_path: Path) -> None:
    assert cli.main(["openapi", "-o", str(tmp_path / "schema.json")]) == exit_status.OK
    schema = json.loads((tmp_path / "schema.json").read_text())
    assert schema["openapi"].startswith("3.1") and "/api/jobs" in schema["paths"]


@pytest.mark.parametrize(("status", "expected"), [(200, exit_status.OK), (503, exit_status.INTERNAL)])
def test_health_asks_the_server_and_passes_its_word_on(
    status: int, expected: int, capsys: pytest.CaptureFixture[str]
) -> None:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status if self.path == "/base/health/ready" else 404)
            self.end_headers()
            self.wfile.write(b'{"ready": true}')

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        assert cli.main(["health", "--url", f"http://127.0.0.1:{server.server_port}/base/"]) == expected
        server.shutdown()
    assert capsys.readouterr().out == '{"ready": true}\n'


def test_health_says_when_nobody_answers(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert cli.main(["health", "--url", f"http://127.0.0.1:{unused.getsockname()[1]}"]) == exit_status.INTERNAL
    assert "no answer" in capsys.readouterr().err


def test_an_address_that_is_none_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["health", "--url", "localhost"]) == exit_status.USAGE
    assert "is no address" in capsys.readouterr().err


def test_a_key_entered_in_the_page_serves_the_command_line_too(tmp_path: Path) -> None:
    settings = load({"AUTODUBBER_DATA": str(tmp_path)})
    assert known_key(settings, "elevenlabs") is None
    assert list(tmp_path.iterdir()) == [], "looking makes nothing"
    database = open_database(settings.database_url)
    migrate(database)
    SecretStore(database, tmp_path / "secret.key").set(engine_key("elevenlabs"), "sk_page")
    database.dispose()
    assert known_key(settings, "elevenlabs") == "sk_page"
    assert known_key(load({"AUTODUBBER_DATA": str(tmp_path), "ELEVENLABS_API_KEY": "sk_env"}), "elevenlabs") == "sk_env"
