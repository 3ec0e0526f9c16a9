"""The image as it is run: size, start, health check, a whole job, crashes, stop under load, resume after `docker kill`,
rebuild after a change.

    IMAGE=NAME python -m bench.container [--rebuild]

Needs docker on the path and the image built; the container is read-only, without capabilities, as the image's own user.
`--rebuild` also builds the working tree's image twice more, after a change of the application and of the page. Goals:
first 200 under 3 s, back after a crash under 5 s, stop under 10 s with status 0, rebuild under 20 s.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import lzma
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
from websockets.sync.client import connect

from bench import material

IMAGE = os.environ.get("IMAGE", "autodubber")
ROOT = Path(__file__).resolve().parents[1]
NAME = "autodubber-bench"
LOCKED = [
    "--read-only",
    "--tmpfs",
    "/tmp:rw,nosuid,nodev,size=512m,mode=1777",  # noqa: S108
    "--cap-drop",
    "ALL",
    "--security-opt",
    "no-new-privileges",
]
TUS = {"Tus-Resumable": "1.0.0"}
ENDED = ("completed", "failed", "review", "cancelled")
_PROCESSES = """
import os
for pid in filter(str.isdigit, os.listdir('/proc')):
    try:
        line = open(f'/proc/{pid}/cmdline').read().split(chr(0))
        state, parent = open(f'/proc/{pid}/stat').read().rpartition(')')[2].split()[:2]
    except OSError:
        continue
    print(pid, parent, state, ' '.join(' '.join(line).split()) or '-')
"""
_COST = """
import resource, subprocess
for _ in range(10):
    subprocess.run(['autodubber', 'health'], stdout=subprocess.DEVNULL, check=True)
spent = resource.getrusage(resource.RUSAGE_CHILDREN)
print((spent.ru_utime + spent.ru_stime) / 10)
"""

_SCRIPTS = """
import os, pathlib, subprocess, tempfile
from app.dubbing.subtitles.ass_writer import write_ass
from app.dubbing.video.burn import font_environment
from app.dubbing.subtitles.cues import Cue
from app.media.ffmpeg import tool
texts = dict(Latin='Füße', Arabic='مرحبا',
             Hebrew='שלום', Devanagari='नमस्ते', Thai='สวัสดี', Chinese='你好', Japanese='こんにちは', Korean='안녕')
