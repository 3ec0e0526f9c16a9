"""One stage of one job: skip it when its inputs have not changed, else run it, and record what it gave.

A stage's output and the hash of its inputs are written in one transaction after its blobs are on disk. Killed at any moment, the stage
runs again and finds what it had finished: spoken clips, recognised chunks, encoded chunks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any, Final

import structlog
from sqlalchemy.exc import IntegrityError

from app.domain.errors import DISK_FULL, INTERNAL, JOB_NOT_FOUND, JOB_STATE, SOURCE_GONE, DubError
from app.domain.events import Progress, StateChanged
from app.domain.job import PREPARE_STAGES, Job, JobError, JobState, Phase, Stage
from app.domain.media import ArtifactKind
from app.dubbing.context import Kit, Report, fingerprint
from app.jobs.failures import Failures, over
from app.jobs.pricing import stage_costs
from app.jobs.progress import Hub, StageClock
from app.jobs.stages import Done, StageWork
from app.observability import metrics, tracing
from app.storage.jobs import JobStore
from app.storage.rows import JobRow
from app.storage.secrets import SecretStore
from app.system.disk_full import is_disk_full

log = structlog.get_logger(__name__)

_RUNNING: Final = {Phase.PREPARE: JobState.PREPARING, Phase.RENDER: JobState.RENDERING}
_PUBLISH_EVERY_S: Final = 0.2
_FROM_THE_ORIGINAL: Final = frozenset({*PREPARE_STAGES, Stage.MIX, Stage.MUX})
_ATTEMPTS: Final = 3  # what a stage made may be deleted before the stage is known to need it: a file of the same name that was kept no longer
_HANDED_OUT: Final = {
    Stage.MIX: (ArtifactKind.AUDIO, ArtifactKind.TRACK),
    Stage.MUX: (ArtifactKind.VIDEO, ArtifactKind.SRT, ArtifactKind.VTT, ArtifactKind.ASS, ArtifactKind.SOURCE_SRT, ArtifactKind.REPORT),
}


class StageRunner:
    """The body of both workflows' steps. Knows nothing of the engine that calls it."""

    def __init__(
        self, *, store: JobStore, keys: SecretStore, kit: Kit, hub: Hub, failures: Failures, discard: Callable[[list[str]], None]
    ) -> None:  # fmt: skip
        self._store, self._keys, self._kit, self._hub, self._failures, self._discard = store, keys, kit, hub, failures, discard
        self._work = StageWork(store=store, keys=keys, kit=kit, hub=hub)

    async def begin(self, job_id: str, phase_name: str, workflow_id: str) -> bool:
        """Queued becomes running. False when the job is no longer this workflow's: cancelled, deleted, queued anew."""
        phase = Phase(phase_name)
        try:
            row = await asyncio.to_thread(self._store.row, job_id)
            if row.job.state is _RUNNING[phase] and row.workflow_id == workflow_id:
                return True  # killed after this step's work and before its record
            job = await asyncio.to_thread(self._store.transition, job_id, _RUNNING[phase], only_from={JobState.QUEUED}, owner=workflow_id)
        except DubError as error:
            return await self._not_moved(job_id, workflow_id, error)
        tracing.begun(workflow_id)
        log.info("phase begun", job_id=job_id, phase=phase_name, waited_s=round(time.time() - row.job.updated_at, 3))
        self._hub.publish(StateChanged(job_id, 0, job))
        return True

    async def run(self, job_id: str, stage_name: str, workflow_id: str) -> bool:
        """Run one stage to its end. False stops the workflow: the job failed (and says so), or is no longer this workflow's."""
        stage = Stage(stage_name)
        with structlog.contextvars.bound_contextvars(job_id=job_id, stage=stage_name), tracing.stage(workflow_id, job_id, stage_name) as span:
            try:
                row = await asyncio.to_thread(self._store.row, job_id)
                if row.workflow_id != workflow_id or row.job.state is not _RUNNING[row.job.phase]:
                    return False
                await self._run(row, stage)
                return True
            except DubError as error:
                if error.problem.code == JOB_NOT_FOUND.code:
                    return False
                log.warning("stage failed", code=error.problem.code, detail=error.detail)
                failure = JobError(error.problem.code, error.message, error.problem.hint, stage, tuple(error.extra.get("segments", ())))
            except Exception as error:  # the boundary of a job: whatever went wrong is told, logged, and stops this job only
                if not await asyncio.to_thread(self._is_at_work, job_id, workflow_id):
                    log.info("stage over: its job was deleted or begun anew", reason=type(error).__name__)
                    return False
                log.exception("stage crashed")
                problem = DISK_FULL if is_disk_full(error) else INTERNAL
                failure = JobError(problem.code, problem.message, problem.hint, stage)
            span.fail(failure.code)
            return await self._fail(job_id, workflow_id, failure)

    async def finish(self, job_id: str, phase_name: str, workflow_id: str) -> bool:
        """The phase is done: review or completed. True when a render is to follow at once (the job wants no review)."""
        try:
            row = await asyncio.to_thread(self._store.row, job_id)
            if phase_name == Phase.PREPARE:
                if not row.job.options.review and row.job.state is JobState.PREPARING:
                    return True  # `follow` queues the render
                job = await asyncio.to_thread(
                    self._store.transition, job_id, JobState.REVIEW, owner=workflow_id, progress=1.0, stage=None, eta_s=None
                )
            else:
                fields: dict[str, Any] = {
                    "rendered_revision": row.job.revision,
                    "rendered_options": row.job.options,
                    "rendered_stem_key": row.stem_key,
                    "progress": 1.0,
                    "stage": None,
                    "eta_s": None,
                }
                job = await asyncio.to_thread(lambda: self._store.transition(job_id, JobState.COMPLETED, owner=workflow_id, **fields))
                await asyncio.to_thread(self._keys.forget_job_keys, job_id)
        except DubError as error:
            return await self._not_moved(job_id, workflow_id, error)
        over(workflow_id, job_id, Phase(phase_name))
        self._hub.forget(job_id)
        self._hub.publish(StateChanged(job_id, 0, job))
        return False

    async def follow(self, job_id: str, workflow_id: str, next_workflow_id: str) -> bool:
        """Prepared, and no review wanted: queue the render under its own workflow."""
        fields: dict[str, Any] = {
            "phase": Phase.RENDER,
            "workflow_id": next_workflow_id,
            "stage": None,
            "stage_progress": 0.0,
            "progress": 0.0,
            "eta_s": None,
        }
        try:
            row = await asyncio.to_thread(self._store.row, job_id)
            if row.workflow_id == next_workflow_id:
                return True
            job = await asyncio.to_thread(
                lambda: self._store.transition(job_id, JobState.QUEUED, only_from={JobState.PREPARING}, owner=workflow_id, **fields)
            )
        except DubError as error:
            return await self._not_moved(job_id, workflow_id, error)
        over(workflow_id, job_id, Phase.PREPARE, followed_by=next_workflow_id)
        self._hub.forget(job_id)
        self._hub.publish(StateChanged(job_id, 0, job))
        return True

    # ---------------------------------------------------------------- one stage

    async def _run(self, row: JobRow, stage: Stage) -> None:
        job_id = row.job.id
        name = fingerprint(stage, await asyncio.to_thread(self._work.inputs, stage, row))
        if await asyncio.to_thread(self._is_done, row, stage, name):
            metrics.STAGES_SKIPPED.add(stage)
            log.debug("stage skipped")
            await asyncio.to_thread(self._work.tidy, stage, job_id)  # killed between the two
            return
        costs = await asyncio.to_thread(stage_costs, self._store, row.job.phase)
        clock = StageClock(row.job.phase, stage, row.job.media.duration_s if row.job.media else 0.0, costs)
        report = self._reporter(row.job, stage, clock)
        progress, eta_s = clock.overall(0.0), clock.eta_s(0.0)
        await asyncio.to_thread(self._store.progress, job_id, stage=stage, stage_progress=0.0, progress=progress, eta_s=eta_s)
        report(0.0, "")
        started = time.monotonic()
        for attempt in range(1, _ATTEMPTS + 1):
            if stage in _FROM_THE_ORIGINAL and not await asyncio.to_thread(self._has_original, row):
                raise DubError(SOURCE_GONE)
            done = await self._work.work(stage, row, name, report)
            seconds = time.monotonic() - started
            unneeded = await asyncio.to_thread(self._record, job_id, stage, name, done, seconds)
            await asyncio.to_thread(self._discard, unneeded)
            missing = await asyncio.to_thread(self._missing, done)
            if not missing:
                break
            if attempt == _ATTEMPTS:
                raise RuntimeError(f"deleted again and again while they were made: {missing[:3]}")
        await asyncio.to_thread(self._work.tidy, stage, job_id)
        metrics.STAGE_SECONDS.observe(stage, value=seconds)
        log.info("stage done", seconds=round(seconds, 3))
        if done.fields or done.artifacts:
            self._hub.publish(StateChanged(job_id, 0, await asyncio.to_thread(self._store.get, job_id)))

    def _record(self, job_id: str, stage: Stage, name: str, done: Done, seconds: float) -> list[str]:
        """Returns the blobs that nobody needs any more. Raises job_not_found when the job was deleted meanwhile: what was made for it is, too."""
        try:
            if done.fields:
                self._store.update(job_id, **done.fields)
            return self._store.finish_stage(
                job_id, stage, name, done.output, seconds, keys=done.keys, artifacts=done.artifacts, kinds=_HANDED_OUT.get(stage, ())
            )
        except (IntegrityError, DubError) as error:
            if isinstance(error, DubError) and error.problem is not JOB_NOT_FOUND:
                raise
            self._discard(_blobs_of(done))
            raise DubError(JOB_NOT_FOUND) from None

    def _is_at_work(self, job_id: str, workflow_id: str) -> bool:
        """Whether the job is still this workflow's: what a person deletes is missing under the stage that works with it."""
        try:
            return self._store.row(job_id).workflow_id == workflow_id
        except DubError as error:
            return error.problem is not JOB_NOT_FOUND

    def _missing(self, done: Done) -> list[str]:
        """From now on nobody deletes them, but a moment ago somebody may have."""
        return [key for key in _blobs_of(done) if not self._kit.blobs.exists(key)]

    def _has_original(self, row: JobRow) -> bool:
        return all(self._kit.blobs.exists(key) for key in (row.source_key, row.stem_key) if key)

    def _is_done(self, row: JobRow, stage: Stage, name: str) -> bool:
        """Whether the stage ran with these inputs and what it handed out is still there."""
        known = self._store.stage(row.job.id, stage)
        if known is None or known.fingerprint != name:
            return False
        return all(self._kit.blobs.exists(artifact.key) for artifact in row.job.artifacts if artifact.kind in _HANDED_OUT.get(stage, ()))

    def _reporter(self, job: Job, stage: Stage, clock: StageClock) -> Report:
        last_s, last_message = 0.0, ""

        def report(fraction: float, message: str) -> None:
            nonlocal last_s, last_message
            now_s = time.monotonic()
            if now_s - last_s < _PUBLISH_EVERY_S and message == last_message and fraction < 1.0:
                return
            last_s, last_message = now_s, message
            fraction = min(max(fraction, 0.0), 1.0)
            self._hub.publish(Progress(job.id, 0, stage, fraction, clock.overall(fraction), clock.eta_s(fraction), message))

        return report

    async def _fail(self, job_id: str, workflow_id: str, failure: JobError) -> bool:
        await asyncio.to_thread(self._failures.write, job_id, workflow_id, failure)
        return False

    async def _not_moved(self, job_id: str, workflow_id: str, error: DubError) -> bool:
        """A transition was refused: the job is no longer this workflow's, or the disk is full, which it fails with. Anything else is a real error."""
        if error.problem is DISK_FULL:
            return await self._fail(job_id, workflow_id, JobError(DISK_FULL.code, error.message, DISK_FULL.hint, None))
        if error.problem not in (JOB_NOT_FOUND, JOB_STATE):
            raise error
        return False


def _blobs_of(done: Done) -> list[str]:
    return [*done.keys, *(artifact.key for artifact in done.artifacts)]
