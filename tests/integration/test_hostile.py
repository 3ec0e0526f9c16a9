"""Damaged and hostile files on a real server: each job ends with a result or with an error that says what to do, and
the server stands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import psutil

from app.domain.catalogue import catalogue
from app.domain.problems.requests import INTERNAL
from tests.hostile.attacks import MEDIA, SCRIPTS, Trap
from tests.hostile.thousand import damaged
from tests.integration.running import Running
from tests.integration.test_refusals import problem
from tests.unit.media.samples import sample

LINES = "1\n00:00:00,500 --> 00:00:01,500\nHello.\n\n2\n00:00:02,000 --> 00:00:03,000\nAnd again.\n"
# Of the thousand: three whose clocks claim a day, and every eighty-ninth.
NUMBERS = (356, 633, 833, *range(5, 1000, 89))
ATTACKS = ("dash.mp4", "hls.m3u8", "ffconcat.mp4", "session.mp4")


def brought(server: Running, folder: Path) -> str:
    path = folder / "lines.srt"
    path.write_text(LINES)
    return server.upload(path)


def ended(server: Running, job_id: str) -> str:
    """How the job ended: "completed" or the code of its error."""
    event = server.until(job_id, lambda e: "job" in e and e["job"]["state"] in ("failed", "completed"), within_s=300)
    job = event["job"]
    assert job["state"] == "completed" or (job["error"]["code"] in catalogue() and job["error"]["hint"]), job
    return "completed" if job["state"] == "completed" else str(job["error"]["code"])


def test_hostile_files_end_their_job_and_nothing_else(serve: Callable[..., Running], tmp_path: Path) -> None:
    server = serve()
    assert server.process is not None
    workers = [process for process in server.family() if process.ppid() == server.process.pid]
    (tmp_path / "trap").mkdir()
    with Trap(tmp_path / "trap") as trap:
        files = []
        for number in NUMBERS:
            name, data = damaged(number)
            (tmp_path / name).write_bytes(data or b"\0")
            files.append(tmp_path / name)
        for name in ATTACKS:
            (tmp_path / name).write_text(SCRIPTS[name].format(there=trap.address))
            files.append(tmp_path / name)
        for name, write in MEDIA.items():
            write(tmp_path / name, str(trap.file))
            files.append(tmp_path / name)
        trap.touched()
        jobs = {}
        for path in files:
            job = server.create(
                server.upload(path),
                subtitles=brought(server, tmp_path),
                review=False,
                language="en",
                keep_original_track=True,
            )
            jobs[path.name] = job["id"]
        ends = {name: ended(server, job_id) for name, job_id in jobs.items()}
        assert INTERNAL.code not in ends.values(), ends
        assert {ends[name] for name in ATTACKS} == {"playlist_refused"}
        assert "completed" in ends.values() and len(set(ends.values())) >= 3, ends
        assert trap.touched() == []
    assert server.client.get("/health/ready").status_code == 200
    assert all(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in workers), (
        "a worker of the server died"
    )


def test_a_hostile_file_is_no_subtitle_and_no_stem(serve: Callable[..., Running], tmp_path: Path) -> None:
    server = serve()
    film = server.upload(sample("plain.mp4"))
    (tmp_path / "trap").mkdir()
    with Trap(tmp_path / "trap") as trap:
        for name in ("ffconcat.srt", "hls.m3u8", "index.idx"):
            (tmp_path / name).write_text(SCRIPTS[name].format(there=trap.file))
            asked = {"upload_id": film, "subtitles_upload_id": server.upload(tmp_path / name)}
            problem(server.client.post("/api/jobs", json=asked), "subtitles_invalid")
            asked = {"upload_id": film, "stem_upload_id": server.upload(tmp_path / name)}
            problem(server.client.post("/api/jobs", json=asked), "stem_invalid")
        assert trap.touched() == []
    assert server.client.get("/health/ready").status_code == 200
