"""How fast a data folder of real sizes is backed up, verified and restored, with how much memory, and what follows for
200 GB.

    python -m bench.backup [--gigabytes 4] [--s3-gigabytes 1] [--plain] [--small-jobs] [--folder DIR]

The commands run as an operator runs them, one process each; its peak memory is the kernel's. S3 is the tests' double on
this machine, written in Python: the figure is what the double takes. Goals: restore of 200 GB in under 4 h (14 MB/s at
least); a backup every 24 h.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import msgspec

from app.domain.media import Artifact, ArtifactKind
from tests.doubles import s3 as double
from tests.doubles.s3_signature import ACCESS_KEY, REGION, SECRET_KEY
from tests.unit.backup.folders import OPTIONS, DataFolder

GOAL_BYTES: Final = 200e9
GOAL_S: Final = 4 * 3600.0


class Job(msgspec.Struct, frozen=True):
    """What a completed job keeps: ten minutes of 1080p at 2 Mbit/s; clips of three seconds of 48 kHz, 16 bit."""

    source_bytes: int = 150 << 20
    video_bytes: int = 150 << 20
    sound_bytes: int = 14 << 20
    clips: int = 90
    clip_bytes: int = 290_000

    @property
    def bytes(self) -> int:
        return self.source_bytes + self.video_bytes + self.sound_bytes + self.clips * self.clip_bytes


SMALL: Final = Job(1 << 20, 1 << 20, 1 << 16, 2, 10_000)


def smallest(_: Path) -> list[str]:
    """The arguments of its smallest run."""
    return ["--gigabytes", "0.001", "--s3-gigabytes", "0", "--plain", "--small-jobs"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gigabytes", type=float, default=4.0, help="in a folder; 0: not at all")
    parser.add_argument("--s3-gigabytes", type=float, default=1.0, help="in a bucket; 0: not at all")
    parser.add_argument("--plain", action="store_true", help="without encryption only")
    parser.add_argument(
        "--small-jobs", action="store_true", help=f"of {SMALL.bytes / 1e6:.0f} MB instead of {Job().bytes / 1e6:.0f}"
    )
    parser.add_argument("--folder", type=Path, help="where to work (default: the temporary folder)")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder, prefix="bench-backup-") as name:
        root = Path(name)
        print(f"{'':<34}{'MB':>8}{'s':>9}{'MB/s':>9}{'peak MiB':>10}")
        job, passwords = SMALL if arguments.small_jobs else Job(), ("",) if arguments.plain else ("", "a password")
        rates = [
            measure(root, job, "folder", arguments.gigabytes, password, {})
            for password in passwords
            if arguments.gigabytes
        ]
        for password in passwords if arguments.s3_gigabytes else ():
            with double.running(root / "s3") as (url, _):
                keys = {
                    "AWS_ACCESS_KEY_ID": ACCESS_KEY,
                    "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
                    "AWS_REGION": REGION,
                }
                rates.append(
                    measure(root, job, "S3", arguments.s3_gigabytes, password, keys | {"AWS_ENDPOINT_URL": url})
                )
            shutil.rmtree(root / "s3")
        print(f"\n200 GB at the rate of the restore ({os.cpu_count()} processors):")
        for label, first, restore in rates:
            hours = GOAL_BYTES / restore / 3600
            verdict = "within" if GOAL_BYTES / restore < GOAL_S else "NOT within"
            print(
                f"  {label:<22} first backup {GOAL_BYTES / first / 3600:5.2f} h, restore (RTO) {hours:5.2f} h: "
                f"{verdict} the goal of 4 h"
            )
        print(
            "RPO: the schedule, 24 h, and the time that a backup takes: what has changed, at the rate of a first "
            "backup."
        )


def measure(
    root: Path, job: Job, kind: str, gigabytes: float, password: str, environ: dict[str, str]
) -> tuple[str, float, float]:
    """One place from the first backup to the restore; returns what it is, and the rates of both in bytes per second."""
    label = f"{kind}, {'encrypted' if password else 'plain'}"
    data = DataFolder(root / "data")
    jobs = max(1, round(gigabytes * 1e9 / job.bytes))
    for number in range(jobs):
        make(data, job, f"job{number}")
    to = "s3://backups/bench" if environ else str(root / "place")
    environ = {**environ, "AUTODUBBER_BACKUP_TO": to, "AUTODUBBER_BACKUP_PASSWORD": password}
    steps = [
        ("backup, the first", "backup", jobs),
        ("backup, nothing changed", "backup", jobs),
        ("backup, one job more", "backup", 1),
    ]
    rates = {}
    for name, command, count in steps:
        if name == "backup, one job more":
            make(data, job, "more")
        rates[name] = step(f"{label}: {name}", command, data.root, count * job.bytes, environ)
    whole = (jobs + 1) * job.bytes
    step(f"{label}: verify", "verify --snapshot", data.root, whole, environ)
    data.close()
    restored = step(f"{label}: restore", "restore", root / "restored", whole, environ)
    same = all(
        digest(path) == digest(root / "restored" / path.relative_to(data.root))
        for path in list((data.root / "blobs/uploads").iterdir())[:2]
    )
    assert same, "what came back is not what was kept"
    for folder in ("data", "place", "restored"):
        shutil.rmtree(root / folder, ignore_errors=True)
    return label, rates["backup, the first"], restored


def step(name: str, command: str, data: Path, size_bytes: int, environ: dict[str, str]) -> float:
    """Run one command and print its line; returns bytes per second."""
    words = command.split()
    if "--snapshot" in words:
        words.append(newest(data, environ))
    os.sync()
    started = time.monotonic()
    process = subprocess.Popen(argv(words, data), env=os.environ | environ, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.monotonic() - started
    assert os.waitstatus_to_exitcode(status) == 0, name
    print(
        f"{name:<34}{size_bytes / 1e6:>8.0f}{seconds:>9.1f}{size_bytes / seconds / 1e6:>9.0f}"
        f"{usage.ru_maxrss / 1024:>10.0f}",
        flush=True,
    )
    return size_bytes / seconds


def newest(data: Path, environ: dict[str, str]) -> str:
    told: dict[str, Any] = json.loads(
        subprocess.run(argv(["backups"], data), env=os.environ | environ, capture_output=True, check=True).stdout
    )
    return str(told["snapshots"][-1]["id"])


def argv(words: list[str], data: Path) -> list[str]:
    return [sys.executable, "-m", "app", *words, "--json", "--data", str(data)]


def make(data: DataFolder, job: Job, job_id: str) -> None:
    """A job as a render leaves it: source, video, sound, spoken lines. Random bytes: media does not compress."""
    source = f"uploads/{job_id}"
    fill(data.root / "blobs" / source, job.source_bytes)
    data.store.insert(
        job_id, title=job_id, options=OPTIONS, source_key=source, subtitles_key=None, size_bytes=job.source_bytes
    )
    keys = []
    for number in range(job.clips):
        key = f"clips/{hashlib.sha256(f'{job_id}{number}'.encode()).hexdigest()}"
        fill(data.root / "blobs" / f"{key}.wav", job.clip_bytes)
        fill(data.root / "blobs" / f"{key}.json", 90)
        keys += [f"{key}.wav", f"{key}.json"]
    made = []
    for kind, extension, size_bytes in (
        (ArtifactKind.VIDEO, "mp4", job.video_bytes),
        (ArtifactKind.AUDIO, "m4a", job.sound_bytes),
    ):
        name = hashlib.sha256(f"{job_id}{kind}".encode()).hexdigest()
        fill(data.root / "blobs" / f"artifacts/{name}.{extension}", size_bytes)
        made.append(Artifact(kind, f"artifacts/{name}.{extension}", size_bytes, name, "video/mp4", extension))
    data.store.finish_stage(job_id, "mux", "1", {}, 1.0, keys=keys, artifacts=made)


def fill(path: Path, size_bytes: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for at in range(0, size_bytes, 1 << 20):
            file.write(os.urandom(min(1 << 20, size_bytes - at)))


def digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


if __name__ == "__main__":
    main()
