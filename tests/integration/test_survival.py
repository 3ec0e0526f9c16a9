"""kill -9 at any moment: the job goes on from the last finished step, and nothing is bought twice."""

from __future__ import annotations

import subprocess
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

from tests.doubles import elevenlabs as double
from tests.integration.conftest import SPOKEN
from tests.integration.running import Running

VOICE = "elevenlabs:EnglishMale000000002"
SLOW_DISK = Path(double.__file__).parents[1] / "slow_disk"
STAGES = ["probe", "ingest", "transcribe", "synthesize", "fit", "mix", "mux"]


@pytest.fixture(scope="module")
def service() -> Any:
    with double.running() as url:
        yield url


@pytest.fixture
def journal(service: str) -> Callable[[], dict[str, Any]]:
    httpx.post(f"{service}/_reset")
    return lambda: dict(httpx.get(f"{service}/_journal").json())


def bought(journal: dict[str, Any]) -> Counter[str]:
    return Counter(call["text"] for call in journal["calls"] if call["charged"])


@pytest.mark.parametrize("stage", STAGES)
def test_a_server_killed_in_a_stage_goes_on_and_buys_no_line_twice(
    stage: str, serve: Callable[..., Running], spoken_mp4: Path, service: str, journal: Callable[[], dict[str, Any]]
) -> None:
    environ = {"ELEVENLABS_API_KEY": double.KEY, "ELEVENLABS_BASE_URL": service, "AUTODUBBER_ELEVENLABS_AT_ONCE": "1"}
    server = serve(**environ)
    if stage == "synthesize":  # the third line hangs: two are bought when the server dies
        httpx.post(f"{service}/_faults", json=[{"kind": "delay", "text": f'"text":"{SPOKEN[2].text}', "delay_s": 60}])
    job = server.create(server.upload(spoken_mp4), voice=VOICE, review=False)

    def in_the_middle(event: dict[str, Any]) -> bool:
        if stage == "synthesize":
            return event["type"] == "progress" and event["message"].startswith("2 of ")
        return event["type"] == "progress" and event["stage"] == stage

    server.until(job["id"], in_the_middle)
    server.kill()
    server.start()
    server.wait(job["id"], "completed")
    told = journal()
    assert told["violations"] == []
    assert bought(told) == Counter(sentence.text for sentence in SPOKEN)


def test_a_server_killed_the_moment_its_answers_have_come_buys_none_of_them_again(
    serve: Callable[..., Running], spoken_mp4: Path, tmp_path: Path
) -> None:
    texts = [f"This is line number {number}." for number in range(8)]
    lines, slow = tmp_path / "lines.srt", tmp_path / "slow"
    slow.touch()
    lines.write_text(
        "\n".join(
            f"{n + 1}\n00:00:{2 * n:02},000 --> 00:00:{2 * n + 1:02},900\n{text}\n" for n, text in enumerate(texts)
        )
    )
    with double.running("--tones", "--tier", "pro") as service:
        disk = {"PYTHONPATH": str(SLOW_DISK), "SLOW_DISK_WHILE": str(slow)}
        server = serve(
            ELEVENLABS_API_KEY=double.KEY, ELEVENLABS_BASE_URL=service, AUTODUBBER_ELEVENLABS_AT_ONCE="8", **disk
        )
        job = server.create(server.upload(spoken_mp4), subtitles=server.upload(lines), voice=VOICE, review=False)
        answers, clips = (server.data / "blobs" / folder for folder in ("answers", "clips"))
        came = time.monotonic() + 60
        while len(list(answers.glob("[!.]*"))) < len(texts):
            assert time.monotonic() < came
            time.sleep(0.01)
        assert list(clips.glob("[!.]*")) == [], "the answers are there, and nothing has been made of them"
        server.kill()
        slow.unlink()
        server.start()
        server.wait(job["id"], "completed")
        told = httpx.get(f"{service}/_journal").json()
    assert Counter(call["text"] for call in told["calls"]) == Counter(texts)
    assert told["violations"] == []
    assert list(answers.iterdir()) == []


