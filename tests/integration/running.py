"""A real AutoDubber in a process of its own, and the things a person does with it."""

from __future__ import annotations

import base64
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil
from websockets.sync.client import connect

from app.domain.dub_options import in_groups

CHUNK_BYTES = 256 << 10


class Running:
    """`autodubber serve` on a port of its own. `environ` adds to the environment; the data folder outlives restarts."""

    def __init__(self, data: Path, **environ: str) -> None:
        self.data = data
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.log = data.parent / f"{data.name}.log"
        self.errors = self.log  # where standard error goes; another file tells the two apart
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("AUTODUBBER_", "ELEVENLABS_"))
        }
        self.environ = (
            kept
            | {"AUTODUBBER_DATA": str(data), "AUTODUBBER_PORT": str(self.port), "AUTODUBBER_MIN_FREE_BYTES": "0"}
            | {"AUTODUBBER_VOICE_DOWNLOAD": "0"}  # the voice that nobody named is one that is here
            | environ
        )
        self.command = [sys.executable, "-m", "app", "serve"]
        self.folder: Path | None = None  # where it is started; here if None
        self.process: subprocess.Popen[bytes] | None = None
        self.client = httpx.Client(base_url=self.url, timeout=30)

    # ---------------------------------------------------------------- life and death

    def start(self, within_s: float = 60.0, *, ready: bool = True) -> Running:
        """Returns when it can take work; without `ready`, when it answers (a full disk lets it take none)."""
        with self.log.open("ab") as log, self.errors.open("ab") as errors:
            self.process = subprocess.Popen(
                self.command, cwd=self.folder, env=self.environ, stdout=log, stderr=errors, start_new_session=True
            )
        deadline = time.monotonic() + within_s
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                raise AssertionError(f"the server ended with {self.process.returncode}:\n{self.logged()}")
            try:
                if self.client.get("/health/ready" if ready else "/health/live").status_code == 200:
                    return self
            except httpx.TransportError:
                pass
            time.sleep(0.05)
        raise AssertionError(f"the server is not ready:\n{self.logged()}")

    def family(self) -> list[psutil.Process]:
        """The server's processes: Granian, its worker, and every child of theirs."""
        assert self.process is not None
        try:
            top = psutil.Process(self.process.pid)
            return [top, *top.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def kill(self) -> None:
        """SIGKILL to the server, as the kernel's memory killer or a power cut does; its children must follow by
        themselves."""
        assert self.process is not None
        family = self.family()
        worker_and_parent = family[:1] + [p for p in family[1:] if p.ppid() == self.process.pid]
        for process in reversed(worker_and_parent):
            process.kill()
        self.process.wait()
        _, alive = psutil.wait_procs(family, timeout=5)
        assert not alive, f"outlived the server: {alive}"

    def stop(self) -> float:
        """SIGTERM; returns the seconds that it took."""
        assert self.process is not None
        started = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(timeout=30)
        return time.monotonic() - started

    def close(self) -> None:
        if self.process is not None and self.process.poll() is None:
            for process in self.family():
                process.kill()
            self.process.wait()
        self.client.close()

    def logged(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    # ---------------------------------------------------------------- what a person does

    def ok(self, response: httpx.Response) -> Any:
        assert response.status_code < 300, (
            f"{response.request.method} {response.request.url}: {response.status_code} {response.text}"
        )
        return response.json() if response.content else None

    def upload(self, path: Path, filename: str | None = None, chunk_bytes: int = CHUNK_BYTES) -> str:
        """Upload over tus in chunks; returns the upload's id."""
        name = base64.b64encode((filename or path.name).encode()).decode()
        head = {"Tus-Resumable": "1.0.0"}
        created = self.client.post(
            "/api/uploads",
            headers=head | {"Upload-Length": str(path.stat().st_size), "Upload-Metadata": f"filename {name}"},
        )
        assert created.status_code == 201, created.text
        location = created.headers["Location"]
        with path.open("rb") as file:
            offset = 0
            while block := file.read(chunk_bytes):
                patch = {"Upload-Offset": str(offset), "Content-Type": "application/offset+octet-stream"}
                answer = self.client.patch(location, headers=head | patch, content=block)
                assert answer.status_code == 204, answer.text
                offset += len(block)
        return str(location.rstrip("/").rsplit("/", 1)[-1])

    def create(
        self,
        upload_id: str,
        headers: dict[str, str] | None = None,
        subtitles: str | None = None,
        stem: str | None = None,
        **options: Any,
    ) -> dict[str, Any]:
        """A job; `subtitles` and `stem` are ids of uploads."""
        body: dict[str, Any] = {
            "upload_id": upload_id,
            "options": in_groups(options),
            "subtitles_upload_id": subtitles,
            "stem_upload_id": stem,
        }
        return dict(self.ok(self.client.post("/api/jobs", json=body, headers=headers)))

    def job(self, job_id: str) -> dict[str, Any]:
        return dict(self.ok(self.client.get(f"/api/jobs/{job_id}")))

    def events(self, job_id: str, within_s: float) -> Iterator[dict[str, Any]]:
        """Events of a job as they come, snapshot first."""
        deadline = time.monotonic() + within_s
        with connect(f"ws://127.0.0.1:{self.port}/ws/{job_id}", max_size=None) as socket:
            while (left := deadline - time.monotonic()) > 0:
                yield json.loads(socket.recv(timeout=left))
        raise AssertionError(f"not within {within_s} s:\n{self.logged()[-4000:]}")

    def wait(self, job_id: str, *states: str, within_s: float = 120.0) -> dict[str, Any]:
        """The job as soon as it is in one of `states` (or failed when that is not expected: an assertion error)."""

        def arrived(event: dict[str, Any]) -> bool:
            return "job" in event and event["job"]["state"] in {*states, "failed"}

        job = dict(self.until(job_id, arrived, within_s)["job"])
        assert job["state"] in states, f"{job['error']}\n{self.logged()[-4000:]}"
        return job

    def until(self, job_id: str, arrived: Callable[[dict[str, Any]], bool], within_s: float = 120.0) -> dict[str, Any]:
        for event in self.events(job_id, within_s):
            if arrived(event):
                return event
        raise AssertionError("unreachable")

    def segments(self, job_id: str) -> tuple[list[dict[str, Any]], str]:
        answer = self.client.get(f"/api/jobs/{job_id}/segments")
        return list(self.ok(answer)["segments"]), answer.headers["ETag"]

    def edit(self, job_id: str, **changes: Any) -> list[dict[str, Any]]:
        """Edit the lines as they are now; when somebody else was faster (the page saves by itself), look again."""
        for _ in range(10):
            _, etag = self.segments(job_id)
            answer = self.client.patch(f"/api/jobs/{job_id}/segments", json=changes, headers={"If-Match": etag})
            if answer.status_code != 412:
                break
        return list(self.ok(answer)["segments"])

    def act(self, job_id: str, action: str, headers: dict[str, str] | None = None) -> dict[str, Any]:
        return dict(self.ok(self.client.post(f"/api/jobs/{job_id}/{action}", headers=headers)))

    def patch(self, job_id: str, **changes: Any) -> dict[str, Any]:
        if "options" in changes:
            changes |= {"options": in_groups(changes["options"])}
        return dict(self.ok(self.client.patch(f"/api/jobs/{job_id}", json=changes)))

    def render(self, job_id: str, within_s: float = 120.0) -> list[str]:
        """Render again to the end; returns the stages that had something to do, in order."""
        stages: list[str] = []
        for event in self.events(job_id, within_s):
            if event["type"] == "snapshot":
                self.act(job_id, "render")
            elif event["type"] == "progress" and event["stage"] not in stages:
                stages.append(event["stage"])
            elif "job" in event and event["job"]["state"] in ("completed", "failed"):
                assert event["job"]["state"] == "completed", f"{event['job']['error']}\n{self.logged()[-4000:]}"
                return stages
        raise AssertionError("unreachable")

    def files(self, job_id: str) -> dict[str, str]:
        """What the job hands out now: kind and SHA-256."""
        return {artifact["kind"]: artifact["sha256"] for artifact in self.job(job_id)["artifacts"]}

    def download(self, job_id: str, kind: str, to: Path, range_bytes: int | None = None) -> Path:
        """Download a result, whole or in ranges of `range_bytes`."""
        address = f"/download/{kind}/{job_id}"
        if range_bytes is None:
            answer = self.client.get(address)
            assert answer.status_code == 200
            to.write_bytes(answer.content)
            return to
        size = int(self.client.head(address).headers["Content-Length"])
        with to.open("wb") as file:
            for start in range(0, size, range_bytes):
                answer = self.client.get(
                    address, headers={"Range": f"bytes={start}-{min(start + range_bytes, size) - 1}"}
                )
                assert answer.status_code == 206
                file.write(answer.content)
        assert to.stat().st_size == size
        return to
