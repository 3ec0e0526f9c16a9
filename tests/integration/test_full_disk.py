"""A full disk is survived: at 0 bytes free people can still put things in order, no job is stuck, and a server that
starts then goes on by itself."""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from app.domain.problems.uploads import DISK_FULL
from tests.integration.running import Running

TUS = {"Tus-Resumable": "1.0.0"}
LARGE = bytes(20 << 20)  # more than what work that ends on a full disk gives back
TRIES = f"It does not start, and is tried again: {DISK_FULL.message}"
WAITS = "It waits for room: the disk is full. It goes on by itself."


class Disk:
    """A file system of its own, small, and as full as it is told to be."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fill(self, *, names: bool = False) -> None:
        """To the last byte; with `names` not even an empty file or folder fits."""
        with (self.folder / "filler").open("ab", buffering=0) as file:
            for size in (1 << 20, 4096):
                try:
                    while True:
                        file.write(bytes(size))
                except OSError:
                    continue
        with contextlib.suppress(OSError):
            for number in range(100_000 if names else 0):
                (self.folder / f"filler{number}").touch()
        assert os.statvfs(self.folder).f_bavail == 0

    def empty(self) -> None:
        for path in self.folder.glob("filler*"):
            path.unlink()


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=150m,nr_inodes=3000", "autodubber-test", str(folder)]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        pytest.skip(f"a file system cannot be mounted here (needs root): {made.stderr.strip()}")
    yield Disk(folder)
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def start(disk: Disk, tmp_path: Path, whisper_checkpoint: Path) -> Iterator[Callable[..., Running]]:
    started: list[Running] = []

    def begin(*, ready: bool = True, **environ: str) -> Running:
        server = Running(
            disk.folder / "data", AUTODUBBER_MODEL=str(whisper_checkpoint), AUTODUBBER_THREADS="1", **environ
        )
        server.log = server.errors = tmp_path / "server.log"
        started.append(server)
        return server.start(ready=ready)

    yield begin
    for server in started:
        server.close()


def within(seconds: float, arrived: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := arrived()):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def failing(server: Running) -> dict[str, str]:
    """The checks of readiness that fail, with their reasons."""
    return {
        check["name"]: check["detail"]
        for check in server.client.get("/health/ready").json()["checks"]
        if not check["ok"]
    }


def test_at_no_byte_free_jobs_fail_truly_and_everything_can_be_put_in_order(
    start: Callable[..., Running], disk: Disk, spoken_mp4: Path
) -> None:
    server = start()
    client = server.client
    reserve = server.data / ".reserve"
    assert reserve.stat().st_blocks * 512 >= 8 << 20, "a ready server has its reserve"
    kept, gone = (server.create(server.upload(spoken_mp4), review=True)["id"] for _ in range(2))
    for job_id in (kept, gone):
        server.wait(job_id, "review")
    waits = client.post("/api/uploads", headers=TUS | {"Upload-Length": str(len(LARGE))}).headers["Location"]
    server.act(kept, "approve")
    server.until(kept, lambda event: "job" in event and event["job"]["state"] == "rendering")
    stopped = server.create(server.upload(spoken_mp4), review=True)["id"]
    disk.fill()
    client.post(f"/api/jobs/{stopped}/cancel")
    job = server.job(stopped)
    assert job["state"] == "cancelled" or job["error"]["code"] == "disk_full", "unless the full disk was faster"
    assert (
        client.patch(f"/api/jobs/{gone}", json={"title": "Named on a full disk"}).json()["title"]
        == "Named on a full disk"
    )
    assert client.put("/api/settings/keys/elevenlabs", json={"key": "k" * 40}).status_code == 200
    assert client.delete("/api/settings/keys/elevenlabs").status_code == 204
    failed = server.until(kept, lambda event: "job" in event and event["job"]["state"] == "failed")["job"]
    assert failed["error"]["code"] == "disk_full"
    disk.fill()
    body = client.patch(
        waits, headers=TUS | {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}, content=LARGE
    )
    assert (body.status_code, body.json()["code"]) == (507, "disk_full")
    assert client.delete(waits, headers=TUS).status_code == 204
    assert client.delete(f"/api/jobs/{gone}").status_code == 204
    assert client.get(f"/api/jobs/{gone}").status_code == 404
    disk.empty()
    server.act(kept, "retry")
    server.act(stopped, "retry")
    server.wait(kept, "completed")
    server.wait(stopped, "review")
    within(60, lambda: reserve.exists() and reserve.stat().st_size == 8 << 20)
    assert [line for line in server.logged().splitlines() if "Traceback" in line] == []


def test_a_server_started_on_a_full_disk_says_why_it_cannot_work_and_goes_on_by_itself(
    start: Callable[..., Running], disk: Disk, spoken_mp4: Path
) -> None:
    first = start()
    job_id = first.create(first.upload(spoken_mp4), review=True)["id"]
    first.until(job_id, lambda event: "job" in event and event["job"]["state"] == "preparing")
    first.kill()
    (first.data / ".reserve").unlink()
    disk.fill()
    server = start(ready=False)
    within(30, lambda: failing(server).get("engine") in (WAITS, TRIES))
    disk.empty()
    within(60, lambda: not failing(server))
    server.wait(job_id, "review")


def test_the_very_first_start_waits_for_room(start: Callable[..., Running], disk: Disk, spoken_mp4: Path) -> None:
    disk.fill(names=True)
    server = start(ready=False)
    assert not server.data.exists() and server.client.get("/health/live").status_code == 200
    assert {"database": WAITS, "engine": WAITS}.items() <= failing(server).items()
    refused = server.client.get("/api/jobs")
    assert (refused.status_code, refused.json()["code"]) == (507, "disk_full") and refused.headers["Retry-After"]
    assert "<!doctype html>" in server.client.get("/").text.lower(), "the page is there, and says it"
    disk.empty()
    within(60, lambda: not failing(server))
    server.wait(server.create(server.upload(spoken_mp4), review=True)["id"], "review")
