"""Data folders as a server leaves them, with jobs whose files are real, and what two folders have in common."""

from __future__ import annotations

import hashlib
import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from app.backup.backend import Backend
from app.backup.manifest import Snapshot
from app.backup.repository import Repository, open_or_make
from app.backup.snapshot import back_up
from app.domain.dub_options import DubOptions, changed
from app.domain.errors import DubError
from app.domain.media import Artifact, ArtifactKind
from app.storage.blobs import FolderBlobs
from app.storage.database import migrate, open_database
from app.storage.jobs import JobStore
from app.storage.secrets import SecretStore

OPTIONS = changed(DubOptions(), model="tiny", audio_track=0)


class DataFolder:
    """A data folder, opened as a server opens it."""

    def __init__(self, root: Path, seed: int = 1) -> None:
        self.root = root
        root.mkdir(parents=True, exist_ok=True)
        self.database = open_database(f"sqlite:///{root / 'app.sqlite3'}")
        migrate(self.database)
        self.blobs = FolderBlobs(root / "blobs")
        self.store = JobStore(self.database)
        self.secrets = SecretStore(self.database, root / "secret.key")
        with closing(sqlite3.connect(root / "engine.sqlite3")) as engine:
            engine.execute("PRAGMA journal_mode=WAL")
            engine.execute("CREATE TABLE IF NOT EXISTS workflows (id TEXT PRIMARY KEY)")
        self._random = random.Random(seed)

    def job(
        self,
        job_id: str,
        source_bytes: int = 100_000,
        clips: int = 3,
        clip_bytes: int = 5_000,
        output_bytes: int = 60_000,
    ) -> None:
        """A job with a source, spoken lines and one finished file."""
        source = f"uploads/{job_id}"
        self.blobs.put(source, self._random.randbytes(source_bytes))
        self.store.insert(
            job_id, title=job_id, options=OPTIONS, source_key=source, subtitles_key=None, size_bytes=source_bytes
        )
        keys = []
        for number in range(clips):
            key = f"clips/{hashlib.sha256(f'{job_id}{number}'.encode()).hexdigest()}"
            self.blobs.put(f"{key}.wav", self._random.randbytes(clip_bytes))
            self.blobs.put(f"{key}.json", b'{"duration_s":1.0}')
            keys += [f"{key}.wav", f"{key}.json"]
        content = self._random.randbytes(output_bytes)
        digest = hashlib.sha256(content).hexdigest()
        self.blobs.put(f"artifacts/{digest}.m4a", content)
        made = Artifact(ArtifactKind.AUDIO, f"artifacts/{digest}.m4a", output_bytes, digest, "audio/mp4", "m4a")
        self.store.finish_stage(job_id, "mix", "1", {}, 1.0, keys=keys, artifacts=(made,))

    def remove(self, job_id: str) -> None:
        """As the service deletes a job."""
        self.store.delete(job_id, self.blobs)

    def close(self) -> None:
        self.database.dispose()


def blobs_of(data: Path) -> dict[str, str]:
    """Every blob, and the hash of its bytes."""
    return {
        str(path.relative_to(data)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in (data / "blobs").rglob("*")
        if path.is_file()
    }


def rows_of(database: Path) -> list[str]:
    """The whole content of a database, as SQL."""
    with closing(sqlite3.connect(database)) as connection:
        return list(connection.iterdump())


def take(data: Path, place: Backend, password: str = "") -> tuple[Repository, Snapshot]:
    """Back the folder up, as `autodubber backup` does."""
    place.prepare()
    with place.lock(alone=True) as check:
        repository = open_or_make(place, password)
        return repository, back_up(data, repository, check, app_version="1.2.3")


def raises(problem: object, work: Callable[[], object]) -> DubError:
    """The catalogue error that the work ends with."""
    with pytest.raises(DubError) as raised:
        work()
    assert raised.value.problem is problem, raised.value
    return raised.value
