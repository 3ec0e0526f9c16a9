"""A service on a real database and a real blob store; only the queue of phases is recorded instead of run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from app.domain.dub_options import DubOptions, changed
from app.domain.errors import DubError, Problem
from app.domain.job import Job, JobState, Phase
from app.domain.media import Artifact, ArtifactKind, AudioStream, MediaInfo
from app.domain.segment import Segment
from app.domain.stage_outputs import Transcribed
from app.dubbing.context import Context
from app.jobs.events import Hub
from app.jobs.schemas import CreateJob, OptionsPatch
from app.jobs.service import JobService
from app.speech.registry import build_registry
from app.storage.blobs import BlobStore, FolderBlobs
from app.storage.database import migrate, open_database
from app.storage.disk_floor import Floor
from app.storage.jobs import JobStore
from app.storage.secrets import SecretStore
from app.storage.uploads import UploadStore
from app.storage.workspace import Workspace
from app.system.children import Limits

OPTIONS = changed(DubOptions(), model="tiny", audio_track=0)
MEDIA = MediaInfo("mp4", 20.0, 0.0, 5, None, (AudioStream(0, 0, "aac", 48_000, 2, None, None),))
LINES = (
    Segment("a" * 32, 1, 3, "Hello there.", "Hello there.", "", False, ()),
    Segment("b" * 32, 4, 6, "And goodbye.", "And goodbye.", "", False, ()),
)


class Recorded:
    """The engine's queue, as far as the service sees it."""

    def __init__(self) -> None:
        self.queued: list[tuple[Phase, str, str]] = []
        self.cancelled: list[str] = []

    def enqueue(self, phase: Phase, job_id: str, workflow_id: str) -> None:
        self.queued.append((phase, job_id, workflow_id))

    def cancel(self, workflow_id: str) -> None:
        self.cancelled.append(workflow_id)


class House:
    """A service with everything behind it, and short ways to bring a job along."""

    def __init__(self, folder: Path, blobs: BlobStore | None = None) -> None:
        database = open_database(f"sqlite:///{folder / 'app.sqlite3'}")
        migrate(database)
        self.database, self.blobs = database, blobs or FolderBlobs(folder / "blobs")
        self.store, self.hub, self.queue = JobStore(database), Hub(), Recorded()
        self.blob_folder = folder / "blobs"
        self.uploads = UploadStore(database, self.blobs, folder / "uploads", expiry_s=3600)
        self.keys = SecretStore(database, folder / "secret.key")
        self.context = Context(
            self.blobs,
            Workspace(folder / "scratch"),
            folder / "cache",
            build_registry(models=folder / "models"),
            1,
            Limits(),
            3600.0,
        )
        self.service = JobService(
            store=self.store,
            uploads=self.uploads,
            keys=self.keys,
            context=self.context,
            hub=self.hub,
            queue=self.queue,
            defaults=OPTIONS,
            floor=Floor(self.blobs.free_bytes, 0),
        )

    def uploaded(self, data: bytes = b"video", name: str = "Ein Film.mp4") -> str:
        upload = self.uploads.create(filename=name, media_type="video/mp4", length_bytes=len(data), metadata={})
        writer = self.uploads.writer(upload)
        writer.write(data)
        writer.settle(whole=True)
        return upload.id

    def created(self, **options: Any) -> Job:
        return self.service.create(CreateJob(self.uploaded(), options=OptionsPatch(**options)))

    def reviewed(self, **options: Any) -> Job:
        job = self.created(**options)
        self.store.transition(job.id, JobState.PREPARING, media=MEDIA)
        self.store.append_segments(job.id, LINES, stage="transcribe", fingerprint="f", output=Transcribed("en", 20.0))
        self.store.finish_stage(job.id, "probe", "p", "digest", 0.1)
        return self.store.transition(job.id, JobState.REVIEW, language="en")

    def rendered(self) -> Job:
        job = self.service.approve(self.reviewed().id)
        self.store.transition(job.id, JobState.RENDERING)
        self.blobs.put("artifacts/aa.mp4", b"dub")
        video = Artifact(ArtifactKind.VIDEO, "artifacts/aa.mp4", 3, "aa", "video/mp4", "mp4")
        self.store.finish_stage(job.id, "mux", "m", [], 1.0, artifacts=(video,))
        return self.store.transition(
            job.id, JobState.COMPLETED, rendered_revision=self.store.get(job.id).revision, rendered_options=job.options
        )


def refused(problem: Problem, act: Callable[[], object]) -> DubError:
    with pytest.raises(DubError) as caught:
        act()
    assert caught.value.problem is problem
    return caught.value
