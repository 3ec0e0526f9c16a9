"""Processor seconds of the server for a gigabyte down and a gigabyte up (tus, pieces of 50 MB), beside another
checkout's in the same run.

Goals: at most 0.6 s for a whole download, at most 2.6 s for an upload, which is synced before it is acknowledged.

usage: python -m bench.transfer [--mb N] [--rounds N] [--before CHECKOUT]
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from bench.server import Server, serving

PIECE_BYTES = 50_000_000
_BLOCK = os.urandom(1 << 20)
_HERE = Path(__file__).resolve().parent.parent


def seed(checkout: Path | None, data: Path, size: int) -> str:
    """A finished job whose video has so many bytes, made by the checkout's own code; returns its id."""
    python = checkout / ".venv/bin/python" if checkout else Path(sys.executable)
    argv = [python, _HERE / "bench/filling.py", data, "--jobs", "1", "--lines", "2"]
    subprocess.run(
        argv, env={**os.environ, "PYTHONPATH": str(checkout or _HERE)}, check=True, stdout=subprocess.DEVNULL
    )
    with serving("/health/ready", data=data, checkout=checkout, AUTODUBBER_MIN_FREE_BYTES="0") as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port)
        connection.request("GET", "/api/jobs")
        job_id = json.load(connection.getresponse())["jobs"][0]["id"]
        connection.request("GET", f"/api/jobs/{job_id}")
        files = json.load(connection.getresponse())["artifacts"]
    path = data / "blobs" / next(file["key"] for file in files if file["kind"] == "video")
    path.parent.mkdir(parents=True)
    with path.open("wb") as file:
        for start in range(0, size, len(_BLOCK)):
            file.write(_BLOCK[: size - start])
    return str(job_id)


def down(server: Server, path: str, wanted: str = "") -> float:
    """The server's processor seconds for one download."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120)
    began, room = server.cpu_s(), bytearray(1 << 20)
    connection.request("GET", path, headers={"Range": wanted} if wanted else {})
    answer = connection.getresponse()
    assert answer.status == (206 if wanted else 200)
    left = int(answer.headers["Content-Length"])
    while got := answer.readinto(room):
        left -= got
    assert left == 0
    connection.close()
    return server.cpu_s() - began


def up(server: Server, size: int) -> float:
    """The server's processor seconds for one upload."""
    connection, began = http.client.HTTPConnection("127.0.0.1", server.port, timeout=120), server.cpu_s()
    tus = {"Tus-Resumable": "1.0.0"}
    name = base64.b64encode(b"film.mp4").decode()
    connection.request(
        "POST", "/api/uploads", headers=tus | {"Upload-Length": str(size), "Upload-Metadata": f"filename {name}"}
    )
    created = connection.getresponse()
    created.read()
    where = created.headers["Location"].partition(f":{server.port}")[2]
    for offset in range(0, size, PIECE_BYTES):
        length = min(PIECE_BYTES, size - offset)
        head = {
            "Upload-Offset": str(offset),
            "Content-Type": "application/offset+octet-stream",
            "Content-Length": str(length),
        }
        connection.request(
            "PATCH", where, headers=tus | head, body=(_BLOCK[: length - at] for at in range(0, length, len(_BLOCK)))
        )
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 204, answer.status
    connection.close()
    return server.cpu_s() - began


def smallest(_: Path) -> list[str]:
    """The arguments of its smallest run."""
    return ["--mb", "10", "--rounds", "1"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mb", type=int, default=1024, help="mebibytes of a file; the figures are for 1024 of them")
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--before", type=Path, help="another checkout, with .venv/bin/autodubber")
    arguments = parser.parse_args()
    size = arguments.mb << 20
    for name, checkout in (("before", arguments.before), ("now", None)):
        if name == "before" and checkout is None:
            continue
        with tempfile.TemporaryDirectory(prefix="autodubber-bench-") as folder:
            data = Path(folder) / "data"
            job_id = seed(checkout, data, size)
            limits = {"AUTODUBBER_MIN_FREE_BYTES": "0", "AUTODUBBER_MAX_UPLOAD_BYTES": str(size)}
            with serving("/health/ready", data=data, checkout=checkout, **limits) as server:
                time.sleep(3)  # the engine is up
                for _ in range(arguments.rounds):
                    whole, part = (
                        down(server, f"/download/video/{job_id}"),
                        down(server, f"/media/{job_id}/video", "bytes=1-"),
                    )
                    figures = (whole, part, up(server, size))
                    shown = [f"{seconds * 1024 / arguments.mb:.2f}" for seconds in figures]
                    print(f"{name}, CPU s a GiB: whole {shown[0]}, a range {shown[1]}, upload {shown[2]}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