with tempfile.TemporaryDirectory() as folder:
    work = pathlib.Path(folder)
    for name, text in texts.items():
        (work / 'x.ass').write_text(write_ass([Cue(0.0, 1.0, text)], 320, 180))
        command = [tool(), '-f', 'lavfi', '-i', 'color=s=320x180:d=0.1', '-vf', 'ass=x.ass', '-f', 'null', '-']
        environment = os.environ | font_environment(work)
        done = subprocess.run(command, cwd=work, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, (name, done.stderr)
        assert 'failed to find' not in done.stderr and 'fontselect' in done.stderr, (name, done.stderr)
print(', '.join(texts))
"""


def docker(*arguments: str, check: bool = True) -> str:
    done = subprocess.run(["docker", *arguments], capture_output=True, text=True)
    if check and done.returncode:
        raise SystemExit(f"docker {' '.join(arguments)}: {done.stderr}")
    return done.stdout.strip()


def logged() -> str:
    done = subprocess.run(
        ["docker", "logs", "--tail", "40", NAME], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    return done.stdout


def row(what: str, found: str) -> None:
    print(f"{what:<52} {found}", flush=True)


class Contained:
    """One container on a data folder of its own, which outlives it."""

    def __init__(self, data: Path, **environ: str) -> None:
        self.data = data
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.client = httpx.Client(base_url=self.url, timeout=30)
        self._environ = [word for name, value in environ.items() for word in ("--env", f"{name}={value}")]

    def run(self) -> float:
        """Start it; seconds from `docker run` to the first 200."""
        docker("rm", "-f", NAME, check=False)
        began = time.perf_counter()
        docker(
            "run",
            "-d",
            "--name",
            NAME,
            "-p",
            f"127.0.0.1:{self.port}:8000",
            "-v",
            f"{self.data}:/data",
            *LOCKED,
            *self._environ,
            IMAGE,
        )
        return self.answers(began, "/health/live")

    def answers(self, began: float, path: str, within_s: float = 60.0) -> float:
        while time.perf_counter() - began < within_s:
            with contextlib.suppress(httpx.TransportError):
                if self.client.get(path).status_code == 200:
                    return time.perf_counter() - began
            if docker("inspect", "-f", "{{.State.Running}}", NAME) != "true":
                break
            time.sleep(0.02)
        raise SystemExit(f"{path} gives no 200 within {within_s} s:\n{logged()}")

    def inside(self, program: str) -> str:
        return docker("exec", NAME, "python", "-c", program)

    def processes(self) -> list[tuple[int, int, str]]:
        """Number, parent's number and state with command line ("Z -": ended and not yet waited for)."""
        lines = (line.split(" ", 2) for line in self.inside(_PROCESSES).splitlines())
        return [(int(pid), int(parent), line) for pid, parent, line in lines]

    def server(self) -> tuple[int, int]:
        """Process numbers, in the container, of the server and of its worker."""
        every = self.processes()
        parent = next(pid for pid, over, line in every if over == 1 and "autodubber serve" in line)
        worker = max(pid for pid, over, line in every if over == parent and "resource_tracker" not in line)
        return parent, worker

    def upload(self, path: Path) -> str:
        name = base64.b64encode(path.name.encode()).decode()
        head = TUS | {"Upload-Length": str(path.stat().st_size), "Upload-Metadata": f"filename {name}"}
        location = self.client.post("/api/uploads", headers=head).headers["Location"]
        head = TUS | {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
        self.client.patch(location, headers=head, content=path.read_bytes()).raise_for_status()
        return str(location.rpartition("/")[2])

    def create(self, path: Path, **options: Any) -> str:
        made = self.client.post(
            "/api/jobs", json={"upload_id": self.upload(path), "options": {"review": False, **options}}
        )
        made.raise_for_status()
        return str(made.json()["id"])

    def until(self, job: str, *arrived: str, within_s: float = 300.0) -> dict[str, Any]:
        """The first event that has one of these stages or states."""
        deadline = time.monotonic() + within_s
        with connect(f"ws://127.0.0.1:{self.port}/ws/{job}", max_size=None) as events:
            while (left := deadline - time.monotonic()) > 0:
                event: dict[str, Any] = json.loads(events.recv(timeout=left))
                state = event["job"]["state"] if "job" in event else ""
                if event.get("stage") in arrived or state in arrived:
                    return event
                if state in ENDED:
                    raise SystemExit(f"the job is {state}: {event['job'].get('error')}\n{logged()}")
        raise SystemExit(f"{arrived} not within {within_s} s")


def figures() -> None:
    size = int(docker("image", "inspect", "-f", "{{.Size}}", IMAGE))
    row("image size (docker image inspect .Size)", f"{size / 1e6:.0f} MB")


def starts(container: Contained, runs: int = 3) -> None:
    row("first 200, first start on an empty folder", f"{container.run():.2f} s")
    again = []
    for _ in range(runs):
        docker("stop", NAME)
        again.append(container.run())
    row(
        f"first 200, a new container on used data, {runs} runs",
        f"median {statistics.median(again):.2f} s, worst {max(again):.2f} s",
    )
    container.answers(time.perf_counter(), "/health/ready")
    row("processor time of one health check (every 30 s)", f"{float(container.inside(_COST)) * 1000:.0f} ms")


def whole_job(container: Contained, clip: Path) -> None:
    began = time.perf_counter()
    job = container.create(clip, burn_subtitles=True)
    ended = container.until(job, "completed")["job"]
    lines = container.client.get(f"/api/jobs/{job}/segments").json()["segments"]
    assert len(lines) > 3 and all(line["text"] for line in lines), lines
    made = [artifact["kind"] for artifact in ended["artifacts"] if artifact["kind"] in ("video", "audio", "srt", "vtt")]
    assert len(made) == 4, made
    for kind in made:
        answer = container.client.get(f"/download/{kind}/{job}")
        assert answer.status_code == 200 and len(answer.content) > 100, kind
    row(
        "a whole job: upload, Whisper, espeak, burned subtitles",
        f"{time.perf_counter() - began:.1f} s, {len(lines)} lines: {', '.join(made)}",
    )


def crashes(container: Contained, clip: Path) -> None:
    for what, which in (("worker", 1), ("server's parent", 0)):
        job = container.create(clip)
        container.until(job, "transcribe")
        victim = container.server()[which]
        began = time.perf_counter()
        container.inside(f"import os; os.kill({victim}, 9)")
        while victim in [pid for pid, _, _ in container.processes()]:
            pass
        back = container.answers(began, "/health/ready")
        container.until(job, "completed")
        row(f"kill -9 of the {what}: ready again after", f"{back:.2f} s; its job was completed")


def slow_upload(container: Contained, stop: threading.Event) -> None:
    """An upload that never ends by itself."""
    head = TUS | {"Upload-Length": str(64 << 20)}
    location = container.client.post("/api/uploads", headers=head).headers["Location"]

    def body() -> Iterator[bytes]:
        while not stop.wait(0.05):
            yield bytes(4096)

    head = TUS | {"Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    with contextlib.suppress(httpx.HTTPError), httpx.Client(base_url=container.url, timeout=30) as client:
        client.patch(location, headers=head, content=body())


def under_load(container: Contained, clip: Path, how: str) -> None:
    """Two jobs at work, an upload open, ten sockets connected; then `docker HOW`, start again, and both jobs go on."""
    stop = threading.Event()
    upload = threading.Thread(target=slow_upload, args=(container, stop), daemon=True)
    upload.start()
    jobs = [container.create(clip), container.create(clip)]
    container.until(jobs[0], "transcribe", "synthesize", "fit", "mix", "mux")
    with contextlib.ExitStack() as sockets:
        for _ in range(10):
            sockets.enter_context(connect(f"ws://127.0.0.1:{container.port}/ws"))
        began = time.perf_counter()
        docker(how, NAME)
        took = time.perf_counter() - began
        status = docker("inspect", "-f", "{{.State.ExitCode}}", NAME)
        stop.set()
    upload.join()
    began = time.perf_counter()
    docker("start", NAME)
    back = container.answers(began, "/health/live")
    container.until(jobs[0], "transcribe", "synthesize", "fit", "mix", "mux", "completed")
    resumed = time.perf_counter() - began
    for job in jobs:
        container.until(job, "completed")
    row(f"docker {how}: 2 jobs, 1 upload, 10 sockets", f"{took:.2f} s, exit status {status}")
    row(
        "  started again: first 200, then the job's next event",
        f"{back:.2f} s, {resumed:.2f} s; both jobs were completed",
    )


def rebuilds() -> None:
    with tempfile.TemporaryDirectory(prefix="autodubber-context-") as folder:
        context = Path(folder) / "context"
        names = subprocess.run(
            ["git", "ls-files", "-z", "-c", "-o", "--exclude-standard"],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
        for name in filter(None, names.stdout.split("\0")):
            if (ROOT / name).is_file():
                (context / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, context / name)
        build(context)
        for what, path, comment in (
            ("the application", "app/cli/main.py", "# "),
            ("the page", "web/src/app.css", "/* */"),
        ):
            with (context / path).open("a") as file:
                file.write(f"{comment}\n")
            row(f"docker build after a change of {what}", f"{build(context):.1f} s")


def build(context: Path) -> float:
    began = time.perf_counter()
    docker("build", "--quiet", "--network", "host", "--tag", f"{NAME}:rebuilt", str(context))
    return time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rebuild", action="store_true", help="build the image twice more, too")
    asked = parser.parse_args()
    if shutil.which("docker") is None:
        parser.error("there is no docker on the path")
    figures()
    with tempfile.TemporaryDirectory(prefix="autodubber-bench-") as folder:
        data = Path(folder) / "data"
        data.mkdir()
        data.chmod(0o1777)
        Path(folder).chmod(0o755)
        (data / "micro.pt").write_bytes(
            lzma.decompress((ROOT / "tests" / "fixtures" / "whisper-micro.pt.xz").read_bytes())
        )
        clip = material.video(Path(folder) / "clip.mp4", 40, "640x360")
        container = Contained(data, AUTODUBBER_MODEL="/data/micro.pt", AUTODUBBER_MIN_FREE_BYTES="0")
        try:
            starts(container)
            row("subtitles are drawn with shipped fonts alone", container.inside(_SCRIPTS))
            whole_job(container, clip)
            crashes(container, clip)
            under_load(container, clip, "stop")
            under_load(container, clip, "kill")
            row("zombies at the end", str(sum(line.startswith("Z") for _, _, line in container.processes())))
        finally:
            docker("rm", "-f", NAME, check=False)
    if asked.rebuild:
        rebuilds()
    return 0


if __name__ == "__main__":
    sys.exit(main())
