"""A 10-minute 720p video with 150 lines of subtitles that the person brought, spoken by espeak-ng: seconds of each
stage, through a real server.

python -m bench.render [MINUTES] [LINES]
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path

import httpx
from websockets.sync.client import connect

from bench import material
from bench.server import serving


def smallest(_: Path) -> list[str]:
    """The arguments of its smallest run."""
    return ["0.1", "2"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("minutes", nargs="?", type=float, default=10)
    parser.add_argument("lines", nargs="?", type=int, default=150)
    asked = parser.parse_args()
    seconds, count = round(60 * asked.minutes), asked.lines
    with tempfile.TemporaryDirectory(prefix="autodubber-bench-") as folder:
        film = material.video(Path(folder) / "film.mp4", seconds)
        lines = material.subtitles(Path(folder) / "lines.srt", seconds, count)
        print(f"{seconds / 60:g} minutes, {film.stat().st_size / 1e6:.0f} MB, {count} lines")
        with (
            serving("/health/ready", AUTODUBBER_MIN_FREE_BYTES="0") as server,
            httpx.Client(base_url=server.url, timeout=300) as client,
        ):
            started = time.perf_counter()
            files = {"file": film.open("rb"), "subtitles": lines.open("rb")}
            answer = client.post("/api/jobs", files=files, data={"review": "true", "voice": "espeak:en"})
            assert answer.status_code == 201, answer.text
            job = answer.json()["id"]
            print(f"upload: {time.perf_counter() - started:.1f} s")
            follow(server.port, job, "review", time.perf_counter())
            approved = time.perf_counter()
            assert client.post(f"/api/jobs/{job}/approve").is_success
            follow(server.port, job, "completed", approved)
            print(f"render: {time.perf_counter() - approved:.1f} s from the button to the finished files")
            segments = client.get(f"/api/jobs/{job}/segments")
            first = segments.json()["segments"][0]["id"]
            edit = {"edit": [{"id": first, "text": "Something else altogether."}]}
            assert client.patch(
                f"/api/jobs/{job}/segments", json=edit, headers={"If-Match": segments.headers["ETag"]}
            ).is_success
            again = time.perf_counter()
            assert client.post(f"/api/jobs/{job}/render").is_success
            follow(server.port, job, "completed", again, rendered=2)
            print(f"render after one line was edited: {time.perf_counter() - again:.1f} s")
    return 0


def follow(port: int, job: str, until: str, started: float, rendered: int = 1) -> None:
    """Print each stage's seconds until the job is there."""
    stage, since = None, started
    with connect(f"ws://127.0.0.1:{port}/ws/{job}", max_size=None) as socket:
        for message in socket:
            event = json.loads(message)
            now = event.get("job") or event
            reached = now.get("stage", stage)
            if reached != stage and "type" in event and event["type"] != "heartbeat":
                if stage:
                    print(f"  {stage}: {time.perf_counter() - since:.1f} s")
                stage, since = reached, time.perf_counter()
            if "job" in event:
                state = event["job"]["state"]
                assert state != "failed", event["job"]["error"]
                if state == until and not event["job"]["stale"]:
                    if stage:
                        print(f"  {stage}: {time.perf_counter() - since:.1f} s")
                    return


if __name__ == "__main__":
    sys.exit(main())
