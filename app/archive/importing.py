"""Imports jobs from an archive. The whole archive is verified first; then each job is imported completely or not at
all."""

from __future__ import annotations

import secrets
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any, BinaryIO, Final

import msgspec
from sqlalchemy import Connection, Engine, delete, select

from app.archive import validation
from app.archive.examining import BLOB, JOB, MAX_JSON_BYTES, examine
from app.archive.export import FileEntry, PortableJob, StageEntry
from app.domain import stages
from app.domain.dub_options import from_row, to_row
from app.domain.errors import DubError
from app.domain.job import ACTIVE, JobState
from app.domain.media import ArtifactKind
from app.domain.problems.jobs import ARCHIVE_INVALID
from app.domain.problems.requests import DATABASE_BUSY
from app.domain.problems.uploads import DISK_FULL
from app.domain.retention import Kind
from app.storage import batches, hidden, rows, tar_stream
from app.storage import tables as t
from app.storage.blobs import BlobStore, sha256_of, sha256_of_blob
from app.storage.clip_files import files_of, row_of
from app.storage.database import reading
from app.storage.disk_floor import Floor
from app.storage.disk_floors import Reservation, reserve_on
from app.storage.family import LANGUAGE
from app.storage.hidden import Coming, fill
from app.storage.references import kind_of_key
from app.system.disk_full import is_disk_full

_OURS: Final = ("choices_revision", "choices_changed")  # of a job that is here: open pages name them
_Found = tuple[PortableJob, dict[str, Path], set[str]]
_Work = Callable[[Connection, str, Sequence[str]], object]


class Outcome(StrEnum):
    """`taken`: imported under its own id; `renamed`: under a new id, because another job has it; `completed`: the same
    job existed and got missing files back; `skipped`: the same job exists, complete or running."""

    TAKEN = "taken"
    RENAMED = "renamed"
    COMPLETED = "completed"
    SKIPPED = "skipped"


class Imported(msgspec.Struct, frozen=True):
    archive_id: str
    job_id: str
    title: str
    outcome: Outcome


def import_archive(
    path: Path,
    *,
    engine: Engine,
    blobs: BlobStore,
    staging: Path,
    floors: Sequence[Floor],
    on_job: Callable[[Imported], None],
) -> tuple[Imported, ...]:
    """Take every job of the archive in. `floors` are of the disks of `staging` and of the blobs.

    Raises archive_invalid, archive_newer, disk_full; then nothing was taken, unless the file changes while it is read.
    """
    with path.open("rb") as file:
        wanted = examine(file, blobs, lambda job_id: hidden.clear(engine, blobs, job_id))
        room = reserve_on(floors, wanted)
        file.seek(0)
        folder = staging / secrets.token_hex(8)
        taken = []
        try:
            folder.mkdir(parents=True)
            for found in _second_reading(file, blobs, folder, room):
                if found[0].parent_id is None:
                    taken.append(_take(found, engine, blobs))
                    on_job(taken[-1])
                else:
                    _take_language(found, taken, engine, blobs)
        except OSError as error:
            raise (DubError(DISK_FULL) if is_disk_full(error) else error) from error
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            room.release()
    return tuple(taken)


def _second_reading(file: BinaryIO, blobs: BlobStore, folder: Path, room: Reservation) -> Iterator[_Found]:
    """Each job with its files that are not in the store yet, and the keys under which other bytes lie there already."""
    staged: dict[str, Path] = {}
    for number, member in enumerate(tar_stream.members(file)):
        if blob := BLOB.fullmatch(member.name):
            if not blobs.exists(blob[1]):
                staged[blob[1]] = folder / str(number)
                with staged[blob[1]].open("wb") as out:
                    for block in member.blocks():
                        with room.writing(len(block)) as landed:
                            out.write(block)
                            out.flush()
                            landed(len(block))
        elif JOB.fullmatch(member.name):
            job = validation.job(member.whole(MAX_JSON_BYTES))
            other: set[str] = set()
            for entry in job.files:
                if not _is_the_same(entry, staged.get(entry.key), blobs):
                    if entry.key in staged or not entry.key.startswith(("clips/", "ingest/", "separated/")):
                        raise DubError(ARCHIVE_INVALID, f"blobs/{entry.key} is here already, with other content.")
                    other.add(entry.key)
            yield job, staged, other
            for path in staged.values():
                path.unlink(missing_ok=True)
            staged = {}


