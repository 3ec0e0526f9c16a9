"""The durable engine: the only file that knows DBOS.

Two workflows, each with one step for every declared stage; after a kill the steps go on. What is finished, the `stages`
table says by fingerprint: a workflow of another version is ended, and its phase starts again under this one, where
finished stages are skipped. Failures are results, not exceptions: the steps write them to the application's database,
which is what people see. DBOS keeps only who runs what, in a file of its own.
"""

from __future__ import annotations

import contextlib
import hashlib
import logging
import threading
import time
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from app import __version__
from app.domain.errors import DubError
from app.domain.job import Phase
from app.domain.problems.uploads import DISK_FULL
from app.domain.stages import names
from app.jobs.failures import Failures
from app.jobs.reconciling import Reconciler
from app.jobs.workflow_database import EngineFile, at_once
from app.observability import tracing
from app.storage.jobs import JobStore

if TYPE_CHECKING:
    from dbos import DBOS

    from app.jobs.runner import StageRunner

log = logging.getLogger(__name__)

_ACTIVE: Final = ["PENDING", "ENQUEUED", "DELAYED"]
_POLL_S: Final = 0.5  # how often a queue is looked into
_EAGER_POLL_S: Final = 0.05  # and in the first moments, in which what was interrupted goes on
_EAGER_S: Final = 3.0

_RECOVERIES: Final = 10_000  # every restart of the server costs a running workflow one


class Engine:
    """Queues, workflows and recovery; one per process, as DBOS is.

    `launch` takes about a second (the import); until then, work waits in the jobs table.
    """

    keep_finished_s = 24 * 3600.0  # how long an ended workflow is remembered

    def __init__(
        self, *, path: Path, store: JobStore, runner: StageRunner, failures: Failures, at_once: dict[Phase, int]
    ) -> None:
        self._path, self._at_once = path, at_once
        self._runner = runner
        self._lock = threading.Lock()
        self._launched = False
        self._dbos: Any = None
        self._file: EngineFile | None = None
        self._workflows: dict[Phase, Any] = {}
        self._calming: threading.Timer | None = None
        self._is_calm = False
        self._at_work: set[str] = set()
        self._to_cancel: set[str] = set()
        self._settler = Reconciler(
            store=store,
            failures=failures,
            statuses=self._statuses,
            runs=self._at_work.__contains__,
            enqueue=self.enqueue,
        )

    @property
    def launched(self) -> bool:
        return self._launched

    def launch(self) -> None:
        """Start the queues and recover what was running; blocks until it works. What it raises leaves nothing running:
        it may be asked again."""
        with self._lock:
            file = self._file = EngineFile(self._path)
            try:
                with at_once():
                    file.reserve.spend(lambda: self._begin(file))
            except BaseException:
                file.close()
                raise
            self._launched, self._is_calm = True, False
            self._calming = threading.Timer(_EAGER_S, self._calm)
            self._calming.daemon = True
            self._calming.start()
        self._settler.settle(at_launch=True)
        self.collect()

    def _begin(self, file: EngineFile) -> None:
        from dbos import DBOS

        file.look_every(_EAGER_POLL_S)
        try:
            DBOS(
                config={
                    "name": "autodubber",
                    "system_database_url": f"sqlite:///{self._path}",
                    "system_database_engine": file.database,
                    "application_version": workflow_version(),
                    "executor_id": "autodubber-0",  # stable: recovery looks for its own work
                    "max_executor_threads": 32,
                    "console_log_level": "WARNING",
                    "log_level": "WARNING",
                }
            )
            self._dbos = DBOS
            self._workflows = _workflows(DBOS, self._runner, self._at_work)
            DBOS.launch()
            _end_others(DBOS)
            self._register(_EAGER_POLL_S)
        except BaseException:
            DBOS.destroy(workflow_completion_timeout_sec=0, destroy_registry=True)
            raise

    def enqueue(self, phase: Phase, job_id: str, workflow_id: str) -> None:
        """Put a phase of a job into its queue. Before `launch` and on a full disk nothing is done here: the jobs table
        says it, `settle` reads it."""
        with self._lock:
            if self._launched:
                from dbos import SetWorkflowID

                tracing.queued(workflow_id)
                with _later(), SetWorkflowID(workflow_id):
                    self._dbos.enqueue_workflow(phase.value, self._workflows[phase], job_id)

    def cancel(self, workflow_id: str) -> None:
        """Stop a workflow; the running step is cancelled within about a second, on a full disk as soon as that can be
        written."""
        with self._lock:
            if self._launched and self._file is not None:
                self._to_cancel.add(workflow_id)
                with _later():
                    self._file.reserve.spend(lambda: self._dbos.cancel_workflow(workflow_id))
                    self._to_cancel.discard(workflow_id)

    def settle(self) -> int:
        """Look whether anything works for every active job, and settle those that nothing works for; returns how
        many."""
        if not self._launched:
            return 0
        # there was no room to write that
        if not self._is_calm and self._calming is not None and self._calming.finished.is_set():
            self._calm()
        for workflow_id in list(self._to_cancel):
            self.cancel(workflow_id)
        try:
            with _later():
                return self._settler.settle()
        except Exception:
            if self._launched:  # else it is the stop that came in between
                raise
        return 0

    def shutdown(self) -> None:
        """Stop taking work and drop what runs: the next launch goes on from the last finished step."""
        with self._lock:
            if self._launched and self._file is not None:
                self._launched = False
                if self._calming is not None:
                    self._calming.cancel()
                self._file.stop_waiting()
                self._dbos.destroy(workflow_completion_timeout_sec=0, destroy_registry=True)
                self._file.close()
                self._at_work.clear()

    def _register(self, poll_s: float) -> None:
        for phase, count in self._at_once.items():
            self._dbos.register_queue(
                phase.value, worker_concurrency=count, polling_interval_sec=poll_s, on_conflict="always_update"
            )

    def _calm(self) -> None:
        """What waited at the start is under way: from now on looking seldom is enough."""
        with self._lock:
            if self._launched:
                with _later():
                    self._register(_POLL_S)
                    self._is_calm = True

    def _statuses(self, workflow_ids: Collection[str]) -> dict[str, str]:
        """What the engine knows of them."""
        with at_once():
            found = (
                self._dbos.list_workflows(workflow_ids=list(workflow_ids), load_input=False, load_output=False)
                if workflow_ids
                else ()
            )
        return {workflow.workflow_id: workflow.status for workflow in found}

    def collect(self) -> int:
        """Delete the engine's records of workflows that ended long ago, and say how many: the open build has no
        collector of its own."""
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


