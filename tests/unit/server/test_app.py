"""The life of a server process: light at import, alone on its folder, quick to answer and to stop, dead with its
parent."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import connect

from app.domain.media import ArtifactKind
from app.system import data_lock
from tests.unit.api.serving import PATIENT, Server, seed_job

HEAVY = (
    "torch",
    "whisper",
    "numpy",
    "scipy",
    "av",
    "elevenlabs",
    "dbos",
    "onnxruntime",
    "faster_whisper",
    "httpx",
    "prometheus_client",
    "opentelemetry",
)


def test_a_started_server_has_no_rich() -> None:
    code = "import sys, app.server.granian, app.server.app, app.server.services; print('rich' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_server_is_light_at_import() -> None:
    code = (
        f"import sys, app.server.app, app.server.services; print([name for name in {HEAVY!r} if name in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip() == "[]"
    )


def test_a_second_server_on_the_same_folder_stops_with_one_line(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as first:
        second = Server(tmp_path / "data")
        environment = {
            "AUTODUBBER_DATA": str(tmp_path / "data"),
            "AUTODUBBER_PORT": str(second.port),
            "PATH": "/usr/bin:/bin",
        }
        done = subprocess.run(
            [sys.executable, "-m", "app", "serve"], env=environment, capture_output=True, text=True, timeout=30
        )
        assert done.returncode != 0
        assert "Traceback" not in done.stderr
        assert [line for line in done.stderr.splitlines() if "another" in line and str(tmp_path / "data") in line]
        assert httpx.get(f"{first.url}/health/live").status_code == 200


def test_a_folder_that_cannot_be_opened_is_said_in_one_line(tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "app.sqlite3").write_bytes(b"no database" * 1000)
    server = Server(data)
    environment = {"AUTODUBBER_DATA": str(data), "AUTODUBBER_PORT": str(server.port), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-m", "app", "serve"], env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode != 0
    assert f"autodubber: cannot open {data}: (sqlite3.DatabaseError) file is not a database" in done.stderr.splitlines()


def test_a_killed_server_leaves_nothing_running_and_its_folder_free(tmp_path: Path) -> None:
    job_id = seed_job(tmp_path / "data", {})
    server = Server(tmp_path / "data").start()
    server.kill()
    with Server(tmp_path / "data") as again:
        assert httpx.get(f"{again.url}/api/jobs/{job_id}").json()["state"] == "completed"


@contextlib.contextmanager
def begun(data: Path) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    """A server that has only begun to start: its worker has just been forked."""
    environment = {"AUTODUBBER_DATA": str(data), "AUTODUBBER_PORT": str(Server(data).port), "PATH": "/usr/bin:/bin"}
    process = subprocess.Popen(PATIENT, env=environment, stderr=subprocess.PIPE)
    try:
        top = psutil.Process(process.pid)
        while not (children := top.children()):
            assert process.poll() is None
        yield process, children[0].pid
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize(
    "moment", ["the worker has been forked", "the worker owns the folder", "the loop has its handlers"]
)
def test_a_server_that_is_still_starting_stops_at_once(tmp_path: Path, number: signal.Signals, moment: str) -> None:
    """The worker has the parent's handlers then, the system's, Granian's. One that swallows the stop would be waited
    for."""
    data = tmp_path / "data"
    with begun(data) as (process, worker):
        while moment != "the worker has been forked" and data_lock.owner(data) != str(worker):
            assert process.poll() is None
        while moment == "the loop has its handlers" and number not in caught(worker):
            assert process.poll() is None
        process.send_signal(number)
        process.send_signal(number)
        _, said = process.communicate(timeout=60)  # nobody kills a worker that swallowed the stop
        assert b"Traceback" not in said
    assert data_lock.owner(data) is None and not psutil.pid_exists(worker)


FORKED = """
import os, signal
from app.server import granian
granian._hold_stops_during_forks()
blocked = lambda: signal.pthread_sigmask(signal.SIG_BLOCK, []) & {signal.SIGTERM, signal.SIGINT}
if (child := os.fork()) == 0:
    os._exit(len(blocked()))
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), len(blocked()))
"""


def test_a_stop_waits_until_the_forked_worker_can_obey_it() -> None:
    """Python forgets the signals that arrive while a forked process starts."""
    done = subprocess.run([sys.executable, "-c", FORKED], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.split() == ["2", "0"]


def caught(process: int) -> set[int]:
    """The signals for which the process has a handler of its own (signal(7): /proc/PID/status)."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    mask = int(next(line for line in lines if line.startswith("SigCgt")).split()[1], 16)
    return {number for number in signal.valid_signals() if mask >> (number - 1) & 1}


