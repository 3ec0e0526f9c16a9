"""One run of one stage, and the hooks around it.

A hook is a coroutine that gets the run and `go`, which runs everything inside of it. It acts before and after, calls
`go` again to try again, or does not call it to leave the stage out. The innermost hooks are here, the same for a server
and the command line.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import msgspec

from app.domain.stages import Stage
from app.dubbing.context import Report, fingerprint
from app.jobs.stages import Done, StageWork, WorkStore
from app.spending.paying import paid_by
from app.storage.job_row import JobRow

_TOO_MUCH: Final = 0.9  # found done: the rest is mostly start and end


def silent(fraction: float, message: str) -> None:
    """A report that nobody reads."""


class StageRun(msgspec.Struct):
    """One run of one stage. Hooks read it, and fill in what they find.

    `row` is the job as it was when the stage began, `name` the fingerprint of the inputs, `report` where progress goes.
    `done` is what the work gave (None while it was not done), `seconds` how long it took, `cost_s` how long the whole
    stage takes at this pace (0: not known), also where an earlier run had done a part of it. `goes_on` becomes
    False when no later stage may run. Of several languages of a job, for which the stage runs one after the other,
    this is number `part` of `parts`; `job_id` is the language's. `shown_as` is the stage that people see, where it is
    another one.
    """

    stage: Stage
    job_id: str
    workflow_id: str = ""
    row: JobRow | None = None
    name: str = ""
    report: Report = silent
    done: Done | None = None
    seconds: float = 0.0
    cost_s: float = 0.0
    goes_on: bool = True
    part: int = 0
    parts: int = 1
    shown_as: Stage | None = None

    @property
    def job_row(self) -> JobRow:
        if self.row is None:
            raise RuntimeError("the job has not been read")
        return self.row


Go = Callable[[], Awaitable[None]]
Hook = Callable[[StageRun, Go], Awaitable[None]]


async def run_stage(run: StageRun, hooks: Sequence[Hook]) -> None:
    """Run the hooks, each around the next."""

    async def enter(depth: int) -> None:
        if depth < len(hooks):
            await hooks[depth](run, lambda: enter(depth + 1))

    await enter(0)


class Pace:
    """How long a whole stage takes, by a run that may have begun in the middle: its first word of progress says
    where."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._begun: tuple[float, float] | None = None  # the first fraction, and when it was told

    def heard_by(self, report: Report) -> Report:
        """The report, which is listened to."""

        def heard(fraction: float, message: str) -> None:
            if self._begun is None and fraction > 0.0:
                self._begun = (fraction, time.monotonic())
            report(fraction, message)

        return heard

    def elapsed_s(self) -> float:
        return time.monotonic() - self._started

    def cost_s(self) -> float:
        """Seconds; 0 where so much was done before that this run tells nothing."""
        elapsed_s = self.elapsed_s()
        if self._begun is None:
            return elapsed_s
        found, at = self._begun
        since_s = time.monotonic() - at
        if found >= _TOO_MUCH:
            return elapsed_s if since_s < elapsed_s / 2 else 0.0
        # a stage that has told nothing for long has done that itself
        return max(elapsed_s, since_s / (1 - found))


class InnerHooks:
    """Name the inputs, tidy up afterwards, do the work and record what it gave."""

    def __init__(self, store: WorkStore, work: StageWork) -> None:
        self._store, self._work = store, work

    async def named(self, run: StageRun, go: Go) -> None:
        """Before: the hash of all that decides the output."""
        run.name = fingerprint(run.stage.name, await asyncio.to_thread(self._work.inputs, run.stage.name, run.job_row))
        await go()

    async def tidied(self, run: StageRun, go: Go) -> None:
        """After: what was kept on the way to the output goes, also when the stage is left out because a killed run has
        finished it."""
        await go()
        await asyncio.to_thread(self._work.tidy, run.stage.name, run.job_id)

    async def worked(self, run: StageRun, go: Go) -> None:
        """Do the work, paid by the job; what it gave is recorded by the hooks inside of this one."""
        pace = Pace()
        with paid_by(self._store.ledger(run.job_row.whole_id)):
            run.done = await self._work.work(run.stage.name, run.job_row, run.name, pace.heard_by(run.report))
        if not run.done.idle:
            run.seconds += pace.elapsed_s()
            run.cost_s += pace.cost_s()
        await go()

    async def recorded(self, run: StageRun, go: Go) -> None:
        """The output, with the fingerprint, in one transaction. Its blobs are on disk."""
        await asyncio.to_thread(self.record, run)
        await go()

    def record(self, run: StageRun) -> list[str]:
        """Returns the blobs that nobody needs any more."""
        if run.done is None:
            raise RuntimeError("nothing was done")
        if run.done.fields:
            self._store.update(run.job_id, **run.done.fields)
        done = run.done
        return self._store.finish_stage(
            run.job_id,
            run.stage.name,
            done.name or run.name,
            done.output,
            run.cost_s,
            keys=done.keys,
            artifacts=done.artifacts,
            kinds=run.stage.artifacts,
        )