def test_many_kills_of_one_job_lose_nothing(
    serve: Callable[..., Running], spoken_mp4: Path, service: str, journal: Callable[[], dict[str, Any]]
) -> None:
    server = serve(ELEVENLABS_API_KEY=double.KEY, ELEVENLABS_BASE_URL=service)
    job = server.create(server.upload(spoken_mp4), voice=VOICE, review=False)
    for stage in ("ingest", "transcribe", "transcribe", "fit", "mix"):
        server.until(job["id"], lambda e, s=stage: e["type"] == "progress" and e["stage"] == s)
        server.kill()
        server.start()
    server.wait(job["id"], "completed")
    assert bought(journal()) == Counter(sentence.text for sentence in SPOKEN)


def test_lives_too_short_for_a_stage_finish_a_job(serve: Callable[..., Running], ffmpeg: str, tmp_path: Path) -> None:
    """Each life ends as soon as one more piece of work is kept. None of it is done again."""
    film, lines = tmp_path / "film.mp4", tmp_path / "lines.srt"
    made = [
        "-f",
        "lavfi",
        "-i",
        "testsrc2=s=640x360:r=25:d=40",
        "-f",
        "lavfi",
        "-i",
        "aevalsrc=0.1*sin(880*t*(1+0.1*sin(t))):d=40",
    ]
    subprocess.run(
        [ffmpeg, "-v", "error", *made, "-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", str(film)], check=True
    )
    lines.write_text(
        "".join(
            f"{n + 1}\n00:00:{10 * n + 1:02},000 --> 00:00:{10 * n + 5:02},000\nThis is line number {n}.\n\n"
            for n in range(4)
        )
    )
    server = serve()
    job = server.create(server.upload(film), subtitles=server.upload(lines), review=False, burn_subtitles=True)
    cache = server.data / "cache" / job["id"]

    def kept(pattern: str) -> dict[Path, int]:
        """The pieces that are there; none as long as there is no folder of the job, which `glob` does not expect."""
        try:
            return {path: path.stat().st_mtime_ns for path in cache.glob(pattern)}
        except FileNotFoundError:
            return {}

    chunks: dict[Path, int] = {}
    for pattern in ("*.packets", "burn-*/*.piece"):
        before: dict[Path, int] = {}
        for _ in range(2):
            deadline = time.monotonic() + 60
            while len(kept(pattern)) <= len(before):
                assert time.monotonic() < deadline, server.logged()[-2000:]
            server.kill()
            after = kept(pattern)
            assert before.items() < after.items()
            before = after
            server.start(ready=False)
        chunks = chunks or before
    server.wait(job["id"], "completed")
    assert chunks.items() < kept("*.packets").items()
    assert not list(cache.glob("burn-*"))


def test_lines_recognised_before_a_kill_are_kept_once(serve: Callable[..., Running], spoken_mp4: Path) -> None:
    server = serve()
    job = server.create(server.upload(spoken_mp4))
    server.until(job["id"], lambda e: e["type"] == "segments" and e["segments"])
    server.kill()
    server.start()
    server.wait(job["id"], "review")
    segments, _ = server.segments(job["id"])
    assert [s["text"] for s in segments] == [s.text for s in SPOKEN]


def test_an_upload_killed_in_the_middle_goes_on_at_its_offset(serve: Callable[..., Running], spoken_mp4: Path) -> None:
    server = serve()
    data = spoken_mp4.read_bytes()
    head = {"Tus-Resumable": "1.0.0"}
    location = server.client.post("/api/uploads", headers=head | {"Upload-Length": str(len(data))}).headers["Location"]
    patch = head | {"Content-Type": "application/offset+octet-stream"}
    assert (
        server.client.patch(location, headers=patch | {"Upload-Offset": "0"}, content=data[:100_000]).status_code == 204
    )
    server.kill()
    server.start()
    assert server.client.head(location, headers=head).headers["Upload-Offset"] == "100000"
    assert (
        server.client.patch(location, headers=patch | {"Upload-Offset": "100000"}, content=data[100_000:]).status_code
        == 204
    )
    job = server.create(location.rsplit("/", 1)[-1])
    source = server.wait(job["id"], "review")
    assert server.client.get(f"/media/{source['id']}/source").content == data


