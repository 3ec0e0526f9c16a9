"""A large upload and a large download: directly, and through nginx, Caddy and Traefik as deploy/proxies sets them up,
with and without TLS.

Up: tus, in chunks of 50 MB as the page sends them, in one request, and the chunks over HTTP/2, as browsers speak it to
a proxy with TLS (by curl; the ratio is to the chunks over HTTP/1.1). Down: one stream, and 8 ranges at once. For each:
MB/s, the ratio to the direct way of the same run, and the processor seconds per GB of proxy and server. The client is
on the same machine: where that is small, it takes its share. Requirement: above 10 MB/s; goal: above 100 MB/s.

    python -m bench.proxies [GIGABYTES] [nginx caddy traefik]
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import ssl
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import urlsplit

import msgspec
import psutil

from app.domain.media import ArtifactKind
from bench.server import Server, serving
from tests.deploy.authority import Authority
from tests.deploy.proxies import NAMES, Proxy, proxy
from tests.unit.api.serving import seed_job

CHUNK_BYTES = 50_000_000
BLOCK = bytes(range(256)) * 4096  # 1 MiB
TUS = {"Tus-Resumable": "1.0.0"}
RANGES = 8


class Way(msgspec.Struct, frozen=True):
    """One way to the server: its address, who must be trusted, and the proxy's process."""

    name: str
    url: str
    ca: Path | None
    context: ssl.SSLContext | None
    process: int | None

    def connection(self) -> http.client.HTTPConnection:
        place = urlsplit(self.url)
        if self.context is not None:
            return http.client.HTTPSConnection(
                place.hostname or "", place.port, timeout=300, context=self.context, blocksize=len(BLOCK)
            )
        return http.client.HTTPConnection(place.hostname or "", place.port, timeout=300, blocksize=len(BLOCK))


def blocks(length: int) -> Iterator[memoryview]:
    whole = memoryview(BLOCK)
    while length > 0:
        yield whole[:length]
        length -= len(whole)


def upload(way: Way, total: int, chunk: int) -> float:
    """Seconds for the bytes; the upload is deleted afterwards."""
    connection = way.connection()

    def ask(method: str, address: str, length: int = 0, **headers: str) -> http.client.HTTPResponse:
        sent = (
            TUS | {name.replace("_", "-"): value for name, value in headers.items()} | {"Content-Length": str(length)}
        )
        connection.request(method, address, body=blocks(length) if length else None, headers=sent)
        answer = connection.getresponse()
        told = answer.read()
        assert answer.status in (201, 204), (answer.status, told)
        return answer

    began = time.perf_counter()
    address = urlsplit(ask("POST", "/api/uploads", Upload_Length=str(total)).headers["Location"]).path
    for offset in range(0, total, chunk):
        answer = ask(
            "PATCH",
            address,
            min(chunk, total - offset),
            Upload_Offset=str(offset),
            Content_Type="application/offset+octet-stream",
        )
    assert answer.headers["Upload-Offset"] == str(total)
    took = time.perf_counter() - began
    ask("DELETE", address)
    connection.close()
    return took


def upload_by_curl(way: Way, total: int, ca: Path) -> float:
    """The same in chunks over HTTP/2, as browsers speak it to a proxy with TLS."""
    connection, chunk = way.connection(), ca.with_name("chunk")
    chunk.write_bytes(b"".join(blocks(CHUNK_BYTES)))
    begun = time.perf_counter()
    connection.request("POST", "/api/uploads", headers={**TUS, "Upload-Length": str(total)})
    answer = connection.getresponse()
    answer.read()
    address = way.url + urlsplit(answer.headers["Location"]).path
    head = [
        part
        for name, value in {**TUS, "Content-Type": "application/offset+octet-stream", "Expect": ""}.items()
        for part in ("-H", f"{name}: {value}")
    ]
    fixed = [
        "curl",
        "-sS",
        "--http2",
        "--cacert",
        str(ca),
        "-X",
        "PATCH",
        *head,
        "-T",
        str(chunk),
        "-w",
        "%{http_code} %{http_version}",
    ]
    for offset in range(0, total, CHUNK_BYTES):
        told = subprocess.run(
            [*fixed, "-H", f"Upload-Offset: {offset}", address], capture_output=True, text=True, check=True
        )
        assert told.stdout == "204 2", told.stdout
    took = time.perf_counter() - begun
    connection.request("DELETE", address.removeprefix(way.url), headers=TUS)
    connection.getresponse().read()
    connection.close()
    return took


