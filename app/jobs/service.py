"""The operations on jobs. Methods block on the database unless they are async: call them from threads."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import shutil
import uuid
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

import msgspec
from msgspec import UNSET, UnsetType

from app.domain.choices import Choices, differing
from app.domain.dub_options import DubOptions, changed
from app.domain.errors import DubError
from app.domain.events import Deleted, SegmentsChanged, StateChanged
from app.domain.job import ACTIVE, EDITABLE, Job, JobState, Phase
from app.domain.media import Artifact, ArtifactKind
from app.domain.plain_text import plain
from app.domain.principal import ANYONE, Principal
from app.domain.problems.jobs import ARTIFACT_NOT_READY, JOB_STATE, SOURCE_GONE
from app.domain.problems.lines import NOTHING_TO_SPEAK
from app.domain.problems.requests import DATABASE_BUSY, INVALID_REQUEST
from app.domain.report import Report
from app.domain.secret_names import NO_KEYS, Keys
from app.domain.segment import Segment
from app.domain.stages import TRANSCRIBE, names
from app.domain.summary import JobSummary
from app.dubbing.context import Context
from app.dubbing.synthesize import speakable
from app.dubbing.transcribe import SUBTITLES
from app.jobs import attachments, conflicts, editing, estimate, preview
from app.jobs import options as job_options
from app.jobs.events import Hub
from app.jobs.schemas import (
    CreateJob,
    Estimate,
    JobPage,
    JobPatch,
    SegmentChanges,
    Segments,
    SplitSegment,
    WholeJobPage,
    asked,
)
from app.observability import metrics, tracing
from app.storage.disk_floor import Floor
from app.storage.jobs import JobStore
from app.storage.rows import JobRow
from app.storage.secrets import SecretStore
from app.storage.uploads import UploadStore

J = TypeVar("J", Job, JobSummary)
log = logging.getLogger(__name__)

_ANY: Final = frozenset(JobState)
_MERGES: Final = 100  # of one change with others that were made at the same time
_RENDERABLE: Final = frozenset({JobState.REVIEW, JobState.COMPLETED, JobState.FAILED, JobState.CANCELLED})


class Queue(Protocol):
    """The queue of phases: `app.jobs.workflows`."""

    def enqueue(self, phase: Phase, job_id: str, workflow_id: str) -> None: ...

    def cancel(self, workflow_id: str) -> None: ...


class JobService:
    """Applies the rules of a job's states. `defaults` are the operator's options; `floor` guards the disk's free space
    for new work."""

    def __init__(
        self,
        *,
        store: JobStore,
        uploads: UploadStore,
        keys: SecretStore,
        context: Context,
        hub: Hub,
        queue: Queue,
        defaults: DubOptions,
        floor: Floor,
        principal: Principal = ANYONE,
    ) -> None:
        self._store, self._uploads, self._keys, self._context, self._hub, self._queue = (
            store,
            uploads,
            keys,
            context,
            hub,
            queue,
        )
        self._defaults, self._floor, self.principal = defaults, floor, principal

    def acting_for(self, principal: Principal) -> JobService:
        """The same service for one principal: what is asked of it is asked by them. Nothing is checked yet."""
        return JobService(
            store=self._store,
            uploads=self._uploads,
            keys=self._keys,
            context=self._context,
            hub=self._hub,
            queue=self._queue,
            defaults=self._defaults,
            floor=self._floor,
            principal=principal,
        )

    # ---------------------------------------------------------------- reading

    def default_options(self) -> DubOptions:
        return self._defaults

    def get(self, job_id: str) -> Job:
        return self._fresh(self._store.get(job_id))

    def page(
        self, *, states: Collection[JobState] = frozenset(), query: str = "", limit: int = 50, cursor: str | None = None
    ) -> JobPage:
        before = _cursor(cursor)
        jobs, total = self._store.summaries(states=states, query=query, limit=limit + 1, before=before)
        more, jobs = len(jobs) > limit, jobs[:limit]
        return JobPage(tuple(map(self._fresh, jobs)), f"{jobs[-1].created_at!r}_{jobs[-1].id}" if more else None, total)

    def whole(self, page: JobPage) -> WholeJobPage:
        """The page with whole jobs."""
        jobs = self._store.jobs([job.id for job in page.jobs])
        return WholeJobPage(tuple(map(self._fresh, jobs)), page.next, page.total)

    def segments(self, job_id: str) -> Segments:
        return Segments(*self._store.segments(job_id))

    @contextlib.contextmanager
    def artifact(self, job_id: str, kind: ArtifactKind) -> Iterator[tuple[Artifact, Path]]:
        """A finished file and a path that can be opened in the block; an open file stays readable. Raises
        job_not_found, artifact_not_ready."""
        job = self._store.get(job_id)
        for artifact in job.artifacts:
            if artifact.kind == kind and self._context.blobs.exists(artifact.key):
                break
        else:
            if kind is ArtifactKind.SOURCE and job.source_gone:
                raise DubError(SOURCE_GONE)
            raise DubError(
                ARTIFACT_NOT_READY, "It was deleted to make room; a render makes it again." if job.outputs_gone else ""
            )
        with contextlib.ExitStack() as stack:
            try:
                path = stack.enter_context(self._context.blobs.local_copy(artifact.key))
            except FileNotFoundError:  # deleted between the look and now
                raise DubError(ARTIFACT_NOT_READY, "It has just been deleted.") from None
            yield artifact, path

    def report(self, job_id: str) -> Report:
        """The report of the last finished render. Raises job_not_found, artifact_not_ready."""
        with self.artifact(job_id, ArtifactKind.REPORT) as (_, path):
            return msgspec.json.decode(path.read_bytes(), type=Report)

    # ---------------------------------------------------------------- a job's life

    def create(self, request: CreateJob, *, keys: Keys = NO_KEYS) -> Job:
        """A new job from a finished upload, queued at once."""
        upload = attachments.whole(self._uploads, request.upload_id)
        options = job_options.patched(self._defaults, request.options)
        subtitles_key = None
        if request.subtitles_upload_id is not None:
            subtitles_key = attachments.subtitles(self._uploads, self._context, request.subtitles_upload_id, options)
            options = changed(options, recognizer=SUBTITLES)
        elif options.recognition.recognizer == SUBTITLES:
            raise DubError(INVALID_REQUEST, "subtitles_upload_id is missing.")
        job_options.check(options, self._context.engines)
        named = options.recognition.recognizer != SUBTITLES or "model" in asked(request.options)
        job_options.check_model(options, self._context.engines, None if named else options)
        self._floor.check()
        stem_key = self._stem(request.stem_upload_id)
        job_id = uuid.uuid4().hex
        title = (
            editing.title(request.title if isinstance(request.title, str) else plain(Path(upload.filename).stem))
            or "Untitled"
        )
        self._store.insert(
            job_id,
            title=title,
            options=options,
            source_key=upload.key,
            subtitles_key=subtitles_key,
            stem_key=stem_key,
            size_bytes=upload.length_bytes,
        )
        return self._start_new(job_id, keys=keys)

    def update(self, job_id: str, patch: JobPatch, *, seen: int | None = None) -> Job:
        """Change the title, the options or the stem. What only matters to recognition can be changed while the job has
        not been prepared.

        Two changes at the same time are merged: the fields of each are set, one after the other. With `seen`, the
        revision of the choices that the change was made for, a field that others have changed since to another value is
        not overwritten: job_changed is raised and nothing is set. Raises database_busy when others change the same job
        without end.
        """
        row = self._store.row(job_id)
        stem_key = patch.stem_upload_id if patch.stem_upload_id is UNSET else self._stem(patch.stem_upload_id)
        for _ in range(_MERGES):
            updated = self._updated(row, patch, stem_key, seen)
            if updated is not None:
                return updated
            row = self._store.row(job_id)
        raise DubError(DATABASE_BUSY, "The job is being changed again and again.")

    def _updated(self, row: JobRow, patch: JobPatch, stem_key: str | UnsetType | None, seen: int | None) -> Job | None:
        """Apply the patch to the job as it was read; None when somebody has changed its choices in between."""
        job = row.job
        title = (editing.title(patch.title) if isinstance(patch.title, str) else "") or job.title
        options = job_options.patched(job.options, patch.options)
        chosen = Choices(title, options, row.stem_key if stem_key is UNSET else stem_key)
        fields = differing(row.choices, chosen)
        if not fields:
            return self._fresh(job)
        rendered = not conflicts.only_title(fields)
        if rendered and job.state not in EDITABLE:
            raise DubError(JOB_STATE, f"The job is {job.state.value}.")
        conflicts.check_seen(row, fields, seen)
        if rendered:
            prepared = job.phase is Phase.RENDER or job.state is JobState.REVIEW
            if prepared and not job_options.same_preparation(options, job.options):
                raise DubError(JOB_STATE, "Recognition is done; duplicate the job to recognise it anew.")
            job_options.check(options, self._context.engines, job.media)
            job_options.check_model(options, self._context.engines, job.options)
        revised = self._store.revise(job.id, EDITABLE if rendered else _ANY, row, chosen)
        if revised is None:
            return None
        job, unneeded = revised
        self.discard(unneeded)
        return self._changed(job)

    def approve(self, job_id: str, *, keys: Keys = NO_KEYS, seen: int | None = None) -> Job:
        """Approve the lines and render. With `seen`, only while options and background are those of that revision of
        the choices; else job_changed is raised."""
        return self._render(job_id, frozenset({JobState.REVIEW}), keys, seen)

    def render(self, job_id: str, *, keys: Keys = NO_KEYS, seen: int | None = None) -> Job:
        """Render, or render again: only changes are repeated. `seen` as for `approve`."""
        return self._render(job_id, _RENDERABLE, keys, seen)

    def retry(self, job_id: str, *, keys: Keys = NO_KEYS, seen: int | None = None) -> Job:
        """Continue from the stage that failed or was cancelled. `seen` as for `approve`."""
        row = self._store.row(job_id)
        stopped = frozenset({JobState.FAILED, JobState.CANCELLED})
        check = conflicts.render_seen(seen)
        if row.job.state in stopped:
            check(row)
        self._check_original(row)
        self._floor.check()
        return self._start(job_id, row.job.phase, only_from=stopped, keys=keys, check=check)

    def cancel(self, job_id: str) -> Job:
        """Stop within two seconds. Finished work is kept for a retry."""
        row = self._store.row(job_id)
        job = self._store.transition(job_id, JobState.CANCELLED, only_from=ACTIVE)
        self._hub.forget(job_id)
        if row.workflow_id:
            self._queue.cancel(row.workflow_id)
            tracing.ended(row.workflow_id, job_id, job.phase, code="cancelled")
        metrics.JOBS_FINISHED.add(job.phase, "cancelled", row.job.stage or "", "")
        log.info("phase over", extra={"job_id": job_id, "phase": job.phase.value, "result": "cancelled"})
        return self._changed(job)

    def duplicate(self, job_id: str, patch: JobPatch) -> Job:
        """A second job on the same upload; with the same recognition it shares the transcript and waits for review."""
        row = self._store.row(job_id)
        self._check_original(row)
        self._floor.check()
        options = job_options.patched(row.job.options, patch.options)
        job_options.check(options, self._context.engines, row.job.media)
        stem_key = row.stem_key if patch.stem_upload_id is UNSET else self._stem(patch.stem_upload_id)
        title = editing.title(patch.title) if isinstance(patch.title, str) else row.job.title
        shared = job_options.same_preparation(options, row.job.options) and self._transcribed(job_id)
        job_options.check_model(
            options,
            self._context.engines,
            row.job.options if shared or options.recognition.recognizer == SUBTITLES else None,
        )
        new_id = uuid.uuid4().hex
        state = JobState.REVIEW if shared else JobState.QUEUED
        stages = names(Phase.PREPARE) if shared else ()
        self._store.copy(
            job_id,
            new_id,
            self._context.blobs,
            title=title or row.job.title,
            options=options,
            stem_key=stem_key,
            state=state,
            stages=stages,
        )
        if shared:
            return self._changed(self._store.get(new_id))
        return self._start_new(new_id)

    def delete(self, job_id: str) -> None:
        """Stop the job and delete it with everything that only it owns."""
        row = self._store.row(job_id)
        if row.job.state in ACTIVE and row.workflow_id:
            self._queue.cancel(row.workflow_id)
        self._store.delete(job_id, self._context.blobs)
        self._keys.forget_job_keys(job_id)
        self._hub.forget(job_id)
        shutil.rmtree(self._context.cache / job_id, ignore_errors=True)
        self._hub.publish(Deleted(job_id, 0))

    def discard(self, keys: Collection[str]) -> None:
        self._store.discard(self._context.blobs, keys)

    # ---------------------------------------------------------------- lines

    def edit(self, job_id: str, revision: int, changes: SegmentChanges) -> Segments:
        return self._edit(job_id, revision, lambda job, lines: editing.apply(changes, lines, _duration_s(job)))

    def split(self, job_id: str, segment_id: str, revision: int, request: SplitSegment) -> Segments:
        return self._edit(job_id, revision, lambda job, lines: editing.split(segment_id, request.at, lines))

    def merge(self, job_id: str, segment_id: str, revision: int) -> Segments:
        return self._edit(job_id, revision, lambda job, lines: editing.merge(segment_id, lines))

    async def preview(self, job_id: str, segment_id: str, *, keys: Keys = NO_KEYS) -> bytes:
        await asyncio.to_thread(self._floor.check)
        return await preview.preview_line(self._context, self._store, job_id, segment_id, keys=keys)

    async def estimate(self, job_id: str, *, keys: Keys = NO_KEYS) -> Estimate:
        return await estimate.estimate_render(self._context, self._store, job_id, keys=keys)

    # ---------------------------------------------------------------- inside

    def _edit(
        self, job_id: str, revision: int, change: Callable[[Job, tuple[Segment, ...]], list[Segment]]
    ) -> Segments:
        now, lines, changed, gone = self._store.edit_segments(job_id, revision, EDITABLE, change)
        if changed or gone:
            self._hub.publish(SegmentsChanged(job_id, 0, now, changed, gone))
            self._changed(self._store.get(job_id))
        return Segments(now, lines)

    def _render(self, job_id: str, only_from: Collection[JobState], keys: Keys, seen: int | None) -> Job:
        if not self._transcribed(job_id):
            raise DubError(JOB_STATE, "The lines are not there yet.")
        if not speakable(self._store.segments(job_id)[1]):
            raise DubError(NOTHING_TO_SPEAK)
        row = self._store.row(job_id)
        check = conflicts.render_seen(seen)
        if row.job.state in only_from:
            check(row)
            self._check_original(row)
        job_options.check(row.job.options, self._context.engines, row.job.media)
        self._floor.check()
        return self._start(job_id, Phase.RENDER, only_from=only_from, keys=keys, check=check)

    def _transcribed(self, job_id: str) -> bool:
        """Whether recognition is complete."""
        found = self._store.stage(job_id, TRANSCRIBE.name)
        return found is not None and found.finished

    def _start(
        self,
        job_id: str,
        phase: Phase,
        *,
        only_from: Collection[JobState] = (),
        keys: Keys = NO_KEYS,
        check: Callable[[JobRow], None] | None = None,
    ) -> Job:
        """Queue a phase, from one of those states (none: the row is new and queued already).

        The row comes first: an engine that is not up yet, or that dies here, finds the job by its row.
        """
        self._keys.keep_job_keys(job_id, keys)
        workflow_id = f"{job_id}-{phase.value}-{secrets.token_hex(4)}"
        fields: dict[str, Any] = {
            "phase": phase,
            "stage": None,
            "stage_progress": 0.0,
            "progress": 0.0,
            "eta_s": None,
            "error": None,
            "workflow_id": workflow_id,
        }
        if not only_from:
            job = self._store.update(job_id, **fields)
        else:
            job = self._store.transition(job_id, JobState.QUEUED, only_from=only_from, check=check, **fields)
        self._hub.forget(job_id)
        job = self._changed(job)
        log.info("phase queued", extra={"job_id": job_id, "phase": phase.value})
        self._queue.enqueue(phase, job_id, workflow_id)
        return job

    def _start_new(self, job_id: str, *, keys: Keys = NO_KEYS) -> Job:
        """Queue a job whose row is new; a refusal leaves no job."""
        try:
            return self._start(job_id, Phase.PREPARE, keys=keys)
        except DubError:
            self.delete(job_id)
            raise

    def _stem(self, upload_id: str | UnsetType | None) -> str | None:
        return attachments.stem(self._uploads, self._context, upload_id) if isinstance(upload_id, str) else None

    def _check_original(self, row: JobRow) -> None:
        if not all(self._context.blobs.exists(key) for key in (row.source_key, row.stem_key) if key):
            raise DubError(SOURCE_GONE)

    def _changed(self, job: Job) -> Job:
        job = self._fresh(job)
        self._hub.publish(StateChanged(job.id, 0, job))
        return job

    def _fresh(self, job: J) -> J:
        latest = self._hub.latest(job.id)
        if latest is None or job.state not in ACTIVE:
            return job
        return msgspec.structs.replace(
            job, stage=latest.stage, stage_progress=latest.stage_progress, progress=latest.progress, eta_s=latest.eta_s
        )


def _duration_s(job: Job) -> float:
    if job.media is None:
        raise DubError(JOB_STATE, "The video has not been read yet.")
    return job.media.duration_s


def _cursor(cursor: str | None) -> tuple[float, str] | None:
    if cursor is None:
        return None
    at, _, job_id = cursor.partition("_")
    try:
        return float(at), job_id
    except ValueError:
        raise DubError(INVALID_REQUEST, "The cursor is not one of ours.") from None