def _is_the_same(entry: FileEntry, staged: Path | None, blobs: BlobStore) -> bool:
    """Whether what came, or else what is in the store, is what the archive says."""
    try:
        if staged is not None:
            return staged.stat().st_size == entry.size_bytes and sha256_of(staged) == entry.sha256
        return blobs.size_bytes(entry.key) == entry.size_bytes and sha256_of_blob(blobs, entry.key) == entry.sha256
    except FileNotFoundError:
        return False


def _take_language(found: _Found, taken: Sequence[Imported], engine: Engine, blobs: BlobStore) -> None:
    """A further language goes where its job went. Of a job that is here already, only languages that are missing are
    taken. Raises archive_invalid."""
    job, staged, other = found
    whole = next((each for each in reversed(taken) if each.archive_id == job.parent_id), None)
    if whole is None:
        raise DubError(ARCHIVE_INVALID, f"{job.id} is a language of a job that does not precede it.")
    is_new = whole.outcome in (Outcome.TAKEN, Outcome.RENAMED)
    renamed = whole.outcome is Outcome.RENAMED
    job = msgspec.structs.replace(job, parent_id=whole.job_id)
    _take((job, staged, other), engine, blobs, is_new=is_new, renamed=renamed)


def _take(found: _Found, engine: Engine, blobs: BlobStore, *, is_new: bool = True, renamed: bool = False) -> Imported:
    job, staged, other = found
    with reading(engine) as c:
        outcome = _outcome(c, job)
        if outcome is not Outcome.TAKEN and renamed:
            outcome = Outcome.RENAMED
        if outcome is Outcome.RENAMED and not is_new:
            outcome = Outcome.SKIPPED
        if outcome is Outcome.SKIPPED:
            return Imported(job.id, job.id, job.title, outcome)
    for key, path in staged.items():
        blobs.adopt(path, key)
    if outcome is Outcome.COMPLETED:
        return Imported(job.id, job.id, job.title, _complete(job, other, engine, blobs))
    job_id = uuid.uuid4().hex if outcome is Outcome.RENAMED else job.id
    with Coming(engine, blobs, job_id, "import") as coming:
        with engine.begin() as c:
            coming.begin(c, _values(job))
        there = _refer(job, job_id, blobs, lambda keys, work: coming.write(keys, lambda c, some: work(c, job_id, some)))
        stages, artifacts = _made(job, there, other, blobs)
        coming.write(rows.segment_rows("", job.segments), fill(t.segments, job_id))
        with engine.begin() as c:
            fill(t.stages, job_id)(c, stages)
            fill(t.artifacts, job_id)(c, artifacts)
            coming.show(c, _values(job))
    return Imported(job.id, job_id, job.title, outcome)


def _complete(job: PortableJob, other: set[str], engine: Engine, blobs: BlobStore) -> Outcome:
    """The job that is here has its files again, and what its stages gave. Killed before the end, it still lacks some,
    and is completed again."""
    few = {artifact.key for artifact in job.artifacts} | {job.source_key}
    there = {entry.key for entry in job.files if blobs.exists(entry.key)}
    with engine.begin() as c:  # nobody deletes a blob from here on
        if (outcome := _outcome(c, job)) is not Outcome.COMPLETED:
            return Outcome.SKIPPED if outcome is Outcome.SKIPPED else _busy()
        there -= {key for key in few if not blobs.exists(key)}
        for table, listed in zip((t.stages, t.artifacts), _made(job, there, other, blobs), strict=True):
            c.execute(delete(table).where(table.c.job_id == job.id))
            fill(table, job.id)(c, listed)
        rows.refer(c, job.id, few & there)
        rows.update_job(c, job.id, {name: value for name, value in _values(job).items() if name not in _OURS})

    _refer(
        job, job.id, blobs, lambda keys, work: batches.write(engine, batches.split(keys), rows.seen_first(job.id, work))
    )
    return Outcome.COMPLETED


def _busy() -> Outcome:
    raise DubError(DATABASE_BUSY, "The job changes while it is taken in.")


