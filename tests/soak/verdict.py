"""After the soak: every job has ended for a true reason, every file is whole, the databases agree with the disk, and
nothing is left over."""

from __future__ import annotations

import hashlib
import json
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import httpx

from app.storage.clip_files import files_of
from app.storage.compact import long_key
from tests.integration.running import Running
from tests.integration.speech import duration_s
from tests.soak.people import Ledger

_ACTIVE: Final = ("queued", "preparing", "rendering")
# what a failed job may say here: nothing else was done to it
_TRUE_REASONS: Final = ("disk_full", "database_busy", "out_of_memory")
_SHOWN: Final = ("source", "peaks", "thumbnail")  # the rest is downloaded
_SETTLE_S: Final = 300.0
_MEMORY_BYTES: Final = 150 << 20  # more than at the start
_HANDLES: Final = 64  # the connections of two databases that stay open in their pools once they were needed
_OFF_S: Final = 0.12


class Verdict:
    """Collects what is wrong: `faults` is empty when nothing was lost."""

    def __init__(self, server: Running, ffmpeg: str, duration: float, ledger: Ledger) -> None:
        self._server, self._ffmpeg, self._duration_s, self._ledger = server, ffmpeg, duration, ledger
        self.faults: list[str] = list(ledger.faults)
        self.told: dict[str, int] = {}

    def of_jobs(self) -> None:
        """Ended, for a true reason; what failed or was cancelled goes on when it is asked to; what is finished is
        whole."""
        jobs = self._ended()
        for job in jobs:
            reason = (job["error"] or {}).get("code", "")
            self.told[f"{job['state']} {reason}".strip()] = self.told.get(f"{job['state']} {reason}".strip(), 0) + 1
            if job["state"] == "failed" and reason not in _TRUE_REASONS:
                self.faults.append(f"job {job['id']} failed with {reason} at {job['stage']}: {job['error']['message']}")
        self._promises({job["id"]: job for job in self._jobs()})
        for job in jobs:
            if job["state"] in ("failed", "cancelled"):
                self._go_on(job["id"])
        for job in self._ended():
            if job["state"] == "completed":
                self._whole(job)
            elif job["state"] != "review":
                self.faults.append(f"job {job['id']} does not go on: {job['state']} {job['error']}")

    def of_disk(self) -> None:
        """The databases are sound, each row has its file and each file its row; nothing is left of work that has
        ended."""
        data = self._server.data
        self._a_day_later(data / "blobs")
        with closing(sqlite3.connect(data / "app.sqlite3")) as database:
            self._sound(database, "app.sqlite3")
            database.create_function("long_key", 1, long_key)
            rows = database.execute(
                "SELECT long_key(key) FROM blob_references UNION SELECT key FROM artifacts UNION "
                "SELECT key FROM uploads WHERE complete"
            )
            wanted = set(files_of(row[0] for row in rows))
            uploads = {row[0] for row in database.execute("SELECT id FROM uploads")}
        with closing(sqlite3.connect(data / "engine.sqlite3")) as database:
            self._sound(database, "engine.sqlite3")
        here = {str(path.relative_to(data / "blobs")) for path in (data / "blobs").rglob("*") if path.is_file()}
        self.faults += [f"a row without its file: {key}" for key in sorted(wanted - here)[:5]]
        self.faults += [f"a file that nothing needs: {key}" for key in sorted(here - wanted)[:5]]
        self.faults += [
            f"an upload's file without its row: {path.name}"
            for path in (data / "uploads").iterdir()
            if path.name not in uploads
        ]
        self.faults += [f"scratch is left: {path.name}" for path in (data / "scratch").iterdir()]

    def of_process(self, before: tuple[int, int], after: tuple[int, int]) -> None:
        """Memory and handles came back. Each pair is bytes and open files."""
        if after[0] > before[0] + _MEMORY_BYTES:
            self.faults.append(f"memory: {before[0] >> 20} MB at the start, {after[0] >> 20} MB at the end")
        if after[1] > before[1] + _HANDLES:
            self.faults.append(f"open files: {before[1]} at the start, {after[1]} at the end")

    def of_log(self) -> None:
        """No crash was logged."""
        for line in self._server.logged().splitlines():
            if not line.startswith("{"):
                continue
            event = json.loads(line)
            if event.get("level") == "critical" or event.get("event") in ("stage crashed", "unexpected error"):
                self.faults.append(f"log: {event['event']}: {str(event.get('exception', line))[-300:]}")

    # ---------------------------------------------------------------- the parts

    def _a_day_later(self, blobs: Path) -> None:
        """What a kill left between a file and its row is deleted a day later: let that day pass."""
        past = time.time() - 2 * 86_400
        for path in blobs.rglob("*"):
            os.utime(path, (past, past))
        self._server.ok(self._server.client.post("/api/storage/clean", json={"dry_run": False}))

    def _jobs(self) -> list[dict[str, Any]]:
        listed = self._server.ok(self._server.client.get("/api/jobs", params={"limit": 200}))["jobs"]
        return [self._server.ok(self._server.client.get(f"/api/jobs/{job['id']}")) for job in listed]

    def _ended(self) -> list[dict[str, Any]]:
        deadline = time.monotonic() + _SETTLE_S
        while time.monotonic() < deadline:
            jobs = self._jobs()
            if not any(job["state"] in _ACTIVE for job in jobs):
                return jobs
            time.sleep(1.0)
        self.faults += [
            f"job {job['id']} is {job['state']} ({job['stage']}) for ever" for job in jobs if job["state"] in _ACTIVE
        ]
        return [job for job in jobs if job["state"] not in _ACTIVE]

    def _promises(self, jobs: dict[str, dict[str, Any]]) -> None:
        for job_id, known in self._ledger.jobs.items():
            if known.fate == "kept" and job_id not in jobs:
                self.faults.append(f"job {job_id} is gone: nobody deleted it")
            elif known.fate == "deleted" and job_id in jobs:
                self.faults.append(f"job {job_id} was deleted and is there")
            elif job_id in jobs and jobs[job_id]["title"] not in known.titles:
                self.faults.append(f"job {job_id} is called {jobs[job_id]['title']}, not {known.titles}")

    def _go_on(self, job_id: str) -> None:
        answer = self._server.client.post(f"/api/jobs/{job_id}/retry")
        if answer.status_code != 200:
            self.faults.append(f"retry of {job_id}: {answer.status_code} {answer.text[:200]}")

    def _whole(self, job: dict[str, Any]) -> None:
        """Each file has its hash; picture and sound have their length; the subtitles have their lines."""
        files = {}
        for artifact in job["artifacts"]:
            kind = artifact["kind"]
            answer = self._server.client.get(
                f"/media/{job['id']}/{kind}" if kind in _SHOWN else f"/download/{kind}/{job['id']}"
            )
            files[kind] = answer
            if answer.status_code != 200 or hashlib.sha256(answer.content).hexdigest() != artifact["sha256"]:
                self.faults.append(f"{kind} of {job['id']} is not what was made: {answer.status_code}")
        self._long_enough(job["id"], files)

    def _long_enough(self, job_id: str, files: dict[str, httpx.Response]) -> None:
        path = Path(self._server.data.parent / "look.mp4")
        path.write_bytes(files["video"].content)
        for stream in ("0:v:0", "0:a:0"):
            found = duration_s(self._ffmpeg, path, stream)
            if abs(found - self._duration_s) > _OFF_S:
                self.faults.append(f"video of {job_id}: {stream} has {found:.2f} s of {self._duration_s:.2f} s")
        path.unlink()

    def _sound(self, database: sqlite3.Connection, name: str) -> None:
        told = database.execute("PRAGMA integrity_check").fetchone()[0]
        if told != "ok":
            self.faults.append(f"{name}: {told}")
