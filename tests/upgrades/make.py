"""Make a data folder with jobs in every state, by the program of one release, for the tests of upgrades.

    .venv/bin/python -m tests.upgrades.make NAME [--program PATH]

writes tests/fixtures/upgrades/NAME.tar.xz. PATH is the `autodubber` of the release (of another checkout, for an old
one); without it, this one's. Only the program's command line, its HTTP API and its processes are used, so that any
release can be asked. Every release runs this once (docs/releasing.md), and the folder stays: each later version must
bring it up.

A job that is held in a stage has begun it, and its child process is stopped there; then the server is killed with
everything it runs.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import signal
import subprocess
import sys
import tarfile
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import httpx
import psutil

from app.media.ffmpeg import tool
from tests.doubles import elevenlabs as double
from tests.integration.running import Running

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
UPGRADES = FIXTURES / "upgrades"
VOICE = "elevenlabs:EnglishMale000000002"
PREPARING = ("probe", "ingest", "transcribe")
RENDERING = ("synthesize", "fit", "mix", "mux")
LEFT_OUT = (".reserve", ".lock", "cache", "scratch")  # of the data folder: what only costs time or room
HELD_WORD = "Held"  # begins a line that the voice service does not answer
REFUSED_WORD = "Refused"


def lines(name: str, second: str = "") -> str:
    """The subtitles of a job: two lines that no other job has."""
    return (
        f"1\n00:00:00,500 --> 00:00:03,500\nThe first of {name}.\n\n2\n00:00:04,500 --> 00:00:08,500\n{second}The "
        f"second of {name}.\n"
    )


class Maker:
    """The server of a release, and the jobs that it is given."""

    def __init__(self, server: Running, film: Path, work: Path, service: str) -> None:
        self.server, self._film, self._work, self._service = server, film, work, service
        self.jobs: dict[str, str] = {}

    def make(self) -> None:
        for name in ("review", "completed", "failed", "cancelled", *RENDERING, "queued render"):
            second = {
                "failed": f"{REFUSED_WORD} is ",
                "cancelled": f"{HELD_WORD} is ",
                "synthesize": f"{HELD_WORD} is ",
            }.get(name, "")
            self._create(name, second)
            self.server.wait(self.jobs[name], "review")
        self._approve("completed")
        self.server.wait(self.jobs["completed"], "completed")
        self._faults(
            {"kind": "status", "status": 400, "times": 50, "text": f'"text":"{REFUSED_WORD}'},
            {"kind": "delay", "delay_s": 900, "times": 50, "text": f'"text":"{HELD_WORD}'},
        )
        self._approve("failed")
        self.server.until(self.jobs["failed"], lambda event: "job" in event and event["job"]["state"] == "failed")
        self._approve("cancelled")
        self._until_bought("The first of cancelled.")
        self.server.act(self.jobs["cancelled"], "cancel")
        for name in RENDERING:
            if name == "synthesize":
                self._approve(name)
                self._until_bought("The first of synthesize.")
            else:
                self._hold(name, lambda name=name: self._approve(name))
        self._approve("queued render")
        for name in PREPARING:
            self._hold(name, lambda name=name: self._create(name, recognised=name == "transcribe"))
        self._create("queued prepare")
        for name in (*PREPARING, *RENDERING):
            job = self.server.job(self.jobs[name])
            assert job["stage"] == name and job["state"] in ("preparing", "rendering"), (
                name,
                job["state"],
                job["stage"],
            )
        assert {self.server.job(self.jobs[name])["state"] for name in ("queued prepare", "queued render")} == {"queued"}

    def _create(self, name: str, second: str = "", *, recognised: bool = False) -> None:
        subtitles = self._work / f"{name}.srt"
        subtitles.write_text(lines(name, second))
        given = None if recognised else self.server.upload(subtitles)
        job = self.server.create(
            self.server.upload(self._film, f"{name}.mp4"), subtitles=given, voice=VOICE, language="en", review=True
        )
        self.jobs[name] = job["id"]

    def _approve(self, name: str) -> None:
        self.server.act(self.jobs[name], "approve")

    def _faults(self, *faults: dict[str, Any]) -> None:
        httpx.post(f"{self._service}/_faults", json=list(faults)).raise_for_status()

    def _until_bought(self, text: str) -> None:
        deadline = time.monotonic() + 30
        while not any(
            call["text"] == text and call["charged"] for call in httpx.get(f"{self._service}/_journal").json()["calls"]
        ):
            assert time.monotonic() < deadline, f"{text} is not bought"
            time.sleep(0.02)

    def _hold(self, stage: str, begin: Any) -> None:
        """Let a job run into a stage, and stop the processes that work for it there."""
        known = {process.pid for process in self.server.family()}
        at_stage, over = threading.Event(), threading.Event()

        def stop_children() -> None:
            while not over.is_set():
                for process in self.server.family():
                    if process.pid not in known and at_stage.is_set():
                        os.kill(process.pid, signal.SIGSTOP)
                        known.add(process.pid)
                        over.set()
                time.sleep(0.002)

        begin()
        stopper = threading.Thread(target=stop_children)
        stopper.start()
        try:
            self.server.until(self.jobs[stage], lambda event: _stage_of(event) == stage)
            at_stage.set()
            assert over.wait(30), f"nothing works in {stage}"
        finally:
            over.set()
            stopper.join()


def _stage_of(event: dict[str, Any]) -> str | None:
    return event.get("stage") or event.get("job", {}).get("stage")


def film(folder: Path) -> Path:
    path = folder / "film.mp4"
    picture = ["-f", "lavfi", "-i", "color=navy:size=64x48:rate=5:duration=10"]
    codecs = [
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-pix_fmt",
        "yuv420p",
        "-c:a",
        "aac",
        "-b:a",
        "32k",
        "-shortest",
    ]
    subprocess.run(
        [tool(), "-v", "error", *picture, "-i", FIXTURES / "clips" / "en_short.flac", *codecs, path], check=True
    )
    return path


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("name", help="the release, 0.2.0")
    parser.add_argument("--program", type=Path, default=Path(sys.executable).with_name("autodubber"))
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, double.running() as service:
        work = Path(folder)
        checkpoint = work / "micro.pt"
        checkpoint.write_bytes(lzma.decompress((FIXTURES / "whisper-micro.pt.xz").read_bytes()))
        server = Running(
            work / "data",
            AUTODUBBER_MODEL=str(checkpoint),
            AUTODUBBER_THREADS="1",
            ELEVENLABS_API_KEY=double.KEY,
            ELEVENLABS_BASE_URL=service,
            AUTODUBBER_PREPARE_AT_ONCE=str(len(PREPARING)),
            AUTODUBBER_RENDER_AT_ONCE=str(len(RENDERING)),
        )
        # not here, where the names of this version lie
        server.command, server.folder = [str(arguments.program), "serve"], work
        maker = Maker(server.start(), film(work), work, service)
        try:
            maker.make()
            family = server.family()
        finally:
            for process in psutil.Process(server.process.pid).children(recursive=True) if server.process else []:
                process.kill()
            server.close()
        psutil.wait_procs(family, timeout=10)
        version = subprocess.run(
            [arguments.program, "--version"], capture_output=True, text=True, check=True
        ).stdout.strip()
        told = {"version": version, "model": str(checkpoint), "jobs": maker.jobs}
        (server.data / "upgrade.json").write_text(json.dumps(told, indent=1) + "\n")
        UPGRADES.mkdir(exist_ok=True)
        out = UPGRADES / f"{arguments.name}.tar.xz"
        with (
            lzma.open(out, "wb", preset=9 | lzma.PRESET_EXTREME) as packed,
            tarfile.open(fileobj=packed, mode="w") as tar,
        ):
            tar.add(
                server.data,
                arcname="data",
                filter=lambda member: None if Path(member.name).name in LEFT_OUT else member,
            )
        print(f"{out}: {out.stat().st_size >> 10} kB, {len(maker.jobs)} jobs by {version}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
