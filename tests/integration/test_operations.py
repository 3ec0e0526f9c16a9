"""What an operator sees of a real job: the log, the access log, the metrics, the traces; and what nobody may ever see
there."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import connect

from tests.doubles import elevenlabs as double
from tests.doubles.otlp import Receiver, receiving
from tests.integration.running import Running

ENTERED = "sk_entered_in_the_page_0123456789abcdef"
QUERY = "sk_in_a_query_0123456789abcdef"
SECRETS = {
    "AUTODUBBER_METRICS_TOKEN": "metrics words of mine".replace(" ", "~"),
    "AUTODUBBER_BACKUP_PASSWORD": "correct horse battery staple",
    "AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE",
    "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    "ELEVENLABS_API_KEY": double.KEY,
}
OTLP_SECRET = "otlp header of mine"


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving(x_api_key=OTLP_SECRET) as receiver:
        yield receiver


@pytest.fixture
def service() -> Iterator[str]:
    with double.running() as url:
        yield url


@pytest.fixture
def watched(
    tmp_path: Path, whisper_checkpoint: Path, service: str, receiver: Receiver
) -> Iterator[Callable[..., Running]]:
    """Starts servers with every secret there is, tracing to the receiver; their standard error is a file of its own."""
    started: list[Running] = []

    def start(**environ: str) -> Running:
        running = Running(
            tmp_path / "data",
            AUTODUBBER_MODEL=str(whisper_checkpoint),
            AUTODUBBER_THREADS="1",
            AUTODUBBER_LOG_FILE=str(tmp_path / "file.log"),
            AUTODUBBER_TRUSTED_PROXIES="127.0.0.0/8",
            ELEVENLABS_BASE_URL=service,
            OTEL_EXPORTER_OTLP_ENDPOINT=receiver.url,
            OTEL_EXPORTER_OTLP_HEADERS=f"x-api-key={OTLP_SECRET.replace(' ', '%20')}",
            **SECRETS,
            **environ,
        )
        running.errors = tmp_path / "errors.log"
        started.append(running)
        return running.start()

    yield start
    for running in started:
        running.close()


def lines(server: Running) -> list[dict[str, Any]]:
    """Every line of standard output: JSON, all of them."""
    return [json.loads(line) for line in server.logged().splitlines()]


def everything_secret(server: Running) -> None:
    """Send secrets by every way there is: query, headers, bodies, paths, wrong requests."""
    client = server.client
    client.get(
        "/api/voices",
        params={"api_key": QUERY, "token": QUERY},
        headers={"Authorization": f"Bearer {QUERY}", "Cookie": f"session={QUERY}"},
    )
    client.get("/api/voices", headers={"xi-api-key": QUERY})
    client.get("/api/voices", headers={"X-Autodubber-Key": f"elevenlabs={QUERY}"})
    client.get("/api/voices", headers={"X-Autodubber-Key": QUERY})
    client.get("/metrics", headers={"Authorization": f"Bearer {QUERY}"})
    client.get("/metrics", params={"token": SECRETS["AUTODUBBER_METRICS_TOKEN"]})
    client.get(f"/download/{QUERY}/x")
    client.get(
        "/api/jobs",
        headers={
            "User-Agent": f"curl api_key={QUERY}",
            "X-Forwarded-For": f"{QUERY}\t1.2.3.4",
            "X-Request-Id": "no secret id",
        },
    )
    client.post(
        "/api/jobs", json={"upload_id": "x", "options": {"voice": 7, "key": QUERY}}, headers={"xi-api-key": QUERY}
    )
    client.put("/api/settings/keys/elevenlabs", json={"key": ENTERED})
    client.post("/api/jobs", content=f'{{"xi-api-key": "{QUERY}"', headers={"Content-Type": "application/json"})
    with (
        pytest.raises(Exception, match="HTTP 4"),
        connect(f"ws://127.0.0.1:{server.port}/ws/x?token={QUERY}", additional_headers={"Origin": "http://x.y"}),
    ):
        pass


def test_a_job_can_be_followed_in_the_log_the_metrics_and_the_traces(
    watched: Callable[..., Running], spoken_mp4: Path, receiver: Receiver, tmp_path: Path
) -> None:
    server = watched(AUTODUBBER_LOG_LEVEL="debug")
    forwarded = {"X-Forwarded-For": "203.0.113.7", "User-Agent": "A" * 500, "X-Request-Id": "the-request-of-mine"}
    upload = server.upload(spoken_mp4, filename="holiday in Rome.mp4")
    body = {
        "upload_id": upload,
        "options": {"review": False, "background": "replace", "voice": "elevenlabs:EnglishMale000000002"},
    }
    job_id = server.ok(server.client.post("/api/jobs", json=body, headers=forwarded))["id"]
    server.wait(job_id, "completed")
    server.download(job_id, "audio", tmp_path / "dub.m4a")
    everything_secret(server)
    token = {"Authorization": f"Bearer {SECRETS['AUTODUBBER_METRICS_TOKEN']}"}
    metrics = {
        s.name + str(sorted(s.labels.items())): s.value
        for f in text_string_to_metric_families(server.client.get("/metrics", headers=token).text)
        for s in f.samples
    }
    server.stop()

    # the log
    logged = lines(server)
    assert server.errors.read_text() == ""
    assert all({"timestamp", "level", "logger", "event"} <= line.keys() for line in logged)
    mine = [line for line in logged if line.get("job_id") == job_id]
    phases = [(line["event"], line["phase"]) for line in mine if line["event"].startswith("phase")]
    assert phases == [
        ("phase queued", "prepare"),
        ("phase begun", "prepare"),
        ("phase over", "prepare"),
        ("phase begun", "render"),
        ("phase over", "render"),
    ]
    done = [line["stage"] for line in mine if line["event"] == "stage done"]
    first = ["probe", "ingest", "transcribe", "speakers", "translate"]
    assert done == [*first, "separate", "synthesize", "fit", "mix", "mux"]
    assert {line["request_id"] for line in mine if line["event"] == "phase queued"} == {"the-request-of-mine"}
    (created,) = [
        line for line in logged if line.get("request_id") == "the-request-of-mine" and line["event"] == "request"
    ]
    assert (created["method"], created["path"], created["status"], created["client"]) == (
        "POST",
        "/api/jobs",
        201,
        "203.0.113.7",
    )
    assert created["user_agent"] == "A" * 120 and created["received_bytes"] == len(
        json.dumps(body, separators=(",", ":"))
    )
    sent = [line for line in logged if line.get("path") == f"/download/audio/{job_id}"]
    assert [(line["sent_bytes"], line["job_id"]) for line in sent] == [((tmp_path / "dub.m4a").stat().st_size, job_id)]
    # 1011 is what this client says when it is left in the middle of a loop
    opened, closed = (
        next(line for line in mine if line["event"] == event) for event in ("socket opened", "socket closed")
    )
    assert (
        opened["path"] == f"/ws/{job_id}"
        and closed["code"] == 1011
        and closed["sent_bytes"] > 0
        and closed["seconds"] > 0
    )
    assert (
        sum(line["received_bytes"] for line in logged if line.get("upload_id") == upload) == spoken_mp4.stat().st_size
    )
    assert (tmp_path / "file.log").read_text() == server.logged()

    # the metrics
    assert (
        metrics["autodubber_jobs_finished_total[('code', ''), ('phase', 'render'), ('result', 'done'), ('stage', '')]"]
        == 1
    )
    assert metrics["autodubber_stage_seconds_count[('stage', 'mux')]"] == 1
    assert metrics[
        "autodubber_recognition_media_seconds_total[('device', 'cpu'), ('model', 'custom')]"
    ] == pytest.approx(16, abs=1)
    assert metrics["autodubber_recognition_realtime_factor[('device', 'cpu'), ('model', 'custom')]"] > 0
    assert metrics["autodubber_speech_calls_total[('engine', 'elevenlabs'), ('result', 'ok')]"] == 4
    assert metrics["autodubber_speech_characters_total[('engine', 'elevenlabs')]"] > 80
    assert metrics["autodubber_speech_credits_total[('engine', 'elevenlabs')]"] > 0
    assert metrics["autodubber_clip_lookups_total[('result', 'miss')]"] == 4
    assert metrics["autodubber_uploaded_bytes_total[]"] >= spoken_mp4.stat().st_size
    assert metrics["autodubber_downloaded_bytes_total[]"] == (tmp_path / "dub.m4a").stat().st_size
    assert metrics["autodubber_child_processes[]"] == 0 and metrics["autodubber_child_processes_started_total[]"] > 0

    # the traces
    (request,) = [
        span
        for span in receiver.named("POST /api/jobs")
        if span.attributes["autodubber.request_id"] == "the-request-of-mine"
    ]
    (prepare,), (render,) = receiver.named("phase prepare"), receiver.named("phase render")
    assert request.links == ((prepare.trace, prepare.id),) and prepare.links == ((render.trace, render.id),)
    stages = {span.name: span for span in receiver.spans if span.name.startswith("stage ")}
    assert {span.parent for span in stages.values()} == {prepare.id, render.id} and len(stages) == 10
    assert {span.parent for span in receiver.named("speak")} == {stages["stage synthesize"].id} and len(
        receiver.named("speak")
    ) == 4
    assert receiver.faults == []

    # what nobody may see
    outputs = {
        "the log": server.logged(),
        "standard error": server.errors.read_text(),
        "the traces": receiver.raw.decode("latin-1"),
    }
    for secret in (QUERY, ENTERED, OTLP_SECRET, *SECRETS.values()):
        for name, text in outputs.items():
            assert secret not in text and json.dumps(secret)[1:-1] not in text, f"{secret} is in {name}"
    for private in ("holiday", "workshop", "wooden table", str(spoken_mp4)):
        assert private not in outputs["the traces"]


def test_people_get_the_same_without_secrets_and_without_forged_lines(watched: Callable[..., Running]) -> None:
    server = watched(AUTODUBBER_LOG_FORMAT="console", AUTODUBBER_LOG_LEVEL="debug")
    server.client.get("/api/jobs/x%0a2026-01-01T00:00:00Z%20%5Bcritical%5D%20forged%1b%5B2J")
    everything_secret(server)
    server.stop()
    text = server.logged()
    assert r"x\\n2026-01-01T00:00:00Z [critical] forged\\x1b[2J" in text
    assert not [line for line in text.splitlines() if "forged" in line and not line.startswith("20")]
    assert all(line.isprintable() for line in text.splitlines())
    assert f"answers on {server.url}" in server.errors.read_text()
    for secret in (QUERY, ENTERED, OTLP_SECRET, *SECRETS.values()):
        assert secret not in text + server.errors.read_text()


def test_a_path_with_newlines_is_one_line_of_json_and_the_access_log_can_be_off(
    watched: Callable[..., Running],
) -> None:
    server = watched(AUTODUBBER_ACCESS_LOG="false")
    server.client.get("/api/jobs/x%0a%7b%22event%22:%22forged%22%7d")
    server.stop()
    assert not [line for line in lines(server) if line["event"] in ("request", "forged", "socket opened")]
    assert [line["event"] for line in lines(server)][-1] == "the server stops"


def test_a_receiver_that_is_silent_holds_neither_the_start_nor_the_stop_up(
    watched: Callable[..., Running], receiver: Receiver
) -> None:
    receiver.mode = "silent"
    server = watched()
    server.client.get("/api/jobs")
    receiver.wait_asked(1)
    assert server.stop() < 5
    assert server.process is not None and server.process.returncode == 0
    assert len([line for line in lines(server) if line["level"] != "info"]) <= 1


def test_lines_of_both_processes_are_rotated_in_the_file(watched: Callable[..., Running], tmp_path: Path) -> None:
    server = watched(AUTODUBBER_LOG_FILE_BYTES="2000", AUTODUBBER_LOG_FILE_KEEP="2", AUTODUBBER_LOG_LEVEL="debug")
    for _ in range(40):
        server.client.get("/api/jobs")
    server.stop()
    files = sorted(tmp_path.glob("file.log*"))
    assert [file.name for file in files] == ["file.log", "file.log.1", "file.log.2"]
    assert all(0 < file.stat().st_size < 3000 for file in files)  # the parent's few lines do not rotate
    assert {oct(file.stat().st_mode & 0o777) for file in files} == {"0o640"}
    kept = [line for file in reversed(files) for line in file.read_text().splitlines()]
    assert len(kept) == len(set(kept)) > 5 and set(kept) <= set(server.logged().splitlines())
    assert json.loads(kept[-1])["event"].startswith("Granian shutdown"), "the parent's last word"


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        (
            {"AUTODUBBER_LOG_FILE": "/proc/nothing/log"},
            r"the log file /proc/nothing/log cannot be written: No such file or directory",
        ),
        ({"AUTODUBBER_LOG_FILE": "/"}, r"the log file / cannot be written: Is a directory"),
        ({"AUTODUBBER_TRUSTED_PROXIES": "10.0.0.0/8,proxy"}, r"AUTODUBBER_TRUSTED_PROXIES: 'proxy' is no address"),
        ({"AUTODUBBER_METRICS_TOKEN": "two words"}, r"AUTODUBBER_METRICS_TOKEN: a token has"),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://me:mysecret@x"}, r"OTEL_EXPORTER_OTLP_ENDPOINT: it holds"),
        ({"OTEL_EXPORTER_OTLP_HEADERS": "mysecret"}, r"OTEL_EXPORTER_OTLP_HEADERS: entry 1"),
    ],
)
def test_a_wrong_setting_stops_the_start_with_one_line(tmp_path: Path, environ: dict[str, str], told: str) -> None:
    command = [sys.executable, "-m", "app", "serve", "--data", str(tmp_path / "data"), "--port", str(_free_port())]
    done = subprocess.run(command, env={"PATH": "/usr/bin:/bin", **environ}, capture_output=True, text=True, timeout=60)
    assert done.returncode in (2, 5) and done.stdout == ""
    assert re.match(rf"autodubber: {told}", done.stderr) and done.stderr.count("\n") == 1
    assert "mysecret" not in done.stderr and "two words" not in done.stderr


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
