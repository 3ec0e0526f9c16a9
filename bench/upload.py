"""A 2 GB upload over tus in 50 MB chunks, as the page sends it: seconds, and the server's memory before and at its
peak. Goal: under +100 MB.

python -m bench.upload [GIGABYTES] [--settle 5]
"""

from __future__ import annotations

import argparse
import base64
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx

from bench.server import Server, serving

CHUNK_BYTES = 50_000_000
BLOCK = bytes(range(256)) * 4096  # 1 MiB


class Peak(threading.Thread):
    """The most memory that the server's processes had together."""

    def __init__(self, server: Server) -> None:
        super().__init__(daemon=True)
        self._server = server
        self._over = threading.Event()
        self.bytes = 0

    def run(self) -> None:
        while not self._over.wait(0.1):
            self.bytes = max(self.bytes, self._server.memory_bytes())

    def stop(self) -> int:
        self._over.set()
        self.join()
        return self.bytes


def blocks(length: int) -> Iterator[bytes]:
    while length > 0:
        yield BLOCK[:length]
        length -= len(BLOCK)


def upload(url: str, total: int) -> None:
    name = base64.b64encode(b"film.mp4").decode()
    head = {"Tus-Resumable": "1.0.0"}
    with httpx.Client(base_url=url, timeout=120) as client:
        created = client.post(
            "/api/uploads", headers=head | {"Upload-Length": str(total), "Upload-Metadata": f"filename {name}"}
        )
        assert created.status_code == 201, created.text
        offset = 0
        while offset < total:
            length = min(CHUNK_BYTES, total - offset)
            patch = {
                "Upload-Offset": str(offset),
                "Content-Type": "application/offset+octet-stream",
                "Content-Length": str(length),
            }
            answer = client.patch(created.headers["Location"], headers=head | patch, content=blocks(length))
            assert answer.status_code == 204, answer.text
            offset = int(answer.headers["Upload-Offset"])


def smallest(_: Path) -> list[str]:
    """The arguments of its smallest run."""
    return ["0.01", "--settle", "0"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gigabytes", nargs="?", type=float, default=2)
    parser.add_argument("--settle", type=float, default=5, help="seconds until memory is measured first")
    asked = parser.parse_args()
    total = int(asked.gigabytes * (1 << 30))
    with serving("/health/ready", AUTODUBBER_MAX_UPLOAD_BYTES=str(total), AUTODUBBER_MIN_FREE_BYTES="0") as server:
        time.sleep(asked.settle)
        before = server.memory_bytes()
        peak = Peak(server)
        peak.start()
        started = time.perf_counter()
        upload(server.url, total)
        took = time.perf_counter() - started
        most = peak.stop()
    print(f"{total / (1 << 30):.1f} GiB in {took:.1f} s ({total / took / 1e6:.0f} MB/s)")
    print(
        f"server memory (PSS): {before / 1e6:.0f} MB before, {most / 1e6:.0f} MB at its peak: "
        f"+{(most - before) / 1e6:.0f} MB"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
