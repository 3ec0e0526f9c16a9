"""Exports jobs into one archive: a plain tar with JSON, the files under their store names, and a hash of everything.

README.txt, manifest.json; for each job its files (blobs/KEY, each key once in the archive), then jobs/ID/job.json;
SHA256SUMS at the end. It holds no secret: no API key of a job and nothing from the settings.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
import time
from collections.abc import Generator, Iterator, Sequence
from io import BufferedIOBase
from typing import IO, Annotated, Any, Final

import msgspec
from sqlalchemy import Engine, select

from app.domain.choices import FIRST_REVISION
from app.domain.errors import DubError
from app.domain.job import JobError, JobState, Joined, Phase
from app.domain.json_decoding import Count, Moment
from app.domain.media import Artifact, MediaInfo
from app.domain.problems.jobs import JOB_NOT_FOUND
from app.domain.segment import Segment
from app.domain.speaker import MAX_SPEAKERS, Speaker
from app.domain.subtitle_file import SubtitleReading
from app.domain.voice_chosen import VoiceChosen
from app.storage import family, rows, tar_stream
from app.storage import tables as t
from app.storage.blobs import BlobStore
from app.storage.clip_files import files_of
from app.storage.database import reading

FORMAT: Final = 1
MANIFEST, SUMS, README = "manifest.json", "SHA256SUMS", "README.txt"
_LOOKS: Final = 3
_ASKED: Final = 500

Id = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{32}$")]
Key = Annotated[
    str, msgspec.Meta(pattern=r"^(uploads|ingest|clips|artifacts)(/[A-Za-z0-9_-]{1,128}){1,3}(\.[a-z0-9]{1,8})?$")
]
Sha256 = Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}$")]
Revision = Annotated[int, msgspec.Meta(ge=0, le=2**31 - 1)]
_FIELDS: Final = msgspec.Meta(max_length=1000)

_README: Final = """This is an archive of dubbing jobs, made by AutoDubber (`autodubber export`).

manifest.json       which jobs are in it, when and by which version it was made
jobs/ID/job.json    one job: its lines, options, stages, times, and the list of its files
                    ("files": what each is, and its name)
blobs/...           the files: originals (uploads), spoken lines (clips), finished files (artifacts),
                    what recognition needed (ingest)
SHA256SUMS          the hash of everything: `sha256sum -c SHA256SUMS` checks it after unpacking

