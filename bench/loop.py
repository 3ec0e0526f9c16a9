"""How long the event loop answered nobody while jobs ran: in all, and because of the server itself. Goal: never more
than 50 ms of its own.

The rest is the kernel's: it let other programs run. BUSY is how many processes spin beside the server, to see that this
part grows alone.

    python -m bench.loop [JOBS] [BUSY] [--seconds 30]
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
from bench.goodbyes import busy
from bench.server import Server, serving


def worst_blocks_ms(server: Server) -> tuple[float, float]:
    """Since this was last asked: the longest block, and the longest of our own."""
    text = httpx.get(f"{server.url}/metrics").text
    told = dict(line.split() for line in text.splitlines() if line.startswith("autodubber_event_loop_"))
    return tuple(float(told[f"autodubber_event_loop_worst_{which}block_seconds"]) * 1000 for which in ("", "own_"))  # type: ignore[return-value]


def measure(server: Server, jobs: int, seconds: int) -> None:
    with tempfile.TemporaryDirectory() as folder, httpx.Client(base_url=server.url, timeout=60) as http:
        source = material.video(Path(folder) / "video.mp4", seconds, "640x360")
        lines = material.subtitles(Path(folder) / "lines.srt", seconds, max(2, seconds // 3))
        whole, own = worst_blocks_ms(server)
        print(f"start: {whole:.0f} ms, of our own {own:.0f} ms")
        began = time.perf_counter()
        waiting = set()
        with connect(f"ws://127.0.0.1:{server.port}/ws", max_size=None) as socket:
            for _ in range(jobs):
                with source.open("rb") as video, lines.open("rb") as subtitles:
                    answer = http.post(
                        "/api/jobs", files={"file": video, "subtitles": subtitles}, data={"review": "false"}
                    )
                assert answer.status_code == 201, answer.text
                waiting.add(answer.json()["id"])
            while waiting:
                event = json.loads(socket.recv(timeout=300))
                if event["type"] == "state" and event["job"]["state"] in ("completed", "failed"):
                    assert event["job"]["state"] == "completed", event
                    waiting.discard(event["job_id"])
        whole, own = worst_blocks_ms(server)
        print(f"{jobs} jobs in {time.perf_counter() - began:.0f} s: {whole:.0f} ms, of our own {own:.0f} ms")


def smallest(_: Path) -> list[str]:
    """The arguments of its smallest run."""
    return ["1", "--seconds", "3"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("jobs", nargs="?", type=int, default=12)
    parser.add_argument("busy", nargs="?", type=int, default=0)
    parser.add_argument("--seconds", type=int, default=30, help="of each video")
    asked = parser.parse_args()
    with serving("/health/ready", AUTODUBBER_MIN_FREE_BYTES="0", AUTODUBBER_METRICS="true") as server, busy(asked.busy):
        measure(server, asked.jobs, asked.seconds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
