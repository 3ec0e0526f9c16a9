"""Services of sound in a whole job: recognition with a kill -9 the moment that the answer has come, and the clone of a
speaker."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.doubles import elevenlabs
from tests.doubles.heard_tones import word_of, written
from tests.integration.running import Running

# two voices, twelve seconds each: start, end, Hz
WORDS = tuple((1.0 + n * 0.5, 1.3 + n * 0.5, (300.0 if n // 24 == 0 else 1400.0) + 20 * (n % 24)) for n in range(48))


@pytest.fixture(scope="module")
def tones_mp4(tmp_path_factory: pytest.TempPathFactory, ffmpeg: str) -> Path:
    folder = tmp_path_factory.mktemp("tones")
    sound = written(folder / "tones.wav", WORDS, 26.0)
    picture = ["-f", "lavfi", "-i", "testsrc2=size=160x120:rate=10:duration=26"]
    codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac"]
    subprocess.run([ffmpeg, "-v", "error", *picture, "-i", sound, *codecs, folder / "tones.mp4"], check=True)
    return folder / "tones.mp4"


def answers(data: Path) -> list[Path]:
    return [path for path in (data / "blobs" / "answers").rglob("*") if path.is_file() and path.suffix == ".raw"]


def test_a_server_killed_when_the_answer_has_come_does_not_buy_it_again(
    serve: Callable[..., Running], tones_mp4: Path, tmp_path: Path
) -> None:
    with elevenlabs.running() as service:
        server = serve(ELEVENLABS_API_KEY=elevenlabs.KEY, ELEVENLABS_BASE_URL=service)
        job = server.create(server.upload(tones_mp4), recognizer="scribe", model="", voice="espeak:en")
        until_s = time.monotonic() + 60
        while not answers(tmp_path / "data"):
            assert time.monotonic() < until_s
        server.kill()
        server.start()
        server.wait(job["id"], "review")
        told: dict[str, Any] = httpx.get(f"{service}/_journal").json()
        assert len(told["heard"]) == 1 and told["violations"] == []
        segments, _ = server.segments(job["id"])
        assert " ".join(one["text"] for one in segments).split() == [word_of(hz) for _, _, hz in WORDS]
        assert segments[0]["start_s"] == pytest.approx(1.0, abs=0.1)
        speakers = server.ok(server.client.get(f"/api/jobs/{job['id']}/speakers"))["speakers"]
        assert [one["name"] for one in speakers] == ["Speaker 1", "Speaker 2"]
        found = server.ok(server.client.get(f"/api/jobs/{job['id']}"))
        assert found["language"] == "en" and found["language_certainty"] == 0.98
        cloned_and_forgotten(server, service, job["id"], [one["id"] for one in speakers])


def added(service: str) -> list[dict[str, Any]]:
    return list(httpx.get(f"{service}/_journal").json()["added"])


def cloned_and_forgotten(server: Running, service: str, job_id: str, speakers: list[str]) -> None:
    """The first speaker's voice is made of their lines alone, recorded, and deleted by hand; the second one's goes with
    the job."""
    path = f"/api/jobs/{job_id}/speakers"

    def tag() -> dict[str, str]:
        return {"If-Match": server.client.get(path).headers["ETag"]}

    refused = server.client.post(f"{path}/{speakers[0]}/clone", json={"have_the_right": False}, headers=tag())
    assert (refused.status_code, refused.json()["code"]) == (422, "clone_right")
    body = {"have_the_right": True}
    stale = server.client.post(f"{path}/{speakers[0]}/clone", json=body, headers={"If-Match": '"1"'})
    assert stale.status_code == 412 and added(service) == []
    made = server.ok(server.client.post(f"{path}/{speakers[0]}/clone", json=body, headers=tag()))["speakers"][0]
    [voice] = added(service)
    assert voice["said"] == [word_of(hz) for _, _, hz in WORDS[:24]] and voice["name"].startswith("Speaker 1, ")
    assert made["voice"] == made["clone"]["voice"] == f"elevenlabs:{voice['voice_id']}"
    assert made["clone"]["principal"] == "anyone" and made["clone"]["agreed_at"] == pytest.approx(time.time(), abs=60)
    kept = server.client.delete(f"{path}/{speakers[0]}", headers=tag())
    assert kept.status_code == 400 and "cloned voice" in kept.text, "its record is not lost"
    left = server.ok(server.client.delete(f"{path}/{speakers[0]}/clone", headers=tag()))["speakers"][0]
    assert (left["voice"], left["clone"], added(service)) == (None, None, [])
    server.ok(server.client.post(f"{path}/{speakers[1]}/clone", json=body, headers=tag()))
    copy = server.ok(server.client.post(f"/api/jobs/{job_id}/duplicate", json={}))
    server.ok(server.client.delete(f"/api/jobs/{copy['id']}"))
    assert len(added(service)) == 1, "a copy deletes no voice of its original"
    server.ok(server.client.delete(f"/api/jobs/{job_id}"))
    told = httpx.get(f"{service}/_journal").json()
    assert told["added"] == [] and told["violations"] == []
