"""Queries about jobs. Every write is one transaction; every method blocks on the database."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import Engine, delete, func, insert, select, update

from app.domain.choices import FIRST_REVISION, Choices, differing
from app.domain.dub_options import DubOptions, to_row
from app.domain.errors import DubError
from app.domain.job import ACTIVE, TRANSITIONS, Job, JobState, Phase
from app.domain.media import Artifact, ArtifactKind
from app.domain.problems.jobs import JOB_STATE
from app.domain.stages import STAGES
from app.domain.summary import JobSummary
from app.storage import batches, copies, family, hidden, job_languages, library, rows
from app.storage import references as blob_references
from app.storage import tables as t
from app.storage.blobs import BlobStore
from app.storage.database import reading, urgent, urgently
from app.storage.job_languages import JobLanguages
from app.storage.job_lines import JobLines
from app.storage.job_row import PARTIAL as PARTIAL
from app.storage.job_row import JobRow, StageRow
from app.storage.ledger import JobLedger
from app.storage.unchanged import Unchanged

_SHARED: Final = frozenset(stage.name for stage in STAGES if not stage.each_language)


class JobStore(JobLines, JobLanguages):
    def __init__(self, engine: Engine) -> None:
        super().__init__(engine)
        self._unchanged = Unchanged(engine)

    # ---------------------------------------------------------------- jobs

    def insert(
        self,
        job_id: str,
        *,
        title: str,
        options: DubOptions,
        source_key: str,
        subtitles_key: str | None,
        stem_key: str | None = None,
        size_bytes: int,
    ) -> None:
        """A new job, queued for preparation."""
        now = time.time()
        with self._engine.begin() as c:
            c.execute(
                insert(t.jobs).values(
                    id=job_id,
                    title=title,
                    state=JobState.QUEUED,
                    phase=Phase.PREPARE,
                    stage=None,
                    stage_progress=0.0,
                    progress=0.0,
                    eta_s=None,
                    options=to_row(options),
                    language=None,
                    media=None,
                    source_key=source_key,
                    subtitles_key=subtitles_key,
                    stem_key=stem_key,
                    size_bytes=size_bytes,
                    revision=1,
                    rendered_revision=None,
                    rendered_options=None,
                    choices_revision=FIRST_REVISION,
                    choices_changed={},
                    error=None,
                    workflow_id=None,
                    created_at=now,
                    updated_at=now,
                )
            )
            rows.refer(c, job_id, [key for key in (source_key, subtitles_key, stem_key) if key])

    def copy(
        self,
        job_id: str,
        new_id: str,
        blobs: BlobStore,
        *,
        title: str,
        options: DubOptions,
        stem_key: str | None,
        state: JobState,
        stages: Collection[str],
    ) -> None:
        """As `app.storage.copies.copy`."""
        copies.copy(
            self._engine,
            blobs,
            job_id,
            new_id,
            title=title,
            options=options,
            stem_key=stem_key,
            state=state,
            stages=stages,
        )

    def row(self, job_id: str) -> JobRow:
        """Raises job_not_found."""
        with reading(self._engine) as c:
            return rows.job_row(c, job_id)

    def get(self, job_id: str) -> Job:
        """Raises job_not_found."""
        return self.row(job_id).job

    def summaries(
        self, *, states: Collection[JobState], query: str, limit: int, before: tuple[float, str] | None
    ) -> tuple[list[JobSummary], int]:
        """Up to `limit` jobs that match, newest first, older than `before` (created_at, id); and how many match in
        all. The list is shared with whoever asks the same."""
        question = (frozenset(states), query, limit, before)
        return self._unchanged.get(
            question, lambda: library.page(self._engine, states=states, query=query, limit=limit, before=before)
        )

    def jobs(self, ids: Sequence[str]) -> list[Job]:
        """The whole jobs with these ids, in this order; those that are gone are left out."""
        with reading(self._engine) as c:
            return rows.jobs(c, ids)

    def ids(self, states: Collection[JobState]) -> list[str]:
        with reading(self._engine) as c:
            return list(c.execute(select(t.jobs.c.id).where(t.jobs.c.state.in_(list(states)))).scalars())

    def counts(self) -> dict[JobState, int]:
        with reading(self._engine) as c:
            found = {
                JobState(row[0]): int(row[1])
                for row in c.execute(
                    select(t.jobs.c.state, func.count()).where(rows.listed_jobs).group_by(t.jobs.c.state)
                )
            }
        return {state: found.get(state, 0) for state in JobState}

    def transition(
        self,
        job_id: str,
        to: JobState,
        *,
        only_from: Collection[JobState] = (),
        owner: str | None = None,
        check: Callable[[JobRow], None] | None = None,
        **fields: Any,
    ) -> Job:
        """Move the job to another state, if the rules allow it, and set columns. `owner`: only while that workflow owns
        the job. `check` refuses by what it raises; nothing changes the job between it and the move.

        What ends a job is written on a full disk too. Raises job_not_found, or job_state when the job is elsewhere by
        now.
        """

        def move() -> Job:
            with self._engine.begin() as c:
                row = rows.job_row(c, job_id)
                state = row.job.state
                if (
                    to not in TRANSITIONS[state]
                    or (only_from and state not in only_from)
                    or (owner is not None and row.workflow_id != owner)
                ):
                    raise DubError(JOB_STATE, f"The job is {state.value}.")
                if check is not None:
                    check(row)
                rows.update_job(c, job_id, {"state": to, **fields})
                if to is JobState.QUEUED and "error" in fields:
                    job_languages.forget_errors(c, job_id)
                return rows.job_row(c, job_id).job

        return move() if to in ACTIVE else urgent(self._engine, move)

    def update(self, job_id: str, **fields: Any) -> Job:
        """Set columns. Raises job_not_found."""
        with self._engine.begin() as c:
            rows.update_job(c, job_id, fields)
            return rows.job_row(c, job_id).job

    @urgently
    def revise(
        self, job_id: str, allowed: Collection[JobState], seen: JobRow, chosen: Choices
    ) -> tuple[Job, list[str]] | None:
        """Set what the person chose while the job is in one of the allowed states; its revision grows.

        None when the choices are no longer those of `seen`, from which `chosen` was made: nothing is set then. Returns
        the job and the keys of blobs that nobody needs any more. Raises job_not_found, job_state.
        """
        with self._engine.begin() as c:
            row = rows.job_row(c, job_id)
            if row.job.state not in allowed:
                raise DubError(JOB_STATE, f"The job is {row.job.state.value}.")
            if row.job.choices_revision != seen.job.choices_revision:
                return None
            revision = row.job.choices_revision + 1
            values = {
                **msgspec.structs.asdict(chosen),
                "choices_revision": revision,
                "choices_changed": row.choices_changed | dict.fromkeys(differing(row.choices, chosen), revision),
            }
            rows.update_job(c, job_id, values)
            old, gone = row.stem_key, []
            if old != chosen.stem_key:
                rows.refer(c, job_id, [key for key in (chosen.stem_key,) if key])
                if old and old not in (row.source_key, row.subtitles_key):
                    c.execute(
                        delete(t.blob_references).where(
                            t.blob_references.c.job_id == job_id, t.blob_references.c.key == old
                        )
                    )
                    gone = rows.unreferenced(c, [old])
            return rows.job_row(c, job_id).job, gone

    def progress(
        self, job_id: str, *, stage: str | None, stage_progress: float, progress: float, eta_s: float | None
    ) -> None:
        """Keep the last known progress; a deleted job is no error."""
        values = {"stage": stage, "stage_progress": stage_progress, "progress": progress, "eta_s": eta_s}
        with self._engine.begin() as c:
            c.execute(update(t.jobs).where(t.jobs.c.id == job_id).values(**values))

    def delete(self, job_id: str, blobs: BlobStore) -> list[str]:
        """Delete the job with its languages, all their rows, and the blobs that nobody else needs; returns their keys.
        It is gone for everybody at once. Raises job_not_found."""
        gone = hidden.hide(self._engine, job_id)
        return [key for each in gone for key in hidden.bury_or_leave(self._engine, blobs, each)]

    def bury(self, language_id: str, blobs: BlobStore) -> None:
        """Delete what is left of a language that was removed."""
        hidden.bury_or_leave(self._engine, blobs, language_id)

    def ledger(self, job_id: str) -> JobLedger:
        """What the job spends at paid services."""
        return JobLedger(self._engine, job_id)

    # ---------------------------------------------------------------- stages, artifacts, blobs

    def stage(self, job_id: str, stage: str) -> StageRow | None:
        """What the stage gave; what is the same for all languages, a further one has from its job."""
        with reading(self._engine) as c:
            whole = family.whole_id(job_id) if stage in _SHARED else job_id
            row = c.execute(select(t.stages).where(t.stages.c.job_id == whole, t.stages.c.stage == stage)).first()
        return None if row is None else StageRow(row.fingerprint, row.output, row.seconds)

    def finish_stage(
        self,
        job_id: str,
        stage: str,
        fingerprint: str,
        output: Any,
        seconds: float,
        *,
        keys: Collection[str] = (),
        artifacts: Collection[Artifact] = (),
        kinds: Collection[ArtifactKind] = (),
    ) -> list[str]:
        """Record a finished stage with the blobs it needs; returns the keys that nobody needs any more.

        `kinds` is all that the stage ever hands out: files of those kinds that it has not made this time are taken
        back.
        """
        made, output = {artifact.key for artifact in artifacts}, msgspec.to_builtins(output)
        wanted = keys
        if len(keys) > batches.PIECE:  # the job needs them, whatever becomes of the stage
            self.refer(job_id, keys)
            wanted = ()
        with self._engine.begin() as c:
            rows.check_seen(c, job_id)
            rows.put_stage(c, job_id, stage, fingerprint, output, seconds)
            own = (
                t.artifacts.c.job_id == job_id,
                t.artifacts.c.kind.in_({*kinds, *(artifact.kind for artifact in artifacts)}),
            )
            before = set(c.execute(select(t.artifacts.c.key).where(*own)).scalars())
            c.execute(delete(t.artifacts).where(*own))
            for artifact in artifacts:
                c.execute(insert(t.artifacts).values(job_id=job_id, **msgspec.to_builtins(artifact)))
            rows.refer(c, job_id, [*wanted, *made])
            still_used = set(c.execute(select(t.artifacts.c.key).where(t.artifacts.c.job_id == job_id)).scalars())
            replaced = sorted(before - still_used - set(keys))
            c.execute(
                delete(t.blob_references).where(
                    t.blob_references.c.job_id == job_id, t.blob_references.c.key.in_(replaced)
                )
            )
            return rows.unreferenced(c, replaced)

    def refer(self, job_id: str, keys: Collection[str]) -> None:
        """Say that the job needs these blobs. Very many are said in pieces."""
        batches.write(self._engine, batches.split(list(keys)), rows.seen_first(job_id, rows.refer))

    def discard(self, blobs: BlobStore, keys: Collection[str]) -> None:
        """Delete those of the blobs that no job needs by now; uploads that waited with them for another job are
        forgotten."""
        blob_references.discard(self._engine, blobs, keys, uploads_too=True)

    def seconds_per_media_second(self, stage: str, recent: int = 8) -> float | None:
        """How long a stage took lately, per second of media; None when it never ran here. For estimates."""
        with reading(self._engine) as c:
            listed = c.execute(
                select(t.stages.c.seconds, t.jobs.c.media)
                .join(t.jobs, t.jobs.c.id == t.stages.c.job_id)
                .where(t.stages.c.stage == stage, t.stages.c.seconds > 0)
                .order_by(t.stages.c.finished_at.desc())
                .limit(recent)
            ).all()
        pairs = [(row.seconds, row.media["duration_s"]) for row in listed if row.media and row.media["duration_s"] > 0]
        return sum(s for s, _ in pairs) / sum(d for _, d in pairs) if pairs else None
