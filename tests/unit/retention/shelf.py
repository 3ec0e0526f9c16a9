"""A data folder with jobs as a render leaves them: rows, references, and real files."""

from __future__ import annotations

import hashlib
import os
import time
import uuid
from pathlib import Path

import msgspec
from sqlalchemy import update

from app.domain.job import JobState, Phase
from app.domain.media import Artifact, ArtifactKind
from app.domain.retention import Kind, Rule
from app.domain.segment import Clip, Placement, Segment
from app.domain.stage_outputs import Finished, Mixed, Sound, Transcribed
from app.retention.cleaner import Cleaner
from app.storage import tables as t
from app.storage.blobs import FolderBlobs, bytes_of
from app.storage.database import migrate, open_database
from app.storage.jobs import JobStore
from tests.unit.jobs.house import MEDIA, OPTIONS

DAY_S = 24 * 3600.0


def rule(kind: Kind, days: float = 0.0, at_most: int = 0) -> Rule:
    return Rule(kind, days, at_most, "", "")


class Shelf:
    """Jobs on a shelf. Every file has a size that tells it: 1000 bytes of source, 300 of stem, 40 for each clip, 500 of
    video, 20 of SRT."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.data = folder
        self.database = open_database(f"sqlite:///{folder / 'app.sqlite3'}")
        migrate(self.database)
        self.blobs, self.store = FolderBlobs(folder / "blobs"), JobStore(self.database)
        self.told: list[tuple[str, bool]] = []

    def cleaner(self, *rules: Rule, min_free_bytes: int = 0) -> Cleaner:
        return Cleaner(
            database=self.database,
            blobs=self.blobs,
            data=self.data,
            rules=rules,
            min_free_bytes=min_free_bytes,
            changed=lambda job_id, gone: self.told.append((job_id, gone)),
        )

    def put(self, key: str, size: int) -> str:
        if not self.blobs.exists(key):
            self.blobs.put(key, (hashlib.sha256(key.encode()).digest() * (size // 32 + 1))[:size])
        return key

    def job(
        self,
        *,
        days: float = 0.0,
        state: JobState = JobState.COMPLETED,
        source: str | None = None,
        stem: str | None = None,
        lines: tuple[str, ...] = ("one", "two"),
        title: str = "Job",
    ) -> str:
        """A rendered job that nothing happened to for so many days. A line is spoken by the clip of its name, shared by
        all jobs."""
        job_id = uuid.uuid4().hex
        source_key = self.put(source or f"uploads/{job_id}", 1000)
        stem_key = self.put(stem, 300) if stem else None
        self.store.insert(
            job_id,
            title=title,
            options=OPTIONS,
            source_key=source_key,
            subtitles_key=None,
            stem_key=stem_key,
            size_bytes=1000,
        )
        base = f"ingest/{hashlib.sha256(source_key.encode()).hexdigest()}"
        sound = Sound(
            20.0, *(self.put(f"{base}/{name}", 10) for name in ("speech.wav", "peaks.dat", "energies.f32")), None
        )
        segments = [Segment(f"{i:032x}", float(i), i + 0.9, text, text, "", False, ()) for i, text in enumerate(lines)]
        self.store.append_segments(
            job_id, segments, stage="transcribe", fingerprint="t", output=Transcribed("en", 20.0)
        )
        digest = hashlib.sha256(bytes_of(self.blobs, source_key)).hexdigest()
        self.store.finish_stage(
            job_id, "probe", "p", digest, 0.1, artifacts=(self._file(ArtifactKind.SOURCE, source_key, "video/mp4"),)
        )
        self.store.finish_stage(
            job_id,
            "ingest",
            "i",
            sound,
            0.2,
            keys=sound.keys(),
            artifacts=(self._file(ArtifactKind.PEAKS, sound.peaks, "application/octet-stream"),),
        )
        self.store.finish_stage(job_id, "transcribe", "t", Transcribed("en", 20.0), 0.3)
        clips = tuple(
            Clip(
                segment.id,
                f"clips/{hashlib.sha256(segment.text.encode()).hexdigest()}",
                0.9,
                22_050,
                1.0,
                len(segment.text),
                1.0,
            )
            for segment in segments
        )
        files = tuple(self.put(f"{clip.key}{ending}", 20) for clip in clips for ending in (".wav", ".json"))
        self.store.finish_stage(job_id, "synthesize", "s", clips, 0.4, keys=files)
        self.store.finish_stage(
            job_id, "fit", "f", tuple(Placement(s.id, s.start_s, 0.9, 1.0, 0.0, 0.0, ()) for s in segments), 0.1
        )
        audio = self._made(ArtifactKind.AUDIO, f"audio of {job_id}", 100, "audio/mp4", "m4a")
        self.store.finish_stage(job_id, "mix", "m", Mixed(audio, audio, -16.0, -1.0), 0.5, artifacts=(audio,))
        video = self._made(ArtifactKind.VIDEO, f"video of {job_id}", 500, "video/mp4", "mp4")
        srt = self._made(ArtifactKind.SRT, " ".join(lines), 20, "application/x-subrip", "srt")
        self.store.finish_stage(job_id, "mux", "x", Finished((video, srt), 20.0, "copied"), 0.6, artifacts=(video, srt))
        cache = self.data / "cache" / job_id
        cache.mkdir(parents=True)
        (cache / "chunk").write_bytes(bytes(50))
        job = self.store.get(job_id)
        fields = {
            "media": msgspec.to_builtins(MEDIA),
            "rendered_revision": job.revision,
            "rendered_options": msgspec.to_builtins(OPTIONS),
        }
        self.change(
            job_id,
            state=state,
            phase=Phase.RENDER,
            language="en",
            rendered_stem_key=stem_key,
            updated_at=time.time() - days * DAY_S,
            **fields,
        )
        return job_id

    def change(self, job_id: str, **fields: object) -> None:
        """Columns of a job's row, and nothing else: not the time of its last change either."""
        with self.database.begin() as c:
            c.execute(update(t.jobs).where(t.jobs.c.id == job_id).values(**fields))

    def files(self, folder: str = "") -> set[str]:
        root = self.data / "blobs" / folder
        return {path.relative_to(self.data / "blobs").as_posix() for path in root.rglob("*") if path.is_file()}

    def age(self, days: float) -> None:
        """Every blob was written so many days ago."""
        at = time.time() - days * DAY_S
        for key in self.files():
            os.utime(self.data / "blobs" / key, (at, at))

    def _file(self, kind: ArtifactKind, key: str, media_type: str) -> Artifact:
        data = bytes_of(self.blobs, key)
        return Artifact(
            kind,
            key,
            len(data),
            hashlib.sha256(data).hexdigest(),
            media_type,
            key.rpartition(".")[2] if "." in key else "mp4",
        )

    def _made(self, kind: ArtifactKind, words: str, size: int, media_type: str, extension: str) -> Artifact:
        data = (words.encode() * size)[:size]
        key = f"artifacts/{hashlib.sha256(data).hexdigest()}.{extension}"
        self.blobs.put(key, data)
        return self._file(kind, key, media_type)
