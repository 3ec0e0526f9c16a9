"""What is kept: who needs which file, how much room each folder takes, and deletions that never take what somebody
needs.

A deletion has two transactions. The first takes the rows and with them the references. The second, which nobody can
write beside, looks again whether a file is referred to by now, and only then deletes it. Killed between the two, a file
is left that nothing needs; `orphans` finds it a day later. Whoever writes a file first and refers to it afterwards (a
stage of a render) looks whether it is still there after that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Engine, delete, or_, select, update

from app.domain.job import JobState
from app.domain.media import ArtifactKind
from app.domain.retention import DAY_S, ENDED, IDLE, Held, Kind
from app.domain.stages import making
from app.storage import batches, family
from app.storage import tables as t
from app.storage.blobs import BlobStore
from app.storage.clip_files import files_of, row_of
from app.storage.compact import in_folder
from app.storage.database import reading, urgent, urgently
from app.storage.family import LANGUAGE
from app.storage.rows import GONE, listed_jobs, seen

ORPHAN_S: Final = DAY_S
_BATCH: Final = 200  # files that one transaction deletes
_FOLDERS: Final = {"clips": Kind.CLIPS, "artifacts": Kind.OUTPUTS, "separated": Kind.SOURCES}


def kind_of(key: str, row: Any) -> Kind | None:
    """The kind of a job's blob; None for what goes only with the whole job: subtitles, peaks, energies, the
    thumbnail."""
    if key in (row.source_key, row.stem_key):
        return Kind.SOURCES
    return kind_of_key(key)


def kind_of_key(key: str) -> Kind | None:
    """The same of a blob that no person brought."""
    folder = key.partition("/")[0]
    if folder == "ingest":
        return Kind.SOURCES if key.endswith("/speech.wav") else None
    return _FOLDERS.get(folder)


def held(
    engine: Engine, size_of: Callable[[str], int | None], extra: Callable[[str], Sequence[tuple[str, int]]]
) -> list[Held]:
    """Every job with its files that exist. `size_of` says how large a blob is (None: it is not there), `extra` what
    else are outputs of a job.

    Blocks: about 4 s for 10,000 jobs with 300,000 files.
    """
    with reading(engine) as c:
        columns = (
            t.jobs.c.id,
            t.jobs.c.title,
            t.jobs.c.state,
            t.jobs.c.updated_at,
            t.jobs.c.source_key,
            t.jobs.c.stem_key,
        )
        jobs = {row.id: row for row in c.execute(select(*columns).where(listed_jobs))}
        further = _further(c, jobs)
        files: dict[str, dict[Kind | None, list[tuple[str, int]]]] = {job_id: {} for job_id in jobs}
        sizes: dict[str, int | None] = {}
        for job_id, key in c.execute(select(t.blob_references.c.job_id, t.blob_references.c.key)):
            job_id = further.get(job_id, (job_id, 0.0))[0]
            if job_id not in jobs:
                continue
            for file in files_of([key]):
                if file not in sizes:
                    sizes[file] = size_of(file)
                if (size := sizes[file]) is not None:
                    files[job_id].setdefault(kind_of(file, jobs[job_id]), []).append((file, size))
    at = {job_id: row.updated_at for job_id, row in jobs.items()}
    languages: dict[str, list[str]] = {}
    for each, (job_id, updated_at) in further.items():
        languages.setdefault(job_id, []).append(each)
        at[job_id] = max(at[job_id], updated_at)
    found = []
    for job_id, row in jobs.items():
        own = {kind: list(dict.fromkeys(listed)) for kind, listed in files[job_id].items()}
        for each in (job_id, *languages.get(job_id, ())):
            own.setdefault(Kind.OUTPUTS, []).extend(extra(each))
        kinds = {kind: tuple(listed) for kind, listed in own.items() if kind is not None and listed}
        found.append(
            Held(
                job_id,
                row.title,
                JobState(row.state),
                at[job_id],
                row.source_key,
                kinds,
                tuple(own.get(None, ())),
                tuple(languages.get(job_id, ())),
            )
        )
    return found


def _further(c: Connection, jobs: Collection[str]) -> dict[str, tuple[str, float]]:
    """The further languages of these jobs: of which job each is, and when something happened to it."""
    asked = select(t.jobs.c.id, t.jobs.c.parent_id, t.jobs.c.updated_at).where(t.jobs.c.state == LANGUAGE)
    return {row.id: (row.parent_id, row.updated_at) for row in c.execute(asked) if row.parent_id in jobs}


def languages_of(engine: Engine, job_ids: Sequence[str]) -> list[str]:
    """The ids of the further languages of these jobs."""
    with reading(engine) as c:
        return [row.id for listed in family.others(c, job_ids).values() for row in listed]


@urgently
def retire(
    engine: Engine, kind: Kind, job_ids: Sequence[str], before: float, meanwhile: Callable[[], None] = lambda: None
) -> list[str] | None:
    """Take a kind of files, or everything, from jobs that nothing happened to since `before`; returns the blobs that
    they needed.

    `meanwhile` is called while no job can begin to work. None, and nothing changed, when one of them is at work or was
    touched since, or when a further job has come to share an original. What may be much is not among them: whole jobs
    are gone for everybody, and `app.storage.hidden` deletes what is theirs; clips have to be made again, and
    `take_clips` deletes them.
    """
    allowed = IDLE if kind is Kind.JOBS else ENDED
    with engine.begin() as c:
        found = c.execute(select(t.jobs).where(t.jobs.c.id.in_(list(job_ids)), seen)).all()
        further = [row for listed in family.others(c, job_ids).values() for row in listed]
        if not found or any(JobState(row.state) not in allowed for row in found):
            return None
        if any(row.updated_at > before for row in (*found, *further)):
            return None
        if kind is Kind.SOURCES:
            sharing = select(t.blob_references.c.job_id).where(t.blob_references.c.key == found[0].source_key)
            if set(c.execute(sharing).scalars()) - set(job_ids):
                return None
        gone: list[str] = []
        for row in (*found, *further):
            if kind is Kind.JOBS:
                c.execute(update(t.jobs).where(t.jobs.c.id == row.id).values(state=GONE))
            else:
                keys = [] if kind is Kind.CLIPS else _of_kind(c, row, kind)
                _take(c, row.id, kind, keys)
                gone += files_of(keys)
        meanwhile()
        return gone


def take_clips(engine: Engine, blobs: BlobStore, job_id: str, before: float) -> int:
    """Delete the clips that `retire` took from a job, or from a language of one, in pieces, until something happens to
    it; returns the bytes that they had."""
    freed = 0

    def piece() -> bool:
        nonlocal freed
        with engine.begin() as c:
            row = c.execute(select(t.jobs).where(t.jobs.c.id == job_id, seen)).first()
            state = _state(c, job_id)
            if row is None or state is None or state not in ENDED or row.updated_at > before:
                return False
            keys = _of_kind(c, row, Kind.CLIPS, _BATCH // 2)
            c.execute(
                delete(t.blob_references).where(t.blob_references.c.job_id == job_id, t.blob_references.c.key.in_(keys))
            )
            freed += delete_unneeded(c, blobs, files_of(keys), uploads_too=True)[1]
            return bool(keys)

    batches.repeat(lambda: urgent(engine, piece))
    return freed


def _of_kind(c: Connection, row: Any, kind: Kind, limit: int | None = None) -> list[str]:
    """The rows of what a job needs of that kind."""
    key = t.blob_references.c.key
    brought = [name for name in (row.source_key, row.stem_key) if name]
    sources = or_(key.in_(brought), in_folder(key, "ingest"), in_folder(key, "separated"))
    wanted = {Kind.CLIPS: in_folder(key, "clips"), Kind.OUTPUTS: in_folder(key, "artifacts")}.get(kind, sources)
    asked = select(key).where(t.blob_references.c.job_id == row.id, wanted)
    return [
        found
        for found in c.execute(asked.limit(limit)).scalars()
        if kind_of(found, row) is kind and found != row.subtitles_key
    ]


@urgently
def while_ended(engine: Engine, job_id: str, action: Callable[[], None]) -> bool:
    """Do it while the job cannot begin to work; False, and not done, when it is at work. A job that does not exist has
    ended."""
    with engine.begin() as c:
        state = _state(c, job_id)
        if state is not None and state not in ENDED:
            return False
        action()
        return True


def _state(c: Connection, job_id: str) -> JobState | None:
    """Of the job, or of the one that this is a language of; None where there is none."""
    state = c.execute(select(t.jobs.c.state).where(t.jobs.c.id == family.whole_id(job_id), seen)).scalar()
    return None if state is None else JobState(state)


def _take(c: Connection, job_id: str, kind: Kind, keys: Sequence[str]) -> None:
    """The job's rows say that the files are gone; its stages that made them have to run again."""
    for start in range(0, len(keys), 500):
        some = keys[start : start + 500]
        c.execute(
            delete(t.blob_references).where(t.blob_references.c.job_id == job_id, t.blob_references.c.key.in_(some))
        )
    if kind is Kind.SOURCES:
        c.execute(delete(t.artifacts).where(t.artifacts.c.job_id == job_id, t.artifacts.c.kind == ArtifactKind.SOURCE))
    if kind is Kind.OUTPUTS:
        c.execute(delete(t.artifacts).where(t.artifacts.c.job_id == job_id, t.artifacts.c.key.like("artifacts/%")))
    again = [name for folder, made in _FOLDERS.items() if made is kind for name in making(folder)]
    c.execute(update(t.stages).where(t.stages.c.job_id == job_id, t.stages.c.stage.in_(again)).values(fingerprint=""))


