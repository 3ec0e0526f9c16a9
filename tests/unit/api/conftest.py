"""One real server for the tests that only need one, with a completed job in it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from pathlib import Path

import httpx
import msgspec
import pytest

from app.domain.job import JobState
from app.domain.media import ArtifactKind
from app.domain.report import LineReport, Report
from app.domain.segment import Flag
from tests.unit.api.serving import Server, seed_job
from tests.unit.api.studio import Studio

VIDEO = secrets.token_bytes(3 * (1 << 20) + 12345)
LINE = LineReport("s0", "Line 0.", 0.0, 0.1, 0.1, 0.8, 1.3, 8.75, (Flag.SHORTEN,))
REPORT = Report((LINE,), 1.0, 1.3, 1.3, 0.1, 1, 0, -16.02, -16.0, -1.4, 60.0, 0.01, "copied")
SRT = "1\n00:00:00,000 --> 00:00:01,000\n¡Здравствуйте!\n".encode()


class Seeded:
    """A server and the id of the job that it was started with."""

    def __init__(self, server: Server, job_id: str) -> None:
        self.server = server
        self.job_id = job_id
        self.url = server.url


@pytest.fixture(scope="session")
def seeded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Seeded]:
    """A real server with one completed job. Tests may add jobs and uploads, but leave this job as it is."""
    data: Path = tmp_path_factory.mktemp("server") / "data"
    job_id = seed_job(
        data,
        {
            ArtifactKind.VIDEO: (VIDEO, "video/mp4", "mp4"),
            ArtifactKind.SRT: (SRT, "application/x-subrip", "srt"),
            ArtifactKind.VTT: (b"WEBVTT\n", "text/vtt", "vtt"),
            ArtifactKind.ASS: (b"[Script Info]\n", "text/x-ssa", "ass"),
            ArtifactKind.SOURCE_SRT: (b"1\n00:00:00,000 --> 00:00:01,000\nHello!\n", "application/x-subrip", "srt"),
            ArtifactKind.REPORT: (msgspec.json.encode(REPORT), "application/json", "json"),
            ArtifactKind.TRACK: (b"internal", "audio/mp4", "m4a"),
        },
    )
    with Server(data, AUTODUBBER_MAX_UPLOAD_BYTES=str(300 << 20), AUTODUBBER_LOG_LEVEL="debug") as server:
        yield Seeded(server, job_id)


@pytest.fixture
def client(seeded: Seeded) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=seeded.url, timeout=30) as client:
        yield client


@pytest.fixture(scope="module")
def studio(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Studio]:
    """A server of the file's own: its tests may change the jobs."""
    data: Path = tmp_path_factory.mktemp("studio") / "data"
    ids = [
        seed_job(data, {ArtifactKind.VIDEO: (b"v", "video/mp4", "mp4")}, title=f"Film {i}", lines=3) for i in range(5)
    ]
    ids.append(seed_job(data, {}, title="Straße 100%", state=JobState.REVIEW, phase="prepare"))
    with Server(data) as server:
        yield Studio(server, ids)


@pytest.fixture
def api(studio: Studio) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=studio.server.url, timeout=30) as client:
        yield client