def test_many_signals_are_one_stop(tmp_path: Path) -> None:
    """Ctrl-C reaches parent and worker, and the parent tells the worker again; people press it more than once."""
    with Server(tmp_path / "data", command=PATIENT) as server:
        worker = server.worker()
        with connect(f"ws://127.0.0.1:{server.port}/ws") as socket:
            socket.recv(timeout=10)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGINT, signal.SIGTERM):
                os.kill(worker, number)
            with pytest.raises(ConnectionClosed) as closed:
                socket.recv(timeout=10)
            assert closed.value.rcvd is not None and closed.value.rcvd.code == 1001
        server.stop()


def test_a_stop_just_after_the_worker_died_ends_too(tmp_path: Path) -> None:
    with Server(tmp_path / "data", command=PATIENT) as server:
        os.kill(server.worker(), signal.SIGKILL)
        server.stop()


ENDLESS = [
    sys.executable,
    "-c",
    "import threading; from app.jobs.workflows import Engine; Engine.shutdown = lambda self: threading.Event().wait(); "
    "from app.cli.main import main; raise SystemExit(main(['serve']))",
]


def test_a_service_that_does_not_end_is_told_and_does_not_hold_the_stop_up(tmp_path: Path) -> None:
    """Granian would kill the worker after 8 s; by then it has ended by itself."""
    with Server(tmp_path / "data", command=ENDLESS) as server:
        server.stop()
    events = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
    assert not [line for line in events if line["event"].startswith("Killing")]
    [told] = [line for line in events if line["event"] == "the services do not end; the server stops without them"]
    assert any("<lambda>" in stack for stack in told["stacks"].values())


def test_every_line_of_the_log_is_json_and_requests_carry_their_id(tmp_path: Path) -> None:
    with Server(tmp_path / "data") as server:
        request_id = httpx.get(f"{server.url}/api/jobs").headers["x-request-id"]
        httpx.get(f"{server.url}/api/settings", headers={"xi-api-key": "sk_0123456789abcdef"})
    text = server.log.read_text()
    lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
    assert [line for line in text.splitlines() if not line.startswith("{")] == [
        line for line in text.splitlines() if line.startswith("AutoDubber ")
    ]
    assert [line["path"] for line in lines if line.get("request_id") == request_id] == ["/api/jobs"]
    assert "sk_0123456789abcdef" not in text


