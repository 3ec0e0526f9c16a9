"""Retention beside a running render, and a disk that gets full under one."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.doubles import elevenlabs as double
from tests.integration.conftest import SPOKEN
from tests.integration.running import Running
from tests.integration.test_keeping import command

VOICE = "elevenlabs:EnglishMale000000002"
EVERYTHING = {f"AUTODUBBER_MAX_{kind}_BYTES": "1" for kind in ("SOURCES", "CLIPS", "OUTPUTS")}


@pytest.fixture(scope="module")
def service() -> Any:
    with double.running() as url:
        yield url


def test_clips_deleted_under_a_running_render_are_spoken_again(
    serve: Callable[..., Running], spoken_mp4: Path, service: str
) -> None:
    """The first job's lines are what the second one, which runs, has found spoken already; the command deletes them in
    between."""
    httpx.post(f"{service}/_reset")
    server = serve(ELEVENLABS_API_KEY=double.KEY, ELEVENLABS_BASE_URL=service, AUTODUBBER_ELEVENLABS_AT_ONCE="1")
    first = server.create(server.upload(spoken_mp4), voice=VOICE, review=False)["id"]
    server.wait(first, "completed")
    # the same words again, in a job that shares nothing with the first
    second = server.create(server.upload(spoken_mp4), voice=VOICE)["id"]
    server.wait(second, "review")
    lines = server.segments(second)[0]
    server.edit(second, edit=[{"id": lines[-1]["id"], "text": "A line that takes its time."}])
    httpx.post(
        f"{service}/_faults", json=[{"kind": "delay", "text": '"text":"A line that takes its time.', "delay_s": 15}]
    )
    server.act(second, "render")
    server.until(second, lambda event: event["type"] == "progress" and event["message"].startswith("3 of "))
    done = command(server.data, "clean", **EVERYTHING)
    assert {(one["kind"], tuple(one["job_ids"])) for one in done["deletions"]} == {
        (kind, (first,)) for kind in ("sources", "clips", "outputs")
    }
    assert not list((server.data / "blobs" / "clips").glob("*.wav"))
    assert server.job(second)["state"] == "rendering"
    server.wait(second, "completed")
    for kind in ("video", "audio", "srt"):
        assert server.client.get(f"/download/{kind}/{second}").status_code == 200
    assert len(list((server.data / "blobs" / "clips").glob("*.wav"))) == len(SPOKEN)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 160 MB."""
    folder = tmp_path / "disk"
    folder.mkdir()
    made = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=160m", "autodubber-test", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode != 0:
        pytest.skip(f"a file system cannot be mounted here (needs root): {made.stderr.strip()}")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def test_a_render_on_a_full_disk_fails_so_and_goes_on_by_retry(
    small_disk: Path, spoken_mp4: Path, whisper_checkpoint: Path
) -> None:
    server = Running(small_disk / "data", AUTODUBBER_MODEL=str(whisper_checkpoint), AUTODUBBER_THREADS="1").start()
    try:
        job_id = server.create(server.upload(spoken_mp4), review=True)["id"]
        server.wait(job_id, "review")
        filler = small_disk / "filler"
        with filler.open("wb") as file:
            status = os.statvfs(small_disk)
            file.write(bytes(status.f_bavail * status.f_frsize - (400 << 10)))  # room for the database, not for the mix
        server.act(job_id, "approve")
        failed = server.until(job_id, lambda event: "job" in event and event["job"]["state"] == "failed")["job"]
        assert failed["error"]["code"] == "disk_full"
        filler.unlink()
        server.act(job_id, "retry")
        server.wait(job_id, "completed")
    finally:
        server.close()