`autodubber import FILE` takes the jobs in, on this server or another one.
Nothing in it is a secret of the server: no keys, no passwords.
"""


class StageEntry(msgspec.Struct, frozen=True):
    """A stage's row; `seconds` and `finished_at` are the job's history."""

    stage: Annotated[str, msgspec.Meta(pattern=r"^[a-z][a-z_]{0,31}$")]
    fingerprint: Annotated[str, msgspec.Meta(max_length=64)]
    output: Any
    seconds: Moment
    finished_at: Moment


class FileEntry(msgspec.Struct, frozen=True):
    """A file of the job at blobs/KEY. `what` and `name` are for people. `here`: its bytes precede this job in the
    archive, not an earlier one; `shared`: another job of the archive uses it too.
    """

    key: Key
    sha256: Sha256
    size_bytes: Count
    what: str
    name: str
    here: bool
    shared: bool


class PortableJob(msgspec.Struct, frozen=True):
    """Everything of a job except its secrets and its place in the queue."""

    id: Id
    title: Annotated[str, msgspec.Meta(max_length=255)]
    state: JobState
    phase: Phase
    options: dict[str, Any]
    language: Annotated[str, msgspec.Meta(max_length=16)] | None
    media: MediaInfo | None
    source_key: Key
    subtitles_key: Key | None
    stem_key: Key | None
    size_bytes: Count
    revision: Revision
    rendered_revision: Revision | None
    rendered_options: dict[str, Any] | None
    rendered_stem_key: Key | None
    error: JobError | None
    created_at: Moment
    updated_at: Moment
    segments: tuple[Segment, ...]
    stages: tuple[StageEntry, ...]
    artifacts: tuple[Artifact, ...]
    files: tuple[FileEntry, ...]
    choices_revision: Revision = FIRST_REVISION
    choices_changed: Annotated[dict[Annotated[str, msgspec.Meta(max_length=64)], Revision], _FIELDS] = {}
    joined: Joined | None = None
    subtitles: SubtitleReading | None = None
    language_certainty: Annotated[float, msgspec.Meta(ge=0, le=1)] | None = None
    voice_chosen: VoiceChosen | None = None
    speakers: Annotated[tuple[Speaker, ...], msgspec.Meta(max_length=MAX_SPEAKERS)] = ()
    parent_id: Id | None = None  # a further language of that job, which precedes it; its `state` says nothing


class Titled(msgspec.Struct, frozen=True):
    id: Id
    title: str


class Manifest(msgspec.Struct, frozen=True):
    """The first member: a newer `format` is refused before anything else is read."""

    format: int
    version: str
    made_at: Moment
    jobs: tuple[Titled, ...]


def titles(engine: Engine, job_ids: Sequence[str]) -> tuple[Titled, ...]:
    """The jobs to export, the oldest first: those named, or all; each is followed by its further languages. Raises
    job_not_found."""
    query = select(t.jobs.c.id, t.jobs.c.title).where(rows.listed_jobs).order_by(t.jobs.c.created_at, t.jobs.c.id)
    with reading(engine) as c:
        found = [row for row in c.execute(query) if not job_ids or row.id in set(job_ids)]
        further = family.others(c, [row.id for row in found]) if len(found) <= _ASKED else family.others(c)
    missing = set(job_ids) - {job.id for job in found}
    if missing:
        raise DubError(JOB_NOT_FOUND, f"{min(missing)[:64]}.")
    return tuple(Titled(each.id, each.title) for row in found for each in (row, *further.get(row.id, ())))


def size_bytes(engine: Engine, blobs: BlobStore, jobs: Sequence[Titled]) -> int:
    """The approximate size of the archive."""
    total = 0
    with reading(engine) as c:
        for job in jobs:
            asked = select(t.blob_references.c.key).where(t.blob_references.c.job_id == job.id)
            for key in files_of(c.execute(asked).scalars()):
                with contextlib.suppress(FileNotFoundError):
                    total += blobs.size_bytes(key)
    return total


def archive(engine: Engine, blobs: BlobStore, jobs: Sequence[Titled], version: str) -> Generator[bytes]:
    """Yield the archive in blocks. A job that is deleted in the meantime is left out. Blocks on the disk."""
    now = time.time()
    with tempfile.SpooledTemporaryFile(1 << 20) as sums:
        written: dict[str, tuple[str, int]] = {}  # only keys that several of the jobs use
        yield from _small(README, _README.encode(), now, sums)
        yield from _small(MANIFEST, _json(Manifest(FORMAT, version, now, tuple(jobs))), now, sums)
        for job in jobs:
            yield from _job(engine, blobs, job.id, written, sums)
        sums.seek(0, os.SEEK_END)
        size = sums.tell()
        sums.seek(0)
        yield tar_stream.head(SUMS, size, now)
        while block := sums.read(tar_stream.BLOCK_BYTES):
            yield block
        yield tar_stream.padding(size) + tar_stream.END


def _job(
    engine: Engine, blobs: BlobStore, job_id: str, written: dict[str, tuple[str, int]], sums: IO[bytes]
) -> Iterator[bytes]:
    with contextlib.ExitStack() as stack:
        opened: dict[str, BufferedIOBase] = {}
        for _ in range(_LOOKS):  # a render may end now and replace its files; open files stay readable
            try:
                job, keys, shared = _read(engine, job_id)
            except DubError:
                return
            opened = {
                key: file for key in keys if not key.startswith("clips/") and (file := _open(blobs, key)) is not None
            }
            for file in opened.values():
                stack.callback(file.close)
            if all(key in opened for key in keys if not key.startswith("clips/")):
                break
        files = []
        for key in keys:
            file = opened.get(key) or _open(blobs, key)
            if file is None:
                continue
            here = key not in written
            if here:
                with file:
                    digest, size = hashlib.sha256(), file.seek(0, os.SEEK_END)
                    file.seek(0)
                    yield tar_stream.head(f"blobs/{key}", size, job.updated_at)
                    while block := file.read(tar_stream.BLOCK_BYTES):
                        digest.update(block)
                        yield block
                    yield tar_stream.padding(size)
                sums.write(f"{digest.hexdigest()}  blobs/{key}\n".encode())
                known = digest.hexdigest(), size
                if key in shared:
                    written[key] = known
            else:
                file.close()
                known = written[key]
            files.append(FileEntry(key, known[0], known[1], *_named(job, key), here, key in shared))
        yield from _small(
            f"jobs/{job_id}/job.json", _json(msgspec.structs.replace(job, files=tuple(files))), job.updated_at, sums
        )


def _read(engine: Engine, job_id: str) -> tuple[PortableJob, list[str], set[str]]:
    """The job, read in one transaction, its keys, and those of them that other jobs use too. Raises job_not_found."""
    with reading(engine) as c:
        row = c.execute(select(t.jobs).where(t.jobs.c.id == job_id, rows.seen)).first()
        if row is None:
            raise DubError(JOB_NOT_FOUND)
        mine = select(t.blob_references.c.key).where(t.blob_references.c.job_id == job_id)
        keys = sorted(files_of(c.execute(mine).scalars()))
        others = select(t.blob_references.c.key).where(
            t.blob_references.c.key.in_(mine), t.blob_references.c.job_id != job_id
        )
        shared = set(files_of(c.execute(others).scalars()))
        stages = tuple(
            StageEntry(found.stage, found.fingerprint, found.output, found.seconds, found.finished_at)
            for found in c.execute(select(t.stages).where(t.stages.c.job_id == job_id))
        )
        artifacts = tuple(
            rows.to_artifact(found) for found in c.execute(select(t.artifacts).where(t.artifacts.c.job_id == job_id))
        )
        values = {name: getattr(row, name) for name in PortableJob.__struct_fields__ if hasattr(row, name)}
        if row.parent_id is not None:
            values["state"] = JobState.REVIEW
        lines = rows.segments_of(c, job_id)
    told = {"segments": lines, "stages": stages, "artifacts": artifacts, "files": ()}
    return msgspec.convert(msgspec.to_builtins(values | told), PortableJob), keys, shared


def _named(job: PortableJob, key: str) -> tuple[str, str]:
    """What a file is, and its name for people."""
    for artifact in job.artifacts:
        if artifact.key == key:
            return artifact.kind.value, f"{job.title}.{artifact.extension}"
    roles = {job.source_key: "source", job.stem_key: "background", job.subtitles_key: "subtitles"}
    if key in roles:
        return roles[key], job.title
    return {"clips": "spoken line", "ingest": "for recognition and mixing", "separated": "without voices"}.get(
        key.partition("/")[0], "file"
    ), key.rpartition("/")[2]


def _small(name: str, data: bytes, at: float, sums: IO[bytes]) -> Iterator[bytes]:
    sums.write(f"{hashlib.sha256(data).hexdigest()}  {name}\n".encode())
    yield tar_stream.head(name, len(data), at) + data + tar_stream.padding(len(data))


def _json(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=1)


def _open(blobs: BlobStore, key: str) -> BufferedIOBase | None:
    try:
        return blobs.open(key)
    except FileNotFoundError:
        return None
