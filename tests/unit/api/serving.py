"""A real server in a process of its own, and data folders with something in them."""

from __future__ import annotations

import hashlib
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx

from app.domain.dub_options import DubOptions, changed
from app.domain.job import JobState
from app.domain.media import Artifact, ArtifactKind
from app.domain.segment import Segment
from app.storage.blobs import FolderBlobs
from app.storage.database import migrate, open_database
from app.storage.jobs import JobStore

TITLE = "Видео “日本” № 1"
OPTIONS = changed(DubOptions(), recognizer="openai-whisper", model="tiny", voice="espeak:en", audio_track=0)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


SERVE = [sys.executable, "-m", "app", "serve"]
# A server that never kills a worker that does not end by itself: where a stop is swallowed, waiting for its end fails.
PATIENT = [
    sys.executable,
    "-c",
    (
        "from app.cli.main import main; from app.server import granian; granian.KILL_AFTER_S = 3600; raise "
        "SystemExit(main(['serve']))"
    ),
]


class Server:
    """`autodubber serve` on a data folder. `stop` as an operator would, `kill` as a power cut would. `command`: SERVE
    or PATIENT."""

    def __init__(self, data: Path, *, command: Sequence[str] = SERVE, **environment: str) -> None:
        self.data = data
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._command = command
        self._environment = {"AUTODUBBER_MIN_FREE_BYTES": "0", "AUTODUBBER_VOICE_DOWNLOAD": "0", **environment}
        self.log = data.parent / f"{data.name}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> Server:
        """Returns when it answers."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith("AUTODUBBER_")}
        environment = {
            **clean,
            "AUTODUBBER_DATA": str(self.data),
            "AUTODUBBER_PORT": str(self.port),
            **self._environment,
        }
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(self._command, env=environment, stderr=log, stdout=log)
        deadline = time.monotonic() + 30
        while True:
            try:
                if httpx.get(self.url + "/health/live").status_code == 200:
                    return self
            except httpx.TransportError:
                assert self._process.poll() is None, self.log.read_text()
                assert time.monotonic() < deadline, self.log.read_text()

    def stop(self) -> float:
        """SIGTERM; returns the seconds until it had ended."""
        assert self._process is not None
        began = time.monotonic()
        self._process.send_signal(signal.SIGTERM)
        self._process.wait(30)
        return time.monotonic() - began

    def kill(self) -> None:
        """SIGKILL; the worker dies with its parent."""
        assert self._process is not None
        worker = self.worker()
        self._process.kill()
        self._process.wait(10)
        deadline = time.monotonic() + 10
        while Path(f"/proc/{worker}").exists() and Path(f"/proc/{worker}/stat").read_text().split()[2] != "Z":
            assert time.monotonic() < deadline, "the worker outlived its parent"

    def worker(self) -> int:
        """The process that serves."""
        assert self._process is not None
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children").read_text().split()
        for child in map(int, children):
            if b"resource_tracker" not in Path(f"/proc/{child}/cmdline").read_bytes():
                return child
        raise AssertionError("no worker")

    def memory_peak_bytes(self) -> int:
        """The worker's largest resident memory so far."""
        status = Path(f"/proc/{self.worker()}/status").read_text()
        return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM"))

    def __enter__(self) -> Server:
        return self.start()

    def __exit__(self, *_: object) -> None:
        if self._process is not None and self._process.poll() is None:
            self.stop()


def seed_job(
    data: Path,
    files: dict[ArtifactKind, tuple[bytes, str, str]],
    *,
    title: str = TITLE,
    lines: int = 2,
    words: str = "Line",
    **fields: Any,
) -> str:
    """A completed job in a data folder that no server owns: `files` are (bytes, media type, extension) by kind."""
    data.mkdir(parents=True, exist_ok=True)
    database = open_database(f"sqlite:///{data / 'app.sqlite3'}")
    migrate(database)
    blobs, store, job_id = FolderBlobs(data / "blobs"), JobStore(database), secrets.token_hex(16)
    store.insert(job_id, title=title, options=OPTIONS, source_key=f"uploads/{job_id}", subtitles_key=None, size_bytes=1)
    blobs.put(f"uploads/{job_id}", b"v")
    artifacts = []
    for kind, (content, media_type, extension) in files.items():
        key = f"artifacts/{job_id}/{kind.value}"
        blobs.put(key, content)
        artifacts.append(Artifact(kind, key, len(content), hashlib.sha256(content).hexdigest(), media_type, extension))
    spoken = [
        Segment(f"s{i}", float(i), i + 0.9, f"{words} {i}.", f"{words} {i}.", "", False, ()) for i in range(lines)
    ]
    store.append_segments(
        job_id, spoken, stage="transcribe", fingerprint="f", output={"language": "en", "done_s": 10.0}
    )
    store.finish_stage(job_id, "transcribe", "f", {"language": "en", "done_s": 10.0}, 1.0, artifacts=artifacts)
    media = {"format": "mp4", "duration_s": 60.0, "start_s": 0.0, "size_bytes": 1, "video": None, "audio": []}
    store.update(job_id, **{"state": JobState.COMPLETED, "phase": "render", "media": media, "language": "en", **fields})
    database.dispose()
    return job_id
