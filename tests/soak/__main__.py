"""usage: python -m tests.soak

SOAK_S: for how long (1200 s). SOAK_SEED: the seed of an earlier run, to do the same harms in the same order. Exits with
1 when anything is wrong.
"""

from __future__ import annotations

import collections
import lzma
import os
import random
import secrets
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from tests.conftest import FIXTURES
from tests.integration.running import Running
from tests.soak.harm import Harms, settle
from tests.soak.people import Ledger, Person
from tests.soak.verdict import Verdict
from tests.soak.volume import Volume, in_own_namespace

_DISK_BYTES = 260 << 20
_FLOOR_BYTES = 16 << 20
_DURATION_S = 5.0
_PEOPLE = 4
_REST_S = (0.5, 9.0)  # between two harms: the server works


def main() -> int:
    seconds, seed = float(os.environ.get("SOAK_S", "1200")), os.environ.get("SOAK_SEED") or secrets.token_hex(4)
    os.environ["SOAK_SEED"] = seed
    in_own_namespace()
    print(f"SOAK_SEED={seed} SOAK_S={seconds:.0f}", flush=True)
    with tempfile.TemporaryDirectory(prefix="autodubber-soak-") as folder:
        volume = Volume(Path(folder) / "disk", _DISK_BYTES).open()
        try:
            faults = soak(Path(folder), volume, seconds, seed)
        finally:
            volume.close()
    for fault in faults:
        print(f"FAULT {fault}")
    print(f"SOAK_SEED={seed}: " + (f"{len(faults)} faults" if faults else "nothing was lost"))
    return 1 if faults else 0


def soak(folder: Path, volume: Volume, seconds: float, seed: str) -> list[str]:
    """Returns what is wrong."""
    from app.media.ffmpeg import tool

    video, model = film(tool(), folder / "film.mp4"), folder / "micro.pt"
    model.write_bytes(lzma.decompress((FIXTURES / "whisper-micro.pt.xz").read_bytes()))
    environ = {
        "AUTODUBBER_MODEL": str(model),
        "AUTODUBBER_THREADS": "1",
        "AUTODUBBER_MIN_FREE_BYTES": str(_FLOOR_BYTES),
    }
    server = Running(volume.path / "data", **environ)
    server.log = server.errors = folder / "server.log"
    server.start()
    try:
        before = weight(server)
        ledger, over, rng = Ledger(), threading.Event(), random.Random(seed)
        people: list[threading.Thread] = [
            Person(server.url, video, ledger, f"{seed}-{at}", over) for at in range(_PEOPLE)
        ]
        for person in people:
            person.start()
        harms, began = Harms(server, volume, seed), time.monotonic()
        while time.monotonic() - began < seconds:
            time.sleep(rng.uniform(*_REST_S))
            harm = harms.one()
            print(
                (
                    f"{time.monotonic() - began:7.1f} s  {harm}  ({sum(ledger.answers.values())} answers, "
                    f"{len(ledger.jobs)} jobs)"
                ),
                flush=True,
            )
        settle(server, volume, over, people)
        return judge(server, tool(), ledger, harms.done, before)
    finally:
        server.close()


def judge(
    server: Running, ffmpeg: str, ledger: Ledger, done: collections.Counter[str], before: tuple[int, int]
) -> list[str]:
    verdict = Verdict(server, ffmpeg, _DURATION_S, ledger)
    verdict.of_jobs()
    verdict.of_process(before, weight(server))
    server.kill()  # the last proof that a start leaves nothing behind
    server.start()
    verdict.of_disk()
    verdict.of_log()
    print("harms:", dict(done))
    print("answers:", dict(sorted(ledger.answers.items())))
    print("jobs:", verdict.told)
    return verdict.faults


def weight(server: Running) -> tuple[int, int]:
    """The server's memory (PSS, bytes) and open files."""
    family = server.family()
    return sum(process.memory_full_info().pss for process in family), sum(process.num_fds() for process in family)


def film(ffmpeg: str, path: Path) -> Path:
    """5 s of speech that the small checkpoint knows, under a moving picture."""
    picture = ["-f", "lavfi", "-i", f"testsrc2=size=320x180:rate=25:duration={_DURATION_S}"]
    codecs = ["-t", str(_DURATION_S), "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-c:a", "aac"]
    argv = [
        ffmpeg,
        "-v",
        "error",
        "-nostdin",
        *picture,
        "-i",
        str(FIXTURES / "clips" / "en_short.flac"),
        *codecs,
        str(path),
    ]
    subprocess.run(argv, check=True)
    return path


if __name__ == "__main__":
    sys.exit(main())