def test_an_upload_and_a_paused_player_do_not_hold_a_stop_up(tmp_path: Path) -> None:
    job_id = seed_job(tmp_path / "data", {ArtifactKind.VIDEO: (bytes(50 << 20), "video/mp4", "mp4")})
    with Server(tmp_path / "data", command=PATIENT) as server, httpx.Client(base_url=server.url) as client:
        created = client.post("/api/uploads", headers={"Tus-Resumable": "1.0.0", "Upload-Length": "1000000"})
        address = urlsplit(created.headers["location"]).path
        upload, player = (socket.create_connection(("127.0.0.1", server.port)) for _ in range(2))
        with upload, player:
            host = f"HTTP/1.1\r\nHost: 127.0.0.1:{server.port}\r\n"
            upload.sendall(
                (
                    f"PATCH {address} {host}Tus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Length: 1000000\r\n"
                ).encode()
            )
            upload.sendall(b"Content-Type: application/offset+octet-stream\r\n\r\n" + bytes(400_000))
            player.sendall(f"GET /media/{job_id}/video {host}\r\n".encode())
            assert player.recv(12) == b"HTTP/1.1 200"  # and then it pauses
            while client.head(address, headers={"Tus-Resumable": "1.0.0"}).status_code != 423:
                pass
            arrived = tmp_path / "data" / "uploads" / address.rsplit("/", 1)[1]
            while not arrived.exists() or arrived.stat().st_size == 0:
                pass  # until the first of its bytes are written
            upload.sendall(b"x")
            server.stop()
    with Server(tmp_path / "data") as server:
        head = httpx.head(server.url + address, headers={"Tus-Resumable": "1.0.0"})
        assert 0 < int(head.headers["upload-offset"]) <= 400_001


COLLECTING = """
import asyncio, gc, time
from app.server.app import app_from_env

async def main():
    app = app_from_env()
    async with app.lifespan():
        while not gc.isenabled():
            await asyncio.sleep(0.01)
        began = time.thread_time()
        gc.collect()
        print(time.thread_time() - began, gc.get_freeze_count())

gc.disable()  # as app.server.granian does
asyncio.run(main())
"""


def test_a_full_garbage_collection_does_not_go_through_all_that_was_loaded(tmp_path: Path) -> None:
    """It did, for 85 ms, with the interpreter's lock held: nobody was answered meanwhile."""
    environment = {"AUTODUBBER_DATA": str(tmp_path / "data"), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [sys.executable, "-c", COLLECTING], env=environment, capture_output=True, text=True, timeout=60, check=True
    )
    [figures] = [line for line in done.stdout.splitlines() if not line.startswith("{")]  # the rest is the log
    took_s, spared = figures.split()
    assert float(took_s) < 0.04 and int(spared) > 50_000


def test_a_named_site_may_call_the_api(tmp_path: Path) -> None:
    with Server(
        tmp_path / "data", AUTODUBBER_ALLOWED_ORIGINS="https://friend.example, http://localhost:5173/"
    ) as server:
        for origin in ("https://friend.example", "http://localhost:5173"):
            ask = {
                "Origin": origin,
                "Access-Control-Request-Method": "PATCH",
                "Access-Control-Request-Headers": "upload-offset,tus-resumable",
            }
            asked = httpx.options(f"{server.url}/api/uploads/x", headers=ask)
            assert asked.headers["access-control-allow-origin"] == origin
            assert (
                "PATCH" in asked.headers["access-control-allow-methods"]
                or asked.headers["access-control-allow-methods"] == "*"
            )
            made = httpx.post(
                f"{server.url}/api/uploads", headers={"Origin": origin, "Tus-Resumable": "1.0.0", "Upload-Length": "5"}
            )
            assert made.status_code == 201
            assert made.headers["access-control-allow-origin"] == origin
            assert "Location" in made.headers["access-control-expose-headers"]
        assert httpx.post(f"{server.url}/api/uploads", headers={"Origin": "https://evil.example"}).status_code == 403


def test_the_thread_that_waits_for_the_worker_imports_nothing_while_it_is_forked(tmp_path: Path) -> None:
    """A worker that is forked in the middle of an import has its lock, and not the thread that would release it: it
    hung when it sent a trace."""
    with Server(tmp_path / "data") as server:
        code = (
            "import sys, time\n"
            "from app.observability import logs\n"
            "from app.server import granian\n"
            "from app.config.settings import Settings\n"
            "logs.configure('info', 'json', sys.stdout)\n"
            "before = set(sys.modules)\n"
            f"granian._announce(Settings(port={server.port}), time.monotonic())\n"
            "print(sorted(set(sys.modules) - before), file=sys.stderr)\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "answers on" in done.stdout and done.stderr == "[]\n"
