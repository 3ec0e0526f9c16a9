"""The steps of a job's two workflows: begin a phase, run its stages, finish it, queue the next one.

A stage's output and the hash of its inputs are written in one transaction after its blobs are on disk. Killed at any
moment, the stage runs again and finds what it had finished: spoken clips, recognised chunks, encoded chunks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

import msgspec
import structlog

from app.domain.errors import DubError
from app.domain.events import SegmentsChanged, StateChanged
from app.domain.job import JobError, JobState, Phase
from app.domain.problems.jobs import JOB_NOT_FOUND, JOB_STATE
from app.domain.problems.uploads import DISK_FULL
from app.domain.stages import MUX, SYNTHESIZE, TRANSLATE, named
from app.dubbing.context import Context
from app.jobs.events import Hub
from app.jobs.failures import Failures, over
from app.jobs.server_hooks import RUNNING, ServerHooks
from app.jobs.stage_hooks import InnerHooks, StageRun, run_stage
from app.jobs.stages import StageWork
from app.observability import tracing
from app.storage.jobs import JobStore
from app.storage.secrets import SecretStore

log = structlog.get_logger(__name__)


class StageRunner:
    """The body of both workflows' steps. Knows nothing of the engine that calls it."""

    def __init__(
        self,
        *,
        store: JobStore,
        keys: SecretStore,
        context: Context,
        hub: Hub,
        failures: Failures,
        discard: Callable[[list[str]], None],
    ) -> None:
        self._store, self._keys, self._hub, self._failures = store, keys, hub, failures
        self._work = StageWork(store=store, keys=keys, context=context, hub=hub)
        inner = InnerHooks(store, self._work)
        self._hooks = ServerHooks(
            store=store, blobs=context.blobs, hub=hub, failures=failures, discard=discard, inner=inner
        ).around()

    async def begin(self, job_id: str, phase_name: str, workflow_id: str) -> bool:
        """Queued becomes running. False when the job is no longer this workflow's: cancelled, deleted, queued anew."""
        phase = Phase(phase_name)
        try:
            row = await asyncio.to_thread(self._store.row, job_id)
            if row.job.state is RUNNING[phase] and row.workflow_id == workflow_id:
                return True  # killed after this step's work and before its record
            job = await asyncio.to_thread(
                self._store.transition, job_id, RUNNING[phase], only_from={JobState.QUEUED}, owner=workflow_id
            )
        except DubError as error:
            return await self._not_moved(job_id, workflow_id, error)
        tracing.begun(workflow_id)
        log.info("phase begun", job_id=job_id, phase=phase_name, waited_s=round(time.time() - row.job.updated_at, 3))
        self._hub.publish(StateChanged(job_id, 0, job))
        return True

    async def run(self, job_id: str, stage_name: str, workflow_id: str) -> bool:
        """Run one stage to its end. False stops the workflow: the job failed (and says so), or is no longer this
        workflow's."""
        stage = named(stage_name)
        further = await asyncio.to_thread(self._store.languages, job_id) if stage.each_language else []
        # the finished file is made last: of what was made for every language
        languages = [*further, job_id] if stage is MUX else [job_id, *further]
        for part, language_id in enumerate(languages):
            run = StageRun(stage, language_id, workflow_id, part=part, parts=len(languages))
            if language_id != job_id and not await self._catch_up(run):
                return False
            if not await self._one(run):
                return False
        return True

    async def _one(self, run: StageRun) -> bool:
        await run_stage(run, self._hooks)
        return run.goes_on

    async def _catch_up(self, run: StageRun) -> bool:
        """A further language has the lines of its job before they are translated. One that was added later is
        translated before it is spoken."""
        if run.stage is TRANSLATE:
            await self._with_lines(run.job_id)
        elif run.stage is SYNTHESIZE:
            await self._with_lines(run.job_id)
            if await asyncio.to_thread(self._store.stage, run.job_id, TRANSLATE.name) is None:
                return await self._one(msgspec.structs.replace(run, stage=TRANSLATE, shown_as=SYNTHESIZE))
        return True

    async def _with_lines(self, language_id: str) -> None:
        """Does nothing for a language that was deleted: its stage finds that out."""
        try:
            if await asyncio.to_thread(self._store.take_lines, language_id):
                revision, script = await asyncio.to_thread(self._store.script, language_id)
                self._hub.publish(SegmentsChanged(language_id, 0, revision, script.segments, (), script.speakers))
        except DubError as error:
            if error.problem is not JOB_NOT_FOUND:
                raise

    async def finish(self, job_id: str, phase_name: str, workflow_id: str) -> bool:
        """The phase is done: review or completed. True when a render is to follow at once (the job wants no review)."""
        try:
            row = await asyncio.to_thread(self._store.row, job_id)
            if row.job.languages and row.job.error is not None:  # the first language has failed; the others are done
                if phase_name == Phase.RENDER:
                    await asyncio.to_thread(self._store.languages_rendered, job_id)
                return await self._fail(job_id, workflow_id, row.job.error)
            if phase_name == Phase.PREPARE:
                if not row.job.options.recognition.review and row.job.state is JobState.PREPARING:
                    return True  # `follow` queues the render
                job = await asyncio.to_thread(
                    self._store.transition,
                    job_id,
                    JobState.REVIEW,
                    owner=workflow_id,
                    progress=1.0,
                    stage=None,
                    eta_s=None,
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
                await asyncio.to_thread(self._store.languages_rendered, job_id)
                job = await asyncio.to_thread(
                    lambda: self._store.transition(job_id, JobState.COMPLETED, owner=workflow_id, **fields)
                )
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
                lambda: self._store.transition(
                    job_id, JobState.QUEUED, only_from={JobState.PREPARING}, owner=workflow_id, **fields
                )
            )
        except DubError as error:
            return await self._not_moved(job_id, workflow_id, error)
        over(workflow_id, job_id, Phase.PREPARE, followed_by=next_workflow_id)
        self._hub.forget(job_id)
        self._hub.publish(StateChanged(job_id, 0, job))
        return True

    async def _fail(self, job_id: str, workflow_id: str, failure: JobError) -> bool:
        await asyncio.to_thread(self._failures.write, job_id, workflow_id, failure)
        return False

    async def _not_moved(self, job_id: str, workflow_id: str, error: DubError) -> bool:
        """A transition was refused: the job is no longer this workflow's, or the disk is full, which it fails with.
        Anything else is a real error."""
        if error.problem is DISK_FULL:
            return await self._fail(job_id, workflow_id, JobError(DISK_FULL.code, error.message, DISK_FULL.hint, None))
        if error.problem not in (JOB_NOT_FOUND, JOB_STATE):
            raise error
        return False
