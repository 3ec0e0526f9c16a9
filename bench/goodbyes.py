"""Stop a server again and again while sockets are open: does every socket hear 1001, and how long does the stop take?

Every second run has jobs at work and an upload half way, too. Goal: every socket, every run, within 10 s. BUSY is how
many processes spin beside it.

    python -m bench.goodbyes [RUNS] [CLIENTS] [BUSY] [SIGNAL]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import multiprocessing
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import httpx
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from bench import material
from bench.server import Server, serving


def _spin() -> None:
    while True:
        pass


@contextlib.contextmanager
def busy(count: int) -> Iterator[None]:
    """That many processes that compute beside what is measured."""
    spinning = [multiprocessing.Process(target=_spin, daemon=True) for _ in range(count)]
    for process in spinning:
        process.start()
    try:
        yield
    finally:
        for process in spinning:
            process.kill()


async def _farewell(socket: ClientConnection) -> str:
    """How the server closed it."""
    try:
        while True:
            await socket.recv()
    except ConnectionClosed as closed:
        return str(closed.rcvd.code) if closed.rcvd else "cut"


async def _upload(url: str) -> asyncio.StreamWriter:
    """An upload that sent half of what it promised, and waits."""
    size = 1_000_000
    async with httpx.AsyncClient(base_url=url) as http:
        made = await http.post("/api/uploads", headers={"Tus-Resumable": "1.0.0", "Upload-Length": str(size)})
    host, port = url.removeprefix("http://").split(":")
    _, writer = await asyncio.open_connection(host, int(port))
    path = urlsplit(made.headers["location"]).path
    head = (
        f"PATCH {path} HTTP/1.1\r\nHost: {host}\r\nTus-Resumable: 1.0.0\r\nUpload-Offset: 0\r\nContent-Length: "
        f"{size}\r\n"
    )
    writer.write(head.encode() + b"Content-Type: application/offset+octet-stream\r\n\r\n" + bytes(size // 2))
    await writer.drain()
    return writer


async def _work(url: str) -> str:
    """Three jobs; returns the last one's id."""
    with tempfile.TemporaryDirectory() as folder:
        sound, lines = Path(folder) / "sound.wav", Path(folder) / "lines.srt"
        material.sound(sound, 30)
        material.subtitles(lines, 30, 10)
        async with httpx.AsyncClient(base_url=url, timeout=60) as http:
            for _ in range(3):
                files = {"file": ("sound.wav", sound.read_bytes()), "subtitles": ("lines.srt", lines.read_bytes())}
                answer = await http.post("/api/jobs", files=files, data={"review": "false"})
                assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def measure(server: Server, clients: int, told: signal.Signals, *, at_work: bool) -> tuple[Counter[str], float]:
    """One stop: how the sockets were closed, and the seconds until the process had ended. `at_work`: with jobs, and an
    upload half way."""
    url = f"ws://127.0.0.1:{server.port}/ws"
    paths = [url]
    async with contextlib.AsyncExitStack() as stack:
        if at_work:
            paths.append(f"{url}/{await _work(server.url)}")
            stack.callback((await _upload(server.url)).close)
        sockets = [await connect(paths[number % len(paths)], max_size=None) for number in range(clients)]
        listeners = [asyncio.create_task(_farewell(socket)) for socket in sockets]
        started = time.perf_counter()
        server.process.send_signal(told)
        await asyncio.to_thread(server.process.wait, 30)
        seconds = time.perf_counter() - started
        return Counter(await asyncio.gather(*listeners)), seconds


def smallest(_: Path) -> list[str]:
    """The arguments of its smallest run."""
    return ["1", "2"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="?", type=int, default=30)
    parser.add_argument("clients", nargs="?", type=int, default=100)
    parser.add_argument("busy", nargs="?", type=int, default=0)
    parser.add_argument("signal", nargs="?", choices=("SIGTERM", "SIGINT"), default="SIGTERM")
    asked = parser.parse_args()
    runs, clients, spinning, told = asked.runs, asked.clients, asked.busy, signal.Signals[asked.signal]
    codes, seconds, clean = Counter[str](), [], 0
    with busy(spinning):
        for number in range(runs):
            with serving("/health/ready", AUTODUBBER_MIN_FREE_BYTES="0") as server:
                found, took = asyncio.run(measure(server, clients, told, at_work=number % 2 == 1))
            codes += found
            seconds.append(took)
            clean += set(found) <= {"1001"}
            if set(found) - {"1001"}:
                print(f"run {number + 1}: {dict(found)} within {took:.1f} s, exit {server.process.returncode}")
    print(
        f"{runs} stops by {told.name}, {clients} sockets, {spinning} busy processes: {clean} clean; {dict(codes)}; "
        f"worst {max(seconds):.1f} s"
    )
    return 0 if clean == runs and max(seconds) < 10 else 1


if __name__ == "__main__":
    sys.exit(main())
