"""The durable engine: the only file that knows DBOS.

Two workflows, each a fixed list of steps; a step that finished is never repeated, a step that was killed runs again. Failures are results, not
exceptions: the steps write them to the application's database, which is what people see. DBOS keeps only who runs what.
"""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app import telemetry
from app.domain.job import ACTIVE, PREPARE_STAGES, RENDER_STAGES, Phase, Stage
from app.storage.jobs import JobStore

if TYPE_CHECKING:
    from dbos import DBOS

    from app.jobs.stages import StageRunner

log = logging.getLogger(__name__)

# Part of the engine's own record of running work. Raise it only when the list of steps changes: work under another version is started anew.
WORKFLOW_VERSION: Final = "1"
_POLL_S: Final = 0.5  # how often a queue is looked into
_EAGER_POLL_S: Final = 0.05  # and in the first moments, in which what was interrupted goes on
_EAGER_S: Final = 3.0

_RECOVERIES: Final = 10_000  # every restart of the server costs a running workflow one


class Engine:
    """Queues, workflows and recovery; one per process, as DBOS is.

    `launch` takes about a second (the import); until then, work waits in the jobs table.
    """

    keep_finished_s = 24 * 3600.0  # how long an ended workflow is remembered

    def __init__(self, *, path: Path, store: JobStore, runner: StageRunner, at_once: dict[Phase, int]) -> None:
        self._path, self._store, self._at_once = path, store, at_once
        self._runner = runner
        self._lock = threading.Lock()
        self._launched = False
        self._dbos: Any = None
        self._workflows: dict[Phase, Any] = {}
        self._calming: threading.Timer | None = None

    @property
    def launched(self) -> bool:
        return self._launched

    def launch(self) -> None:
        """Start the queues and recover what was running; blocks until it works."""
        from dbos import DBOS

        _prepare(self._path)
        with self._lock:
            DBOS(
                config={
                    "name": "autodubber",
                    "system_database_url": f"sqlite:///{self._path}",
                    "application_version": WORKFLOW_VERSION,
                    "executor_id": "autodubber-0",  # stable: recovery looks for its own work
                    "max_executor_threads": 32,
                    "console_log_level": "WARNING",
                    "log_level": "WARNING",
                }
            )
            self._dbos = DBOS
            self._workflows = _workflows(DBOS, self._runner)
            DBOS.launch()
            self._register(_EAGER_POLL_S)
            self._launched = True
            self._calming = threading.Timer(_EAGER_S, self._calm)
            self._calming.daemon = True
            self._calming.start()
        self._reconcile()
        self.collect()

    def enqueue(self, phase: Phase, job_id: str, workflow_id: str) -> None:
        """Put a phase of a job into its queue. Before `launch` nothing is done here: the jobs table says it, and `launch` reads it."""
        with self._lock:
            if self._launched:
                from dbos import SetWorkflowID

                telemetry.queued(workflow_id)
                with SetWorkflowID(workflow_id):
                    self._dbos.enqueue_workflow(phase.value, self._workflows[phase], job_id)

    def cancel(self, workflow_id: str) -> None:
        """Stop a workflow; the running step is cancelled within about a second."""
        with self._lock:
            if self._launched:
                self._dbos.cancel_workflow(workflow_id)

    def shutdown(self) -> None:
        """Stop taking work and drop what runs: the next launch goes on from the last finished step."""
        with self._lock:
            if self._launched:
                self._launched = False
                if self._calming is not None:
                    self._calming.cancel()
                self._dbos.destroy(workflow_completion_timeout_sec=0, destroy_registry=True)

    def _register(self, poll_s: float) -> None:
        for phase, count in self._at_once.items():
            self._dbos.register_queue(phase.value, worker_concurrency=count, polling_interval_sec=poll_s, on_conflict="always_update")

    def _calm(self) -> None:
        """What waited at the start is under way: from now on looking seldom is enough."""
        with self._lock:
            if self._launched:
                self._register(_POLL_S)

    def _reconcile(self) -> None:
        """Jobs whose row says queued or running but whose workflow the engine does not know (killed in between) are queued again."""
        for job_id in self._store.ids(ACTIVE):
            row = self._store.row(job_id)
            workflow_id = row.workflow_id or f"{job_id}-{row.job.phase.value}-0"
            known = self._dbos.list_workflows(workflow_ids=[workflow_id], load_input=False, load_output=False)
            if known and known[0].status in ("PENDING", "ENQUEUED", "DELAYED"):
                continue
            log.info("queueing job again", extra={"job_id": job_id})
            if known:
                workflow_id = f"{job_id}-{row.job.phase.value}-{time.time_ns():x}"
            self._store.requeue(job_id, workflow_id)
            self.enqueue(row.job.phase, job_id, workflow_id)

    def collect(self) -> int:
        """Delete the engine's records of workflows that ended long ago, and say how many: the open build has no collector of its own."""
        if not self._launched:
            return 0
        ended = self._dbos.list_workflows(
            status=["SUCCESS", "ERROR", "CANCELLED"],
            completed_before=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - self.keep_finished_s)),
            load_input=False,
            load_output=False,
        )
        if ended:
            self._dbos.delete_workflows([workflow.workflow_id for workflow in ended])
        return len(ended)


