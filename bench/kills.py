"""A server that is killed (SIGKILL, its whole tree) every few seconds over three short jobs: how far they are after
each life, when they are done.

    python -m bench.kills [--every 3] [--cpu] [--jobs 12,30,60] [--within 600] [--burn] [--brought] [--program NAME]
A life counts from the start of the process. `work` is the time from there to the first child that works for a job.
"""

from __future__ import annotations

import argparse
import json
import lzma
import os
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import httpx
import psutil

from bench import material
from bench.server import free_port

LINES_EVERY_S = 5
_LOOK_S = 0.02
_WORKERS = ("app.dubbing.worker.child", "whisper.child", "espeak/child.py", "ffmpeg")


class Lives:
    """One data folder, and the servers that live on it one after another."""

    def __init__(self, program: str, data: Path, **environment: str) -> None:
        self.port, self.data, self._program = free_port(), data, program
        own = {"AUTODUBBER_DATA": str(data), "AUTODUBBER_PORT": str(self.port), "AUTODUBBER_MIN_FREE_BYTES": "0"}
        self._env = {**os.environ, **own, **environment}
        self._log = data.with_suffix(".log").open("ab")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        self._process = subprocess.Popen(
            [self._program, "serve"], env=self._env, stdout=self._log, stderr=self._log, start_new_session=True
        )

    def family(self) -> list[psutil.Process]:
        assert self._process is not None
        try:
            top = psutil.Process(self._process.pid)
            return [top, *top.children(recursive=True)]
        except psutil.NoSuchProcess:
            return []

    def spent_s(self) -> float:
        """CPU seconds of the server and of all children that it has and had."""
        total = 0.0
        for process in self.family():
            try:
                times = process.cpu_times()
            except psutil.Error:
                continue
            total += times.user + times.system + times.children_user + times.children_system
        return total

    def works(self) -> bool:
        for process in self.family():
            try:
                if any(name in " ".join(process.cmdline()) for name in _WORKERS):
                    return True
            except psutil.Error:
                continue
        return False

    def kill(self) -> None:
        """The whole tree at once, as a power cut does."""
        assert self._process is not None
        family = self.family()
        for process in family:
            try:
                process.kill()
            except psutil.NoSuchProcess:
                continue
        self._process.wait()
        while any(process.is_running() and process.status() != psutil.STATUS_ZOMBIE for process in family):
            time.sleep(_LOOK_S)

    def jobs(self) -> list[tuple[str, str, str]]:
        """Id, state and stage of every job, as the database has them."""
        with sqlite3.connect(f"file:{self.data / 'app.sqlite3'}?mode=ro", uri=True, timeout=10) as database:
            rows = database.execute("SELECT id, state, stage FROM jobs ORDER BY created_at").fetchall()
        return [(job_id, state, stage or "") for job_id, state, stage in rows]

    def kept(self) -> int:
        return sum(1 for path in (self.data / "cache").rglob("*") if path.is_file())


def submit(lives: Lives, files: list[tuple[Path, Path | None]], options: dict[str, str]) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{lives.port}", timeout=60) as client:
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            try:
                if client.get("/health/ready").status_code == 200:
                    break
            except httpx.TransportError:
                time.sleep(_LOOK_S)
        for film, lines in files:
            given: dict[str, Any] = {"file": film.open("rb")}
            if lines is not None:
                given["subtitles"] = lines.open("rb")
            answer = client.post("/api/jobs", files=given, data=options)
            assert answer.status_code == 201, answer.text


def live(lives: Lives, every_s: float, *, cpu: bool) -> float | None:
    """One life; when work went on, or None where it never did. `cpu`: it lasts so many CPU seconds, however long that
    takes on a busy machine."""
    started = time.monotonic()
    lives.start()
    worked: float | None = None
    while (age_s := lives.spent_s() if cpu else time.monotonic() - started) < every_s:
        if worked is None and lives.works():
            worked = time.monotonic() - started
        time.sleep(_LOOK_S if worked is None else max(0.0, min(0.25, every_s - age_s)))
        if worked is not None and all(state in ("completed", "failed") for _, state, _ in lives.jobs()):
            break
    lives.kill()
    return worked


def smallest(_: Path) -> list[str]:
    """The arguments of its smallest run."""
    return ["--every", "60", "--jobs", "3", "--brought", "--picture", "160x90"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--every", type=float, default=3.0, help="seconds of a life")
    parser.add_argument(
        "--cpu", action="store_true", help="count CPU seconds of the server and its children, on a busy machine"
    )
    parser.add_argument("--jobs", default="12,30,60", help="seconds of each video")
    parser.add_argument("--within", type=float, default=600.0, help="given up after so many seconds")
    parser.add_argument("--burn", action="store_true", help="draw the subtitles into the picture")
    parser.add_argument("--brought", action="store_true", help="bring subtitles instead of recognising")
    parser.add_argument("--picture", default="640x360")
    parser.add_argument("--program", default=str(Path(sys.executable).with_name("autodubber")))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="autodubber-bench-") as folder:
        root = Path(folder)
        model = root / "micro.pt"
        model.write_bytes(lzma.decompress((material.CLIP.parents[1] / "whisper-micro.pt.xz").read_bytes()))
        files: list[tuple[Path, Path | None]] = []
        for seconds in map(int, asked.jobs.split(",")):
            made = material.video if seconds <= 60 else material.long_video
            film = made(root / f"film{seconds}.mp4", seconds, asked.picture)
            lines = (
                material.subtitles(root / f"lines{seconds}.srt", seconds, max(2, seconds // LINES_EVERY_S))
                if asked.brought
                else None
            )
            files.append((film, lines))
        lives = Lives(asked.program, root / "data", AUTODUBBER_MODEL=str(model))
        lives.start()
        submit(lives, files, {"review": "false", "voice": "espeak:en", "burn_subtitles": json.dumps(asked.burn)})
        lives.kill()
        began, worked = time.monotonic(), []
        for life in range(1, 10_000):
            worked.append(live(lives, asked.every, cpu=asked.cpu))
            jobs = lives.jobs()
            at = f"{worked[-1]:.2f} s" if worked[-1] is not None else "never"
            said = ", ".join(f"{state} {stage}".strip() for _, state, stage in jobs)
            print(
                f"life {life:3}, {time.monotonic() - began:6.1f} s: work after {at}; {said}; {lives.kept()} files kept",
                flush=True,
            )
            if (
                all(state in ("completed", "failed", "review") for _, state, _ in jobs)
                or time.monotonic() - began > asked.within
            ):
                break
        done = sum(state == "completed" for _, state, _ in jobs)
        known = [value for value in worked if value is not None]
        unit = "CPU s" if asked.cpu else "s"
        print(
            f"a kill every {asked.every:g} {unit}: {done} of {len(jobs)} jobs completed after "
            f"{time.monotonic() - began:.1f} s and {life} lives"
        )
        if known:
            print(
                f"from the start to work: median {statistics.median(known):.2f} s, worst {max(known):.2f} s; "
                f"{worked.count(None)} lives without work"
            )
        if done < len(jobs):
            print(lives.data.with_suffix(".log").read_text(errors="replace")[-3000:])
    return 0 if done == len(jobs) else 1


if __name__ == "__main__":
    sys.exit(main())
