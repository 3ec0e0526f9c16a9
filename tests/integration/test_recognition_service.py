"""Recognition by a service in a whole job: lines, speakers, and a kill -9 the moment that the answer has come."""

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

# two voices, two sentences each: start, end, Hz
WORDS = tuple((1.0 + n * 0.5, 1.3 + n * 0.5, (300.0 if n // 8 == 0 else 1400.0) + 20 * (n % 8)) for n in range(16))


@pytest.fixture(scope="module")
def tones_mp4(tmp_path_factory: pytest.TempPathFactory, ffmpeg: str) -> Path:
    folder = tmp_path_factory.mktemp("tones")
    sound = written(folder / "tones.wav", WORDS, 10.0)
    picture = ["-f", "lavfi", "-i", "testsrc2=size=160x120:rate=10:duration=10"]
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
        assert [one["start_s"] for one in segments] == pytest.approx([1.0, 5.0], abs=0.1)
        speakers = server.ok(server.client.get(f"/api/jobs/{job['id']}/speakers"))["speakers"]
        assert [one["name"] for one in speakers] == ["Speaker 1", "Speaker 2"]
        found = server.ok(server.client.get(f"/api/jobs/{job['id']}"))
        assert found["language"] == "en" and found["language_certainty"] == 0.98
        copy = server.ok(server.client.post(f"/api/jobs/{job['id']}/duplicate", json={}))
        assert copy["options"]["recognition"]["recognizer"] == "scribe"
