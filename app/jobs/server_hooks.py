"""The server's hooks around every stage. `ServerHooks.around` lists them in order, the outermost first."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from sqlalchemy.exc import IntegrityError

from app.domain.dub_options import spoken_in
from app.domain.errors import DubError, Problem
from app.domain.events import Progress, StateChanged
from app.domain.job import Job, JobError, JobState, Phase
from app.domain.problems.jobs import JOB_NOT_FOUND, SOURCE_GONE
from app.domain.problems.requests import INTERNAL
from app.domain.problems.uploads import DISK_FULL
from app.domain.stages import MUX, Stage
from app.dubbing.context import Report
from app.jobs.eta import StageClock, stage_costs
from app.jobs.events import Hub
from app.jobs.failures import Failures
from app.jobs.stage_hooks import Go, Hook, InnerHooks, StageRun
from app.observability import metrics, tracing
from app.storage.blobs import BlobStore
from app.storage.jobs import JobStore
from app.storage.rows import JobRow
from app.system.disk_full import is_disk_full

log = structlog.get_logger("app.jobs.runner")

RUNNING: Final = {Phase.PREPARE: JobState.PREPARING, Phase.RENDER: JobState.RENDERING}
_PUBLISH_EVERY_S: Final = 0.2
# what a stage made may be deleted before the stage is known to need it: a file of the same name that was kept no longer
_ATTEMPTS: Final = 3


class ServerHooks:
    """The hooks of a server, around the work that `inner` does."""

    def __init__(
        self,
        *,
        store: JobStore,
        blobs: BlobStore,
        hub: Hub,
        failures: Failures,
        discard: Callable[[list[str]], None],
        inner: InnerHooks,
    ) -> None:
        self._store, self._blobs, self._hub, self._failures, self._discard = store, blobs, hub, failures, discard
        self._inner = inner

    def around(self) -> Sequence[Hook]:
        return (
            self.logged,
            self.traced,
            self.owned,
            self._inner.named,
            self._inner.tidied,
            self.skipped,
            self.counted,
            self.published,
            self.shown,
            self.until_stored,
            self.with_original,
            self._inner.worked,
            self.recorded,
        )

    # ---------------------------------------------------------------- log, trace, failure

    async def logged(self, run: StageRun, go: Go) -> None:
        """Around all: every line that is logged meanwhile names the job and the stage."""
        with structlog.contextvars.bound_contextvars(job_id=run.job_id, stage=run.stage.name):
            await go()

    async def traced(self, run: StageRun, go: Go) -> None:
        """Around: a span of the phase's trace. What goes wrong inside ends the job's phase, is written to the job, and
        marks the span."""
        with tracing.stage(run.workflow_id, run.job_id, run.stage.name) as span:
            try:
                await go()
            # the boundary of a job: whatever went wrong is told, logged, and stops this job only
            except Exception as error:
                run.goes_on = False
                if (failure := await self._failure(run, error)) is not None:
                    span.fail(failure.code)
                    run.goes_on = await asyncio.to_thread(self._write, run, failure)

    def _write(self, run: StageRun, failure: JobError) -> bool:
        """Whether the work goes on: one of several languages that fails is left out. A full disk stops all of them."""
        if run.parts > 1 and failure.code != DISK_FULL.code:
            try:
                goes_on = self._store.language_failed(run.job_id, run.workflow_id, failure)
            except DubError as error:
                if error.problem is JOB_NOT_FOUND:
                    return False
            else:
                if goes_on:
                    log.warning("a language is left out", code=failure.code)
                return goes_on
        whole_id = run.row.whole_id if run.row is not None else run.job_id
        self._failures.write(whole_id, run.workflow_id, failure)
        return False

    async def _failure(self, run: StageRun, error: Exception) -> JobError | None:
        """What the person is told; None where the job was deleted or begun anew."""
        if isinstance(error, DubError):
            if error.problem.code == JOB_NOT_FOUND.code:
                return None
            log.warning("stage failed", code=error.problem.code, detail=error.detail)
            return _job_error(error.problem, run, error.message, tuple(error.extra.get("segments", ())))
        if not await asyncio.to_thread(self._is_at_work, run.job_id, run.workflow_id):
            log.info("stage over: its job was deleted or begun anew", reason=type(error).__name__)
            return None
        log.exception("stage crashed")
        return _job_error(DISK_FULL if is_disk_full(error) else INTERNAL, run)

    def _is_at_work(self, job_id: str, workflow_id: str) -> bool:
        """Whether the job is still this workflow's: what a person deletes is missing under the stage that works with
        it."""
        try:
            return self._store.row(job_id).workflow_id == workflow_id
        except DubError as error:
            return error.problem is not JOB_NOT_FOUND

    # ---------------------------------------------------------------- whether to run at all

    async def owned(self, run: StageRun, go: Go) -> None:
        """Before: read the job. One that is no longer this workflow's, or does not run, is left alone; so is one of
        several languages that has failed, but that the finished file is made of the others."""
        run.row = row = await asyncio.to_thread(self._store.row, run.job_id)
        run.goes_on = row.workflow_id == run.workflow_id and row.job.state is RUNNING[row.job.phase]
        if run.goes_on and not (run.parts > 1 and _left_out(run.stage, row.job)):
            await go()

    async def skipped(self, run: StageRun, go: Go) -> None:
        """Instead: nothing, where the stage ran with these inputs and what it handed out is still there."""
        if not await asyncio.to_thread(self._is_done, run):
            return await go()
        metrics.STAGES_SKIPPED.add(run.stage.name)
        log.debug("stage skipped")

    def _is_done(self, run: StageRun) -> bool:
        known = self._store.stage(run.job_id, run.stage.name)
        if known is None or known.fingerprint != run.name:
            return False
        return all(
            self._blobs.exists(artifact.key)
            for artifact in run.job_row.job.artifacts
            if artifact.kind in run.stage.artifacts
        )

    # ---------------------------------------------------------------- what people and metrics see

    async def counted(self, run: StageRun, go: Go) -> None:
        """After: how long it took, for the log and the metrics."""
        await go()
        metrics.STAGE_SECONDS.observe(run.stage.name, value=run.seconds)
        log.info("stage done", seconds=round(run.seconds, 3))

    async def published(self, run: StageRun, go: Go) -> None:
        """After: whoever looks at the job sees what the stage changed of it."""
        await go()
        if run.done is not None and (run.done.fields or run.done.artifacts):
            self._hub.publish(StateChanged(run.job_id, 0, await asyncio.to_thread(self._store.get, run.job_id)))
            if (whole_id := run.job_row.whole_id) != run.job_id:
                self._hub.publish(StateChanged(whole_id, 0, await asyncio.to_thread(self._store.get, whole_id)))

    async def shown(self, run: StageRun, go: Go) -> None:
        """Before: the row and the sockets say which stage runs, how far it is and how long it will take."""
        job, stage = run.job_row.job, run.shown_as or run.stage
        costs = await asyncio.to_thread(stage_costs, self._store, job.phase)
        languages = max(1, len(job.languages))
        clock = StageClock(stage, job.media.duration_s if job.media else 0.0, costs, languages=languages)
        begun = run.part / run.parts
        clock.begin_at(begun)
        progress, eta_s = clock.overall(begun), clock.eta_s(begun)
        whole_id = run.job_row.whole_id
        await asyncio.to_thread(
            self._store.progress, whole_id, stage=stage.name, stage_progress=begun, progress=progress, eta_s=eta_s
        )
        run.report = self._reporter(run, whole_id, stage.name, clock)
        run.report(0.0, "")
        await go()

    def _reporter(self, run: StageRun, whole_id: str, stage: str, clock: StageClock) -> Report:
        last_s, last_message, begun = 0.0, "", False
        job = run.job_row.job
        language = spoken_in(job.options, job.language) if run.parts > 1 else None

        def report(fraction: float, message: str) -> None:
            nonlocal last_s, last_message, begun
            now_s = time.monotonic()
            if not begun and fraction > 0.0:  # the first word of the work: what an earlier run had finished
                begun = True
                clock.begin_at((run.part + min(fraction, 1.0)) / run.parts)
            if now_s - last_s < _PUBLISH_EVERY_S and message == last_message and fraction < 1.0:
                return
            last_s, last_message = now_s, message
            fraction = (run.part + min(max(fraction, 0.0), 1.0)) / run.parts
            overall, eta_s = clock.overall(fraction), clock.eta_s(fraction)
            self._hub.publish(Progress(whole_id, 0, stage, fraction, overall, eta_s, message, language))

        return report

    # ---------------------------------------------------------------- the work

    async def until_stored(self, run: StageRun, go: Go) -> None:
        """Around: from the record on nobody deletes the files, but a moment before somebody may have. Then it is done
        again."""
        for _ in range(_ATTEMPTS):
            await go()
            if not (missing := await asyncio.to_thread(self._missing, run)):
                return
        raise RuntimeError(f"deleted again and again while they were made: {missing[:3]}")

    def _missing(self, run: StageRun) -> list[str]:
        return [key for key in (run.done.blobs() if run.done else ()) if not self._blobs.exists(key)]

    async def with_original(self, run: StageRun, go: Go) -> None:
        """Before: a stage that reads the original, or the background that was brought, needs both to be there."""
        if run.stage.needs_original and not await asyncio.to_thread(self._has_original, run.job_row):
            raise DubError(SOURCE_GONE)
        await go()

    def _has_original(self, row: JobRow) -> bool:
        return all(self._blobs.exists(key) for key in (row.source_key, row.stem_key) if key)

    async def recorded(self, run: StageRun, go: Go) -> None:
        """The output in one transaction; then the files go that it replaces. For a deleted job nothing is recorded, and
        what was made for it goes."""
        try:
            unneeded = await asyncio.to_thread(self._inner.record, run)
        except (IntegrityError, DubError) as error:
            if isinstance(error, DubError) and error.problem is not JOB_NOT_FOUND:
                raise
            await asyncio.to_thread(self._discard, run.done.blobs() if run.done else [])
            raise DubError(JOB_NOT_FOUND) from None
        await asyncio.to_thread(self._discard, unneeded)
        await go()


def _left_out(stage: Stage, job: Job) -> bool:
    """Whether the stage does nothing for this one of several languages. The job's video is made of the others."""
    if stage is MUX and job.parent_id is None:
        return all(each.error is not None for each in job.languages)
    return job.error is not None


def _job_error(problem: Problem, run: StageRun, message: str = "", segments: tuple[str, ...] = ()) -> JobError:
    return JobError(problem.code, message or problem.message, problem.hint, run.stage.name, segments)
