"""`autodubber health`: small, and exact about what fails."""

from __future__ import annotations

import http.server
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import msgspec
import pytest

from app.api.health import Check, HealthReport
from app.cli import health
from app.config.address import url_from_env, url_of
from app.config.settings import Settings
from app.system import exit_status
from app.system.exit_status import UsageError


@contextmanager
def answering(status: int, body: bytes) -> Iterator[str]:
    class Answer(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with http.server.HTTPServer(("127.0.0.1", 0), Answer) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_what_fails_is_named_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    checks = (
        Check("database", True, ""),
        Check("disk", False, "12 MB are free; 1024 MB must stay free."),
        Check("engine", False, "It starts."),
    )
    report = HealthReport(False, "1", 1.0, checks, {}, 0, 0)
    with answering(503, msgspec.json.encode(report)) as url:
        assert health.run(url) == exit_status.INTERNAL
    # a thread of another test may still log to a stream that is closed, and that is told here
    told = [line for line in capsys.readouterr().err.splitlines() if "line of the log" not in line]
    assert told == ["autodubber: not ready: disk: 12 MB are free; 1024 MB must stay free.; engine: It starts."]


def test_an_answer_that_is_not_autodubbers_is_told_by_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    with answering(404, b"<html>") as url:
        assert health.run(url) == exit_status.INTERNAL
    assert "status 404" in capsys.readouterr().err


def test_what_speaks_no_http_is_no_answer(capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            connection, _ = server.accept()
            with connection:
                connection.sendall(b"220 mail\r\n")
                connection.recv(1024)

        threading.Thread(target=greet, daemon=True).start()
        assert health.run(f"http://127.0.0.1:{server.getsockname()[1]}") == exit_status.INTERNAL
    assert "speaks no HTTP" in capsys.readouterr().err


def test_without_an_address_it_asks_where_the_settings_say(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AUTODUBBER_HOST", "AUTODUBBER_PORT"):
        monkeypatch.delenv(name, raising=False)
    assert url_from_env() == url_of(Settings().host, Settings().port)
    monkeypatch.setenv("AUTODUBBER_HOST", "::")
    monkeypatch.setenv("AUTODUBBER_PORT", "9000")
    assert url_from_env() == "http://[::1]:9000"
    monkeypatch.setenv("AUTODUBBER_PORT", "http")
    with pytest.raises(UsageError, match="AUTODUBBER_PORT"):
        url_from_env()


def test_it_loads_next_to_nothing() -> None:
    program = (
        "import sys; from app.cli.main import main; main(['health', '--url', 'http://127.0.0.1:9']); "
        "print(sorted(sys.modules))"
    )
    loaded = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert not [
        name
        for name in ("msgspec", "structlog", "asyncio", "http.client", "ssl", "email", "logging")
        if f"'{name}'" in loaded
    ]