def _workflows(dbos: type[DBOS], runner: StageRunner) -> dict[Phase, Any]:
    """The two workflows. A long step is preemptible: cancelling its workflow cancels the task, and with it the child process."""
    from dbos import SetWorkflowID

    @dbos.step(name="begin")
    async def begin(job_id: str, phase: str, workflow_id: str) -> bool:
        return await runner.begin(job_id, phase, workflow_id)

    @dbos.step(name="stage", preemptible=True)
    async def stage(job_id: str, name: str, workflow_id: str) -> bool:
        return await runner.run(job_id, name, workflow_id)

    @dbos.step(name="finish")
    async def finish(job_id: str, phase: str, workflow_id: str) -> bool:
        return await runner.finish(job_id, phase, workflow_id)

    @dbos.step(name="follow")
    async def follow(job_id: str, workflow_id: str, next_workflow_id: str) -> bool:
        return await runner.follow(job_id, workflow_id, next_workflow_id)

    async def run(job_id: str, phase: Phase, stages: tuple[Stage, ...]) -> bool:
        workflow_id = _own_id(dbos)
        if not await begin(job_id, phase.value, workflow_id):
            return False
        for each in stages:
            if not await stage(job_id, each.value, workflow_id):
                return False
        return bool(await finish(job_id, phase.value, workflow_id))

    @dbos.workflow(name="render", max_recovery_attempts=_RECOVERIES)
    async def render(job_id: str) -> None:
        await run(job_id, Phase.RENDER, RENDER_STAGES)

    @dbos.workflow(name="prepare", max_recovery_attempts=_RECOVERIES)
    async def prepare(job_id: str) -> None:
        if await run(job_id, Phase.PREPARE, PREPARE_STAGES):
            workflow_id = _own_id(dbos)
            render_id = f"{job_id}-{Phase.RENDER.value}-{workflow_id.rpartition('-')[2]}"
            if await follow(job_id, workflow_id, render_id):
                with SetWorkflowID(render_id):
                    await dbos.enqueue_workflow_async(Phase.RENDER.value, render, job_id)

    return {Phase.PREPARE: prepare, Phase.RENDER: render}


def _own_id(dbos: type[DBOS]) -> str:
    if (workflow_id := dbos.workflow_id) is None:
        raise RuntimeError("not within a workflow")
    return workflow_id


def _prepare(path: Path) -> None:
    """WAL before DBOS opens the file: its steps are 4 to 9 times faster. And its queues, which keep their interval from one life to the next and wait
    it out before they look for the first time, begin with the short one.
    """
    connection = sqlite3.connect(path)
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        if connection.execute("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'queues'").fetchone():
            with connection:
                connection.execute("UPDATE queues SET polling_interval_sec = ?", (_EAGER_POLL_S,))
    finally:
        connection.close()