@urgently
def discard(engine: Engine, blobs: BlobStore, keys: Collection[str], *, uploads_too: bool = False) -> int:
    """Delete those of the blobs that nobody needs; returns the bytes that they had. `uploads_too`: a finished upload
    that waits for a job is no reason to keep one (its row goes with it)."""
    listed, freed = sorted(set(keys)), 0
    for start in range(0, len(listed), _BATCH):
        with engine.begin() as c:  # nobody refers to a blob while we look and delete
            freed += delete_unneeded(c, blobs, listed[start : start + _BATCH], uploads_too=uploads_too)[1]
    return freed


def delete_unneeded(
    c: Connection, blobs: BlobStore, keys: Sequence[str], *, uploads_too: bool
) -> tuple[list[str], int]:
    """Those of a few blobs that nobody needs are deleted before this transaction ends; returns them, and the bytes that
    they had."""
    unneeded, freed = _unneeded(c, keys, uploads_too=uploads_too), 0
    for key in unneeded:
        try:
            freed += blobs.size_bytes(key)
        except FileNotFoundError:
            continue
        blobs.delete(key)
    return unneeded, freed


def _unneeded(c: Connection, keys: Sequence[str], *, uploads_too: bool) -> list[str]:
    asked = select(t.blob_references.c.key).where(t.blob_references.c.key.in_({row_of(key) for key in keys}))
    needed = set(c.execute(asked).scalars())
    free = [key for key in keys if row_of(key) not in needed]
    if uploads_too:
        c.execute(delete(t.uploads).where(t.uploads.c.key.in_(free), t.uploads.c.complete))
        return free
    waiting = set(
        c.execute(select(t.uploads.c.id).where(t.uploads.c.id.in_([key.rpartition("/")[2] for key in free]))).scalars()
    )
    return [key for key in free if not (key.startswith("uploads/") and key.rpartition("/")[2] in waiting)]


def orphans(
    engine: Engine, blobs: BlobStore, *, older_than_s: float = ORPHAN_S, only_look: bool = False
) -> tuple[int, int]:
    """Delete the blobs that nothing refers to, and half-written ones, that have lain there for a day; returns how many,
    and their bytes."""
    before = time.time() - older_than_s
    count, freed = blobs.sweep(older_than_s=older_than_s, only_look=only_look)
    batch: dict[str, int] = {}

    def settle() -> None:
        nonlocal count, freed
        with reading(engine) as c:  # most are needed: find that out without holding anybody up
            free = _unneeded(c, list(batch), uploads_too=False)
        count += len(free)
        freed += sum(batch[key] for key in free) if only_look else discard(engine, blobs, free)
        batch.clear()

    for entry in blobs.entries():
        if entry.written_at <= before:
            batch[entry.key] = entry.size_bytes
        if len(batch) >= _BATCH:
            settle()
    if batch:
        settle()
    return count, freed
