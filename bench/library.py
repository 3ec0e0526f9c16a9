"""The list of jobs: processor time, bytes and answers a second, of few jobs and of many; `--before CHECKOUT` measures
that one in the same run.

Goals: at most 4 ms of one processor and 25 KiB for 50 jobs, 400 answers a second over 16 connections, the same at
10,000 jobs as at 10.

usage: python -m bench.library [--jobs N ...] [--lines N] [--requests N] [--before CHECKOUT] [--path PATH]
"""

from __future__ import annotations

import argparse
import asyncio
import http.client
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.server import Server, serving

CONNECTIONS = 16
_HERE = Path(__file__).resolve().parent.parent


def python_of(checkout: Path | None) -> Path:
    return checkout / ".venv/bin/python" if checkout else Path(sys.executable)


def fill(checkout: Path | None, folder: Path, jobs: int, lines: int) -> None:
    """By the checkout's own code: its tables are those of its version."""
    argv = [python_of(checkout), _HERE / "bench/filling.py", folder, "--jobs", str(jobs), "--lines", str(lines)]
    subprocess.run(
        argv, env={**os.environ, "PYTHONPATH": str(checkout or _HERE)}, check=True, stdout=subprocess.DEVNULL
    )


def one_by_one(server: Server, path: str, requests: int, headers: dict[str, str]) -> tuple[float, int, int, str]:
    """Processor milliseconds a request, the status, the bytes of a body, and its ETag."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
    status, size, tag, began = 0, 0, "", 0.0
    for number in range(-5, requests):
        if number == 0:
            began = server.cpu_s()
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        status, size, tag = answer.status, len(answer.read()), answer.getheader("ETag") or ""
    connection.close()
    return (server.cpu_s() - began) / requests * 1000, status, size, tag


async def _connection(port: int, path: str, took: list[float], until: float) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    asked = f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n".encode()
    while (began := time.perf_counter()) < until:
        writer.write(asked)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        await reader.readexactly(length)
        took.append(time.perf_counter() - began)
    writer.close()


async def at_once(port: int, path: str, seconds: float) -> tuple[float, float]:
    """Answers a second over 16 connections, and the 99th percentile of their milliseconds."""
    took: list[float] = []
    until = time.perf_counter() + seconds
    await asyncio.gather(*(_connection(port, path, took, until) for _ in range(CONNECTIONS)))
    return len(took) / seconds, statistics.quantiles(took, n=100)[98] * 1000


def measure(name: str, checkout: Path | None, data: Path, arguments: argparse.Namespace) -> None:
    with serving(
        "/health/ready", data=data, checkout=checkout, AUTODUBBER_MIN_FREE_BYTES="0", AUTODUBBER_ACCESS_LOG="true"
    ) as server:
        cpu_ms, status, size, tag = one_by_one(server, arguments.path, arguments.requests, {})
        line = f"{name}: {status}, {cpu_ms:.2f} ms CPU, {size / 1024:.1f} KiB"
        cpu_ms, status, size, _ = one_by_one(server, arguments.path, arguments.requests, {"Accept-Encoding": "gzip"})
        line += f"; gzip {cpu_ms:.2f} ms, {size / 1024:.1f} KiB"
        if tag:
            cpu_ms, status, size, _ = one_by_one(server, arguments.path, arguments.requests, {"If-None-Match": tag})
            line += f"; {status} {cpu_ms:.2f} ms, {size} bytes"
        rate, p99_ms = asyncio.run(at_once(server.port, arguments.path, arguments.seconds))
        print(f"{line}; {CONNECTIONS} connections: {rate:.0f} a second, p99 {p99_ms:.0f} ms", flush=True)


def smallest(_: Path) -> list[str]:
    """The arguments of its smallest run."""
    return ["--jobs", "2", "3", "--lines", "2", "--requests", "5", "--seconds", "0.2"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, nargs="+", default=[10, 10_000])
    parser.add_argument("--lines", type=int, default=30)
    parser.add_argument("--requests", type=int, default=300)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--path", default="/api/jobs?limit=50")
    parser.add_argument("--before", type=Path, help="another checkout, with .venv/bin/autodubber")
    parser.add_argument("--data", type=Path, help="keep the filled folders here, and use what is there")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="autodubber-bench-") as scratch:
        for jobs in arguments.jobs:
            for name, checkout in (("before", arguments.before), ("now", None)):
                if name == "before" and checkout is None:
                    continue
                data = (arguments.data or Path(scratch)) / f"{name}-{jobs}-{arguments.lines}"
                if not data.exists():
                    fill(checkout, data, jobs, arguments.lines)
                size = sum(file.stat().st_size for file in data.glob("app.sqlite3*"))
                measure(f"{jobs} jobs, database {size / 1e6:.0f} MB, {name}", checkout, data, arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