def _refer(job: PortableJob, job_id: str, blobs: BlobStore, write: Callable[[Sequence[str], _Work], None]) -> set[str]:
    """The job needs those of its files that are there; returns them. From then on nobody deletes them."""
    there: set[str] = set()

    def refer(c: Connection, _job_id: str, keys: Sequence[str]) -> None:
        found = [key for key in keys if blobs.exists(key)]
        rows.refer(c, job_id, [key for key in found if blobs.exists(row_of(key))])
        there.update(found)

    write([entry.key for entry in job.files], refer)
    return there


def _outcome(c: Connection, job: PortableJob) -> Outcome:
    row = c.execute(select(t.jobs).where(t.jobs.c.id == job.id, rows.seen)).first()
    if row is None:
        return Outcome.TAKEN
    here = (
        row.created_at,
        row.revision,
        row.rendered_revision,
        validation.title(row.title),
        row.stem_key,
        from_row(row.options),
    )
    if here != (
        job.created_at,
        job.revision,
        job.rendered_revision,
        job.title,
        job.stem_key,
        validation.options(job.options),
    ):
        return Outcome.RENAMED
    mine = select(t.blob_references.c.key).where(t.blob_references.c.job_id == job.id)
    keys = set(files_of(c.execute(mine).scalars()))
    lacking = {entry.key for entry in job.files} - keys
    state = rows.job_row(c, job.id).job.state
    return Outcome.SKIPPED if not lacking or state in ACTIVE else Outcome.COMPLETED


def _values(job: PortableJob) -> dict[str, Any]:
    """The job's columns, all but its id: what was at work when it was exported can be gone on with."""
    columns = {column.name for column in t.jobs.columns} - {"id", "updated_at"}
    values = {name: msgspec.to_builtins(getattr(job, name)) for name in job.__struct_fields__ if name in columns}
    stopped = {"state": JobState.CANCELLED} if job.state in ACTIVE else {}
    further = {"state": LANGUAGE} if job.parent_id is not None else {}
    rendered = None if job.rendered_options is None else to_row(validation.options(job.rendered_options))
    values |= {"options": to_row(validation.options(job.options)), "rendered_options": rendered}
    values |= {
        "stage": None,
        "stage_progress": 0.0,
        "progress": 0.0 if stopped else 1.0,
        "eta_s": None,
        "workflow_id": None,
    }
    return values | stopped | further


def _made(
    job: PortableJob, there: set[str], other: set[str], blobs: BlobStore
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The rows of what its stages gave, and of its files. A stage whose files are not there runs again."""
    again = _again(job, there, other)
    finished: list[dict[str, Any]] = []
    artifacts: list[dict[str, Any]] = []
    for stage in job.stages:
        if _output(stage) is not None:
            fingerprint = "" if stage.stage in again else stage.fingerprint
            finished.append(msgspec.to_builtins(msgspec.structs.replace(stage, fingerprint=fingerprint)))
    for artifact in job.artifacts:
        if artifact.key in there:
            if artifact.key in other:
                digest = sha256_of_blob(blobs, artifact.key)
                artifact = msgspec.structs.replace(artifact, size_bytes=blobs.size_bytes(artifact.key), sha256=digest)
            artifacts.append(msgspec.to_builtins(artifact))
    return finished, artifacts


def _output(entry: StageEntry) -> Any:
    """What the stage gave; None where this version has no such stage, or cannot read it: the stage runs again."""
    stage = stages.find(entry.stage)
    try:
        return None if stage is None else msgspec.convert(entry.output, stage.output)
    except msgspec.ValidationError:
        return None


def _again(job: PortableJob, there: set[str], other: set[str]) -> set[str]:
    """The stages that have to run again: what they made is not in the archive, or another clip of the same words is
    here."""
    needed = {artifact.key for artifact in job.artifacts if artifact.kind is not ArtifactKind.SOURCE}
    for entry in job.stages:
        if (output := _output(entry)) is not None:
            files = set(stages.named(entry.stage).files(output))
            gone_with_the_original = (
                set() if job.source_key in there else {key for key in files if kind_of_key(key) is Kind.SOURCES}
            )
            needed |= files - gone_with_the_original
    lacking = (needed - there) | {key for key in other if key.startswith("clips/")}
    again = {name for key in lacking for name in stages.making(key.partition("/")[0])}
    rendered = job.rendered_revision is not None
    if rendered and not any(
        artifact.key in there for artifact in job.artifacts if artifact.key.startswith("artifacts/")
    ):
        again |= set(stages.making("artifacts"))
    return again