@pytest.mark.parametrize("stage", ["transcribe", "mix"])
def test_cancel_stops_the_work_and_its_children_within_two_seconds(
    stage: str, server: Running, spoken_mp4: Path
) -> None:
    job = server.create(server.upload(spoken_mp4), review=False)
    server.until(job["id"], lambda e: e["type"] == "progress" and e["stage"] == stage)

    def workers() -> list[psutil.Process]:
        return [
            p
            for p in server.family()
            if any(name in " ".join(p.cmdline()) for name in ("app.dubbing.worker.child", "whisper.child", "ffmpeg"))
        ]

    at_work = workers()
    server.act(job["id"], "cancel")
    assert server.job(job["id"])["state"] == "cancelled"
    _, alive = psutil.wait_procs(at_work, timeout=2.0)
    assert not alive
    server.act(job["id"], "retry")
    server.wait(job["id"], "completed")


def test_a_stopped_server_stops_in_time_and_goes_on_where_it_was(
    serve: Callable[..., Running], spoken_mp4: Path
) -> None:
    server = serve()
    job = server.create(server.upload(spoken_mp4), review=False)
    server.until(job["id"], lambda e: e["type"] == "progress" and e["stage"] == "transcribe")
    assert server.stop() < 10
    server.start()
    server.wait(job["id"], "completed")


def test_twelve_jobs_at_once_all_finish(serve: Callable[..., Running], spoken_mp4: Path) -> None:
    server = serve(AUTODUBBER_PREPARE_AT_ONCE="2", AUTODUBBER_RENDER_AT_ONCE="2", AUTODUBBER_METRICS="true")
    uploads = [server.upload(spoken_mp4) for _ in range(12)]
    worst_blocks_s(server)
    jobs = [server.create(upload, review=False, background="replace") for upload in uploads]
    for job in jobs:
        server.wait(job["id"], "completed", within_s=400)
    worst_s, own_s = worst_blocks_s(server)
    print(
        f"\nthe event loop's worst block while 12 jobs ran: {worst_s * 1000:.0f} ms; of our own: {own_s * 1000:.0f} ms"
    )
    assert own_s < 0.05
    assert server.ok(server.client.get("/api/jobs", params={"state": "completed"}))["total"] == 12
    assert len({a["sha256"] for job in jobs for a in server.job(job["id"])["artifacts"] if a["kind"] == "video"}) == 1


def worst_blocks_s(server: Running) -> tuple[float, float]:
    """The longest time the event loop answered nobody, since this was last asked; and the longest in which the server
    itself was computing."""
    told = dict(
        line.split()
        for line in server.client.get("/metrics").text.splitlines()
        if line.startswith("autodubber_event_loop_")
    )
    return float(told["autodubber_event_loop_worst_block_seconds"]), float(
        told["autodubber_event_loop_worst_own_block_seconds"]
    )


def test_a_deleted_job_leaves_nothing(server: Running, spoken_mp4: Path) -> None:
    job = server.create(server.upload(spoken_mp4), review=False)
    server.wait(job["id"], "completed")
    assert server.client.delete(f"/api/jobs/{job['id']}").status_code == 204
    assert server.client.get(f"/api/jobs/{job['id']}").status_code == 404
    left = [
        path
        for folder in ("blobs", "scratch", "cache", "uploads")
        for path in (server.data / folder).rglob("*")
        if path.is_file()
    ]
    assert left == []