def workflow_version() -> str:
    """The version of the workflows: the program's, with a hash of their steps. Workflows of another version do not run
    under this one."""
    steps = [f"{phase}:{name}" for phase in Phase for name in names(phase)]
    return f"{__version__}+{hashlib.sha256(' '.join(steps).encode()).hexdigest()[:12]}"


def _end_others(dbos: type[DBOS]) -> None:
    """End what another version was running or had queued: its steps need not be ours. Their jobs' phases are then
    queued again, and go on from what the `stages` table has; the engine's memory of finished steps ends with the
    version.
    """
    found = dbos.list_workflows(status=_ACTIVE, load_input=False, load_output=False)
    others = [workflow.workflow_id for workflow in found if workflow.app_version != workflow_version()]
    if others:
        dbos.cancel_workflows(others)
        log.info(
            "workflows of another version are ended; their jobs go on under this one", extra={"count": len(others)}
        )


@contextlib.contextmanager
def _later() -> Iterator[None]:
    """What the full disk does not let the engine write now is done by `settle`."""
    with at_once():
        try:
            yield
        except DubError as error:
            if error.problem is not DISK_FULL:
                raise
            log.warning("the engine's disk is full")


def _workflows(dbos: type[DBOS], runner: StageRunner, at_work: set[str]) -> dict[Phase, Any]:
    """The two workflows, with one step for each declared stage, of the stage's name. A stage's step is preemptible:
    cancelling its workflow cancels the task, and with it the child process.

    `at_work` has the names of those that are being run.
    """
    from dbos import SetWorkflowID

    @dbos.step(name="begin")
    async def begin(job_id: str, phase: str, workflow_id: str) -> bool:
        return await runner.begin(job_id, phase, workflow_id)

    def step_of(name: str) -> Any:
        @dbos.step(name=name, preemptible=True)
        async def stage(job_id: str, workflow_id: str) -> bool:
            return await runner.run(job_id, name, workflow_id)

        return stage

    steps = {phase: [step_of(name) for name in names(phase)] for phase in Phase}

    @dbos.step(name="finish")
    async def finish(job_id: str, phase: str, workflow_id: str) -> bool:
        return await runner.finish(job_id, phase, workflow_id)

    @dbos.step(name="follow")
    async def follow(job_id: str, workflow_id: str, next_workflow_id: str) -> bool:
        return await runner.follow(job_id, workflow_id, next_workflow_id)

    async def run(job_id: str, phase: Phase) -> bool:
        workflow_id = _own_id(dbos)
        if not await begin(job_id, phase.value, workflow_id):
            return False
        for stage in steps[phase]:
            if not await stage(job_id, workflow_id):
                return False
        return bool(await finish(job_id, phase.value, workflow_id))

    @dbos.workflow(name="render", max_recovery_attempts=_RECOVERIES)
    async def render(job_id: str) -> None:
        with _among(at_work, _own_id(dbos)):
            await run(job_id, Phase.RENDER)

    @dbos.workflow(name="prepare", max_recovery_attempts=_RECOVERIES)
    async def prepare(job_id: str) -> None:
        workflow_id = _own_id(dbos)
        with _among(at_work, workflow_id):
            if await run(job_id, Phase.PREPARE):
                render_id = f"{job_id}-{Phase.RENDER.value}-{workflow_id.rpartition('-')[2]}"
                if await follow(job_id, workflow_id, render_id):
                    with SetWorkflowID(render_id):
                        await dbos.enqueue_workflow_async(Phase.RENDER.value, render, job_id)

    return {Phase.PREPARE: prepare, Phase.RENDER: render}


def _own_id(dbos: type[DBOS]) -> str:
    if (workflow_id := dbos.workflow_id) is None:
        raise RuntimeError("not within a workflow")
    return workflow_id


@contextlib.contextmanager
def _among(at_work: set[str], workflow_id: str) -> Iterator[None]:
    at_work.add(workflow_id)
    try:
        yield
    finally:
        at_work.discard(workflow_id)
