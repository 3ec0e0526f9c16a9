"""100 WebSocket clients on the list of jobs: how long an event takes to reach each of them. Goal: p99 under 20 ms.

Two figures: from the server's own clock in its heartbeats (publish to receipt), and from the sending of a request that
changes a job to the receipt of the change by every client (with HTTP and the commit to disk in it).

    python -m bench.sockets [CLIENTS] [CHANGES] [--listen 12]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

import httpx
from websockets.asyncio.client import ClientConnection, connect

from bench import material
from bench.server import Server, serving


class Clients:
    """Open sockets and what they heard: seconds from each change, and from each heartbeat."""

    def __init__(self) -> None:
        self.sent: dict[str, float] = {}
        self.changes_s: list[float] = []
        self.beats_s: list[float] = []
        self.heard = asyncio.Condition()

    async def listen(self, socket: ClientConnection) -> None:
        async for message in socket:
            now, wall = time.perf_counter(), time.time()
            event = json.loads(message)
            if event["type"] == "heartbeat":
                self.beats_s.append(wall - event["at"])
            elif event["type"] == "state" and event["job"]["title"] in self.sent:
                self.changes_s.append(now - self.sent[event["job"]["title"]])
                async with self.heard:
                    self.heard.notify_all()


async def measure(server: Server, clients: int, changes: int, listen_s: float) -> None:
    with tempfile.TemporaryDirectory() as folder:
        sound = material.sound(Path(folder) / "sound.wav", 5)
        lines = material.subtitles(Path(folder) / "lines.srt", 5, 2)
        async with httpx.AsyncClient(base_url=server.url, timeout=60) as http:
            files = {"file": sound.open("rb"), "subtitles": lines.open("rb")}
            answer = await http.post("/api/jobs", files=files, data={"review": "true"})
            assert answer.status_code == 201, answer.text
            job = answer.json()["id"]
            while (await http.get(f"/api/jobs/{job}")).json()["state"] != "review":
                await asyncio.sleep(0.2)
            hearing = Clients()
            url = f"ws://127.0.0.1:{server.port}/ws"
            sockets = [await connect(url, max_size=None) for _ in range(clients)]
            listeners = [asyncio.create_task(hearing.listen(socket)) for socket in sockets]
            for number in range(changes):
                hearing.sent[f"title {number}"] = time.perf_counter()
                patched = await http.patch(f"/api/jobs/{job}", json={"title": f"title {number}"})
                assert patched.status_code == 200, patched.text
                async with asyncio.timeout(10), hearing.heard:
                    await hearing.heard.wait_for(lambda wanted=(number + 1) * clients: len(hearing.changes_s) >= wanted)
                await asyncio.sleep(0.1)
            await asyncio.sleep(listen_s)
            for listener in listeners:
                listener.cancel()
            await asyncio.gather(*(socket.close() for socket in sockets))
    for what, found in (
        ("heartbeat, publish to receipt", hearing.beats_s),
        ("change, request to receipt", hearing.changes_s),
    ):
        if len(found) < 2:
            print(f"{what}: {len(found)} receipts")
            continue
        cuts = statistics.quantiles(found, n=100)
        p50, p99 = cuts[49] * 1000, cuts[98] * 1000
        print(f"{what}: {len(found)} receipts, median {p50:.1f} ms, p99 {p99:.1f} ms, worst {max(found) * 1000:.1f} ms")


def smallest(_: Path) -> list[str]:
    """The arguments of its smallest run."""
    return ["2", "2", "--listen", "0"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clients", nargs="?", type=int, default=100)
    parser.add_argument("changes", nargs="?", type=int, default=50)
    parser.add_argument(
        "--listen", type=float, default=12, help="seconds in silence at the end: two heartbeats or three"
    )
    asked = parser.parse_args()
    print(f"{asked.clients} clients")
    with serving("/health/ready", AUTODUBBER_MIN_FREE_BYTES="0") as server:
        asyncio.run(measure(server, asked.clients, asked.changes, asked.listen))
    return 0


if __name__ == "__main__":
    sys.exit(main())