def download(way: Way, address: str, total: int, parts: int) -> float:
    """Seconds until every byte is here, in `parts` ranges at once; 1 is one request for the whole file."""

    def fetch(part: int) -> int:
        first, last = total * part // parts, total * (part + 1) // parts - 1
        connection, buffer, got = way.connection(), bytearray(len(BLOCK)), 0
        connection.request("GET", address, headers={"Range": f"bytes={first}-{last}"} if parts > 1 else {})
        answer = connection.getresponse()
        assert answer.status == (206 if parts > 1 else 200), answer.status
        while read := answer.readinto(buffer):
            got += read
        connection.close()
        return got

    began = time.perf_counter()
    with ThreadPoolExecutor(parts) as pool:
        assert sum(pool.map(fetch, range(parts))) == total
    return time.perf_counter() - began


def cpu_s(process: int | None) -> float:
    """User and system seconds of a process and its children so far."""
    if process is None:
        return 0.0
    top = psutil.Process(process)
    spent = [p.cpu_times() for p in [top, *top.children(recursive=True)]]
    return float(sum(times.user + times.system for times in spent))


def measure(
    way: Way, server: Server, runs: dict[str, Callable[[Way], float | None]], total: int, direct: dict[str, float]
) -> None:
    for name, run in runs.items():
        before = cpu_s(way.process), cpu_s(server.process.pid)
        if (took := run(way)) is None:
            continue
        proxy_s, server_s = cpu_s(way.process) - before[0], cpu_s(server.process.pid) - before[1]
        rate = total / took / 1e6
        ratio = rate / direct.setdefault(name, direct.get("up, 50 MB chunks", rate) if "HTTP/2" in name else rate)
        shares = f"{proxy_s * 1e9 / total:5.2f} {server_s * 1e9 / total:7.2f}"
        print(f"{way.name:14} {name:16} {rate:7.0f} {ratio:7.2f} {shares}", flush=True)


@contextlib.contextmanager
def ways(server: Server, names: list[str], folder: Path) -> Iterator[Iterator[Way]]:
    authority = Authority(folder)

    def each() -> Iterator[Way]:
        yield Way("direct", server.url, None, None, None)
        for name in names:
            for tls in (False, True):
                with proxy(name, server.port, folder / f"{name}-{tls}", authority, tls=tls) as running:
                    yield made(running, tls)

    def made(running: Proxy, tls: bool) -> Way:
        return Way(
            f"{running.name} {'TLS' if tls else ''}",
            running.url,
            running.authority.ca if tls else None,
            running.authority.context() if tls else None,
            running.process.pid,
        )

    yield each()


def large_job(data: Path, total: int) -> str:
    """A completed job whose video has that many bytes."""
    job_id = seed_job(data, {ArtifactKind.VIDEO: (b"video", "video/mp4", "mp4")})
    with (data / "blobs" / "artifacts" / job_id / "video").open("wb") as file:
        for block in blocks(total):
            file.write(block)
    return job_id


def smallest(_: Path) -> list[str]:
    """The arguments of its smallest run."""
    return ["0.05", "nginx"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("gigabytes", nargs="?", type=float, default=2)
    parser.add_argument(
        "proxies", nargs="*", choices=[*NAMES, []], metavar="PROXY", help=f"of {', '.join(NAMES)}; none: all"
    )
    asked = parser.parse_args()
    total = int(asked.gigabytes * 1e9)
    with tempfile.TemporaryDirectory(prefix="autodubber-bench-") as name:
        folder = Path(name)
        address = f"/download/video/{large_job(folder / 'data', total)}"
        runs: dict[str, Callable[[Way], float | None]] = {
            "up, 50 MB chunks": lambda way: upload(way, total, CHUNK_BYTES),
            "up, one request": lambda way: upload(way, total, total),
            "up, HTTP/2": lambda way: (
                upload_by_curl(way, total // CHUNK_BYTES * CHUNK_BYTES, way.ca) if way.ca else None
            ),
            "down, one stream": lambda way: download(way, address, total, 1),
            "down, 8 ranges": lambda way: download(way, address, total, RANGES),
        }
        direct: dict[str, float] = {}
        with serving(
            "/health/ready", data=folder / "data", AUTODUBBER_MIN_FREE_BYTES="0", AUTODUBBER_LOG_LEVEL="warning"
        ) as server:
            print(
                f"{total / 1e9:g} GB. CPU: processor seconds per GB\n{'way':14} {'what':16} {'MB/s':>7} {'ratio':>7} "
                f"{'proxy':>5} {'server':>7}"
            )
            with ways(server, asked.proxies or list(NAMES), folder) as each:
                for way in each:
                    measure(way, server, runs, total, direct)
    return 0


if __name__ == "__main__":
    sys.exit(main())
