"""How long what is kept takes to measure, and a dry run to plan: `python -m bench.storage` (10,000 jobs with 8 spoken
lines each).

The first figure reads every file's size once; later ones only folders that changed. All with one processor's worth of
Python, no network.
"""

from __future__ import annotations

import argparse
import hashlib
import tempfile
import time
from pathlib import Path

from sqlalchemy import insert

from app.domain.retention import Kind, Rule
from app.retention.cleaner import Cleaner
from app.retention.usage import FRESH_S, StorageUsage
from app.storage import tables as t
from app.storage.blobs import FolderBlobs
from app.storage.clip_files import row_of
from app.storage.database import migrate, open_database
from app.storage.disk_floor import Floor


def smallest(_: Path) -> list[str]:
    """The arguments of its smallest run."""
    return ["--jobs", "10", "--lines", "1"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--lines", type=int, default=8)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        database = open_database(f"sqlite:///{data / 'app.sqlite3'}")
        migrate(database)
        blobs = FolderBlobs(data / "blobs")
        files = _fill(database, data / "blobs", arguments.jobs, arguments.lines)
        rules = tuple(Rule(kind, 30.0, 1, "", "") for kind in Kind)
        cleaner = Cleaner(database=database, blobs=blobs, data=data, rules=rules)
        stock = StorageUsage(
            data=data, database=database, blobs=blobs, cleaner=cleaner, floor=Floor(blobs.free_bytes, 0)
        )
        time.sleep(2.5)  # a folder that changed just now is read again
        print(f"{arguments.jobs} jobs, {files} files")
        started = time.perf_counter()
        first = stock.report()
        print(f"first report: {time.perf_counter() - started:.3f} s")
        while not first.measured_at:
            first = stock.report()
        print(f"first figures: {time.perf_counter() - started:.3f} s")
        for pause_s in (0.0, FRESH_S + 0.1):
            time.sleep(pause_s)
            started = time.perf_counter()
            stock.report()
            print(f"a report {pause_s:.0f} s later: {time.perf_counter() - started:.3f} s")
        started = time.perf_counter()
        planned = cleaner.plan()
        print(f"dry run with every rule: {time.perf_counter() - started:.1f} s, {len(planned)} deletions")
        database.dispose()


def _fill(database: object, folder: Path, jobs: int, lines: int) -> int:
    rows, references, count = [], [], 0
    for number in range(jobs):
        job_id = f"{number:032x}"
        name = hashlib.sha256(job_id.encode()).hexdigest()
        keys = [f"uploads/{job_id}", *(f"ingest/{name}/{file}" for file in ("speech.wav", "peaks.dat", "energies.f32"))]
        keys += [f"artifacts/{name}.{ending}" for ending in ("mp4", "m4a", "srt", "vtt", "ass", "json")]
        keys += [f"clips/{name[:60]}{line:04x}.{ending}" for line in range(lines) for ending in ("wav", "json")]
        for key in keys:
            path = folder / key
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")
        count += len(keys)
        rows.append(
            {
                "id": job_id,
                "title": job_id,
                "state": "completed",
                "phase": "render",
                "stage_progress": 0,
                "progress": 1,
                "options": {},
                "source_key": keys[0],
                "size_bytes": 1,
                "revision": 1,
                "created_at": number,
                "updated_at": time.time() - number,
            }
        )
        references += [{"job_id": job_id, "key": key} for key in sorted({row_of(key) for key in keys})]
    with database.begin() as c:  # type: ignore[attr-defined]
        c.execute(insert(t.jobs), rows)
        c.execute(insert(t.blob_references), references)
    return count


if __name__ == "__main__":
    main()
