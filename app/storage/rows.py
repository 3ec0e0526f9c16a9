"""From rows to Structs and back: the statements that several queries about jobs share."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, Final, TypeVar

import msgspec
from sqlalchemy import Connection, Row, delete, func, insert, select, update

from app.domain.dub_options import DubOptions, from_row, same_dub, to_row
from app.domain.errors import DubError
from app.domain.job import Job, JobError, JobState, Joined, Phase
from app.domain.media import Artifact, ArtifactKind, MediaInfo
from app.domain.plain_text import plain
from app.domain.problems.jobs import JOB_NOT_FOUND
from app.domain.segment import LeftOut, Segment, Translation, Word
from app.domain.speaker import Speaker
from app.domain.subtitle_file import SubtitleReading
from app.domain.voice_chosen import VoiceChosen
from app.storage import family
from app.storage import tables as t
from app.storage.batches import split
from app.storage.clip_files import row_of
from app.storage.job_row import JobRow as JobRow

T = TypeVar("T")
_ASKED: Final = 500  # keys in one question
# the states of what no reader sees: a job that is deleted in pieces, and one that is written in pieces
GONE: Final = "gone"
COMING: Final = "coming"
HIDDEN: Final = (GONE, COMING)
seen: Final = t.jobs.c.state.not_in(HIDDEN)  # of every query for jobs
listed_jobs: Final = t.jobs.c.state.not_in((*HIDDEN, family.LANGUAGE))  # of every list of jobs


def job_row(c: Connection, job_id: str) -> JobRow:
    row = c.execute(select(t.jobs).where(t.jobs.c.id == job_id, seen)).first()
    if row is None:
        raise DubError(JOB_NOT_FOUND)
    whole = _whole(c, row)
    further = family.others(c, [whole.id]).get(whole.id, [])
    count = c.execute(select(func.count()).select_from(t.segments).where(t.segments.c.job_id == job_id)).scalar_one()
    files = t.artifacts.c.job_id == job_id
    if row is not whole:
        files |= (t.artifacts.c.job_id == whole.id) & t.artifacts.c.kind.in_(family.SHARED_FILES)
    owned = [to_artifact(found) for found in c.execute(select(t.artifacts).where(files))]
    return to_job(row, count, owned, has_source=bool(with_source(c, [whole.id])), whole=whole, further=further)


def _whole(c: Connection, row: Row[Any]) -> Row[Any]:
    """The row of the job that this is a language of. Raises job_not_found."""
    if row.parent_id is None:
        return row
    whole = c.execute(select(t.jobs).where(t.jobs.c.id == row.parent_id, seen)).first()
    if whole is None:
        raise DubError(JOB_NOT_FOUND)
    return whole


def jobs(c: Connection, ids: Sequence[str]) -> list[Job]:
    """The jobs with these ids, in this order; those that are gone are left out, and further languages of a job."""
    listed = {row.id: row for row in c.execute(select(t.jobs).where(t.jobs.c.id.in_(ids), listed_jobs))}
    further = family.others(c, ids)
    mine = t.segments.c.job_id
    counts: dict[str, int] = dict(
        c.execute(select(mine, func.count()).where(mine.in_(ids)).group_by(mine)).tuples().all()
    )
    owned: dict[str, list[Artifact]] = {}
    for row in c.execute(select(t.artifacts).where(t.artifacts.c.job_id.in_(ids))):
        owned.setdefault(row.job_id, []).append(to_artifact(row))
    there = with_source(c, ids)
    found = [(listed[job_id], counts.get(job_id, 0), owned.get(job_id, [])) for job_id in ids if job_id in listed]
    return [
        to_job(row, count, files, has_source=row.id in there, whole=row, further=further.get(row.id, [])).job
        for row, count, files in found
    ]


def check_seen(c: Connection, job_id: str) -> None:
    """Raises job_not_found."""
    if c.execute(select(t.jobs.c.id).where(t.jobs.c.id == job_id, seen)).first() is None:
        raise DubError(JOB_NOT_FOUND)


def seen_first(
    job_id: str, work: Callable[[Connection, str, Sequence[T]], object]
) -> Callable[[Connection, Sequence[T]], None]:
    """Work for pieces: each looks first whether the job is still there. Raises job_not_found."""

    def piece(c: Connection, some: Sequence[T]) -> None:
        check_seen(c, job_id)
        work(c, job_id, some)

    return piece


def with_source(c: Connection, job_ids: Collection[str]) -> set[str]:
    """Those of the jobs whose original is kept: they refer to it."""
    referred = (t.blob_references.c.job_id == t.jobs.c.id) & (t.blob_references.c.key == t.jobs.c.source_key)
    return set(
        c.execute(select(t.jobs.c.id).join(t.blob_references, referred).where(t.jobs.c.id.in_(list(job_ids)))).scalars()
    )


def to_job(
    row: Row[Any],
    segment_count: int,
    owned: list[Artifact],
    *,
    has_source: bool,
    whole: Row[Any],
    further: Sequence[Row[Any]],
) -> JobRow:
    """`whole` is the row of the job: `row` itself, unless that is one of its `further` languages."""
    first, own = from_row(whole.options), row is not whole
    options = family.composed(from_row(row.options), first) if own else first
    rendered = None if whole.rendered_options is None else from_row(whole.rendered_options)
    changed = (
        whole.rendered_revision != whole.revision
        or whole.rendered_stem_key != whole.stem_key
        or rendered is None
        or not same_dub(rendered, first)
    )
    stale = whole.rendered_revision is not None and changed
    languages = family.languages(whole, further, stale=stale)
    stale = row.rendered_revision is not None and (changed or family.any_changed(further))
    job = Job(
        id=row.id,
        title=plain(whole.title),  # older ones were not cleaned when they were given
        state=JobState(whole.state),
        phase=Phase(whole.phase),
        stage=whole.stage,
        stage_progress=whole.stage_progress,
        progress=whole.progress,
        eta_s=whole.eta_s,
        options=options,
        language=whole.language,
        media=None if whole.media is None else msgspec.convert(whole.media, MediaInfo),
        size_bytes=whole.size_bytes,
        segment_count=segment_count,
        has_stem=whole.stem_key is not None,
        revision=row.revision,
        rendered_revision=row.rendered_revision,
        choices_revision=row.choices_revision,
        stale=stale,
        error=None if row.error is None else msgspec.convert(row.error, JobError),
        artifacts=tuple(sorted(owned, key=lambda a: list(ArtifactKind).index(a.kind))),
        created_at=row.created_at,
        updated_at=row.updated_at,
        source_gone=not has_source,
        outputs_gone=row.rendered_revision is not None and not any(file.key.startswith("artifacts/") for file in owned),
        joined=None if whole.joined is None else msgspec.convert(whole.joined, Joined),
        subtitles=None if whole.subtitles is None else msgspec.convert(whole.subtitles, SubtitleReading),
        language_certainty=whole.language_certainty,
        voice_chosen=None if row.voice_chosen is None else msgspec.convert(row.voice_chosen, VoiceChosen),
        parent_id=row.parent_id,
        languages=languages,
    )
    return JobRow(
        job,
        whole.source_key,
        whole.subtitles_key,
        whole.stem_key,
        whole.workflow_id,
        rendered,
        row.choices_changed,
        msgspec.convert(row.speakers, tuple[Speaker, ...]),
    )


def to_artifact(row: Row[Any]) -> Artifact:
    return Artifact(ArtifactKind(row.kind), row.key, row.size_bytes, row.sha256, row.media_type, row.extension)


def update_job(c: Connection, job_id: str, fields: dict[str, Any]) -> None:
    values = {
        name: to_row(value) if isinstance(value, DubOptions) else msgspec.to_builtins(value)
        for name, value in fields.items()
    }
    if (
        c.execute(update(t.jobs).where(t.jobs.c.id == job_id, seen).values(**values, updated_at=time.time())).rowcount
        == 0
    ):
        raise DubError(JOB_NOT_FOUND)


def touch(c: Connection, job_id: str) -> None:
    """Something happened to the job now: retention counts from here."""
    c.execute(update(t.jobs).where(t.jobs.c.id == job_id).values(updated_at=time.time()))


def next_revision(c: Connection, job_id: str) -> int:
    c.execute(
        update(t.jobs).where(t.jobs.c.id == job_id).values(revision=t.jobs.c.revision + 1, updated_at=time.time())
    )
    return int(c.execute(select(t.jobs.c.revision).where(t.jobs.c.id == job_id)).scalar_one())


def put_stage(c: Connection, job_id: str, stage: str, fingerprint: str, output: Any, seconds: float) -> None:
    c.execute(delete(t.stages).where(t.stages.c.job_id == job_id, t.stages.c.stage == stage))
    values = {"job_id": job_id, "stage": stage, "fingerprint": fingerprint, "output": msgspec.to_builtins(output)}
    c.execute(insert(t.stages).values(**values, seconds=seconds, finished_at=time.time()))


def segments_of(c: Connection, job_id: str) -> tuple[Segment, ...]:
    found = c.execute(
        select(t.segments)
        .where(t.segments.c.job_id == job_id)
        .order_by(t.segments.c.start_s, t.segments.c.end_s, t.segments.c.id)
    )
    return tuple(
        Segment(
            r.id,
            r.start_s,
            r.end_s,
            r.text,
            r.source_text,
            r.speaker,
            r.skip,
            msgspec.convert(r.words, tuple[Word, ...]),
            r.start_locked,
            r.locked_rate,
            msgspec.convert(r.left_out, tuple[LeftOut, ...]),
            r.original,
            Translation(r.translation),
            r.voice,
            r.speed,
            r.level_db,
        )
        for r in found
    )


def put_speakers(c: Connection, job_id: str, speakers: Sequence[Speaker]) -> None:
    c.execute(update(t.jobs).where(t.jobs.c.id == job_id).values(speakers=msgspec.to_builtins(speakers)))


def segment_rows(job_id: str, added: Iterable[Segment]) -> list[dict[str, Any]]:
    return [{"job_id": job_id, **msgspec.to_builtins(segment)} for segment in added]


def write_segments(c: Connection, job_id: str, added: Iterable[Segment]) -> None:
    rows = segment_rows(job_id, added)
    if rows:
        c.execute(insert(t.segments), rows)


def delete_segments(c: Connection, job_id: str, ids: Sequence[str]) -> None:
    for some in split(ids, _ASKED):
        c.execute(delete(t.segments).where(t.segments.c.job_id == job_id, t.segments.c.id.in_(some)))


def refer(c: Connection, job_id: str, keys: Collection[str]) -> None:
    keys = {row_of(key) for key in keys}
    mine = select(t.blob_references.c.key).where(t.blob_references.c.job_id == job_id)
    known = {
        key
        for some in split(list(keys), _ASKED)
        for key in c.execute(mine.where(t.blob_references.c.key.in_(some))).scalars()
    }
    fresh = sorted(keys - known)
    if fresh:
        c.execute(insert(t.blob_references), [{"job_id": job_id, "key": key} for key in fresh])


def unreferenced(c: Connection, keys: Collection[str]) -> list[str]:
    asked = select(t.blob_references.c.key)
    needed = {
        key
        for some in split(list({row_of(key) for key in keys}), _ASKED)
        for key in c.execute(asked.where(t.blob_references.c.key.in_(some))).scalars()
    }
    return [key for key in keys if row_of(key) not in needed]
