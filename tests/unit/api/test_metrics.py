"""/metrics: closed by default, guarded by a token, what Prometheus takes, and what the document lists."""

from __future__ import annotations

import contextlib
import re
import shutil
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest
from prometheus_client.parser import text_string_to_metric_families
from websockets.sync.client import connect

from app.api.metrics import _backup, may_read
from tests.unit.api.serving import Server, seed_job

ROOT = Path(__file__).parents[3]
TOKEN = "token-of_the.operator"
JOBS = 1000


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a token, many jobs and a backup."""
    data = tmp_path_factory.mktemp("metrics") / "data"
    seed_job(data, {})
    with contextlib.closing(sqlite3.connect(data / "app.sqlite3")) as database:
        columns = ",".join(
            row[1] for row in database.execute("PRAGMA table_info(jobs)") if row[1] not in ("id", "state", "phase")
        )
        copy = (
            f"INSERT INTO jobs (id, state, phase, {columns}) SELECT ?, 'failed', 'prepare', {columns} FROM jobs LIMIT 1"
        )
        database.executemany(copy, [(f"{number:032x}",) for number in range(JOBS - 1)])
        database.commit()
    backup = {"at": 1700000000.0, "to": "x", "snapshot": "s", "bytes": 5, "seconds": 1.5, "ok": True, "error": ""}
    (data / "backup.json").write_bytes(msgspec.json.encode(backup))
    with Server(data, AUTODUBBER_METRICS_TOKEN=TOKEN) as server:
        yield server


@pytest.fixture(scope="module")
def http(server: Server) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as http:
        yield http


def scrape(http: httpx.Client) -> str:
    answer = http.get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    return answer.text


def value(text: str, series: str) -> float:
    return next(float(line.rpartition(" ")[2]) for line in text.splitlines() if line.rpartition(" ")[0] == series)


def test_they_are_closed_unless_somebody_opens_them(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        answer = httpx.get(f"{server.url}/metrics")
        assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_they_are_open_when_they_are_switched_on(tmp_path: Path) -> None:
    with Server(tmp_path / "data", AUTODUBBER_METRICS="true") as server:
        assert "autodubber_ready" in httpx.get(f"{server.url}/metrics").text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": ""},
        {"Authorization": "Bearer"},
        {"Authorization": f"Bearer {TOKEN}x"},
        {"Authorization": f"Bearer {TOKEN[:-1]}"},
        {"Authorization": f"Basic {TOKEN}"},
        {"Authorization": TOKEN},
        {"Authorization": "Bearer \xe9\xff".encode("latin-1")},
        {"X-Token": TOKEN},
    ],
)
def test_without_the_token_they_are_refused(http: httpx.Client, headers: dict[str, str]) -> None:
    answer = http.get("/metrics", headers=headers, params={"token": TOKEN})
    assert (answer.status_code, answer.json()["code"]) == (401, "metrics_token")
    assert answer.headers["www-authenticate"] == 'Bearer realm="metrics"'
    assert answer.headers["content-type"] == "application/problem+json"
    assert TOKEN not in answer.text


def test_the_token_is_compared_in_constant_time(monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[bytes, bytes]] = []
    monkeypatch.setattr("app.api.metrics.hmac.compare_digest", lambda a, b: compared.append((a, b)) or a == b)
    assert may_read("right", "bearer right") and not may_read("right", "Bearer wrong")
    assert compared == [(b"right", b"right"), (b"wrong", b"right")]


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian's package prometheus) is not installed")
def test_prometheus_finds_nothing_to_complain_about(http: httpx.Client) -> None:
    http.get("/api/jobs/none")
    done = subprocess.run(["promtool", "check", "metrics"], input=scrape(http), capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_the_document_lists_every_name_with_its_labels_and_kind_and_no_other(
    server: Server, http: httpx.Client
) -> None:
    with connect(f"ws://127.0.0.1:{server.port}/ws") as socket:
        socket.recv(timeout=10)
    families = [f for f in text_string_to_metric_families(scrape(http)) if f.name.startswith("autodubber_")]
    shown = {f.name + ("_total" if f.type == "counter" else ""): (f.type, f.samples) for f in families}
    rows = re.findall(
        r"^\| `(autodubber_\w+)` \| (\w+) \| (.*?) \|", (ROOT / "docs/monitoring.md").read_text(), re.MULTILINE
    )
    assert len(rows) == len({name for name, _, _ in rows})
    assert {name: kind for name, kind, _ in rows} == {name: kind for name, (kind, _) in shown.items()}
    for name, _, labels in rows:
        documented = set(re.findall(r"`(\w+)`", labels))
        assert all(set(sample.labels) - {"le"} == documented for sample in shown[name][1]), name


def test_jobs_waits_and_the_last_backup_are_told(http: httpx.Client) -> None:
    text = scrape(http)
    assert value(text, 'autodubber_jobs{state="failed"}') == JOBS - 1
    assert value(text, 'autodubber_jobs{state="completed"}') == 1
    assert value(text, 'autodubber_jobs{state="queued"}') == 0
    assert value(text, 'autodubber_queue_oldest_seconds{queue="render"}') == 0
    assert value(text, "autodubber_backup_last_success") == 1
    assert value(text, "autodubber_backup_last_timestamp_seconds") == 1700000000
    assert value(text, "autodubber_disk_size_bytes") > value(text, "autodubber_disk_free_bytes") > 0
    assert value(text, "process_resident_memory_bytes") > 1 << 20


def test_requests_are_counted_by_route_never_by_address(http: httpx.Client) -> None:
    for number in range(50):
        http.get(f"/api/jobs/{number:032x}/segments")
        http.get(f"/no/such/{number}")
    http.request("BREW", "/api/jobs")
    http.post("/api/jobs/x/approve", headers={"Origin": "https://elsewhere.example"})
    text = scrape(http)
    assert (
        value(text, 'autodubber_http_requests_total{method="GET",route="/api/jobs/{job_id}/segments",status="200"}')
        >= 50
    )
    assert value(text, 'autodubber_http_request_seconds_count{method="GET",route="/api/jobs/{job_id}/segments"}') >= 50
    assert value(text, 'autodubber_errors_total{code="forbidden_origin"}') == 1
    assert 'method="other"' in text and "BREW" not in text and "/no/such" not in text
    assert len([line for line in text.splitlines() if line.startswith("autodubber_http_requests_total")]) < 30


def test_a_record_of_a_backup_that_cannot_be_read_is_a_failed_one(tmp_path: Path) -> None:
    record = tmp_path / "backup.json"
    assert list(_backup(record)) == []
    record.write_text("{")
    assert [m.samples[0].value for m in _backup(record) if m.name == "autodubber_backup_last_success"] == [0.0]


def test_a_look_at_a_thousand_jobs_does_not_hold_the_loop_up(http: httpx.Client) -> None:
    scrape(http)  # the library is imported by the first one
    scrape(http)
    took = []
    for _ in range(10):
        began = time.perf_counter()
        text = scrape(http)
        took.append(time.perf_counter() - began)
    own_s = value(text, "autodubber_event_loop_worst_own_block_seconds")
    print(f"\na look with {JOBS} jobs: {min(took) * 1000:.0f} ms; the loop's worst own block: {own_s * 1000:.1f} ms")
    assert own_s < 0.05
