"""A job whose workflow is over is never active: what the settler does with what the engine tells it, on a real
database."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import pytest

from app.domain.job import JobError, JobState, Phase
from app.domain.problems.lines import NO_SPEECH
from app.domain.problems.uploads import DISK_FULL
from app.jobs import reconciling
from app.jobs.failures import Failures
from app.jobs.reconciling import MOST_AGAIN, Reconciler
from app.storage.disk_reserve import Reserve
from tests.doubles.full_disk import full_disk
from tests.unit.jobs.house import House

FAILURE = JobError(NO_SPEECH.code, NO_SPEECH.message, NO_SPEECH.hint, "transcribe")


class Told:
    """The engine's word: workflows and their states, which of them run here, and what was queued."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.known: dict[str, str] = {}
        self.running: set[str] = set()
        self.queued: list[tuple[Phase, str, str]] = []
        self.failures = Failures(house.store, house.hub)
        self.settler = Reconciler(
            store=house.store,
            failures=self.failures,
            statuses=self.statuses,
            runs=self.running.__contains__,
            enqueue=self.enqueue,
        )

    def statuses(self, workflow_ids: Collection[str]) -> dict[str, str]:
        return {workflow_id: self.known[workflow_id] for workflow_id in workflow_ids if workflow_id in self.known}

    def enqueue(self, phase: Phase, job_id: str, workflow_id: str) -> None:
        self.queued.append((phase, job_id, workflow_id))

    def preparing(self, status: str | None) -> tuple[str, str]:
        """A job at work, and what the engine says of its workflow."""
        job_id = self.house.created().id
        self.house.store.transition(job_id, JobState.PREPARING, stage="ingest")
        workflow_id = self.house.store.row(job_id).workflow_id or ""
        if status:
            self.known[workflow_id] = status
        return job_id, workflow_id


@pytest.fixture
def told(tmp_path: Path) -> Told:
    return Told(House(tmp_path))


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing strange is waited for."""
    monkeypatch.setattr(reconciling, "UNKNOWN_S", 0.0)
    monkeypatch.setattr(reconciling, "LOST_S", 0.0)


@pytest.mark.parametrize("status", ["SUCCESS", "ERROR", "CANCELLED", "MAX_RECOVERY_ATTEMPTS_EXCEEDED"])
def test_a_job_whose_workflow_is_over_is_queued_again_under_another(told: Told, status: str) -> None:
    job_id, over = told.preparing(status)
    assert told.settler.settle() == 1
    row = told.house.store.row(job_id)
    assert row.job.state is JobState.QUEUED and row.workflow_id != over
    assert told.queued == [(Phase.PREPARE, job_id, row.workflow_id)]


def test_what_waits_or_runs_is_left_alone(told: Told, patient: None) -> None:
    for status in ("ENQUEUED", "DELAYED", "PENDING"):
        job_id, workflow_id = told.preparing(status)
        told.running.add(workflow_id)
        assert told.settler.settle() == 0 and told.house.store.row(job_id).workflow_id == workflow_id


def test_a_workflow_that_was_claimed_and_runs_nowhere_is_lost(told: Told, patient: None) -> None:
    job_id, _ = told.preparing("PENDING")
    assert told.settler.settle() == 1 and told.house.store.get(job_id).state is JobState.QUEUED


def test_a_workflow_has_a_while_to_begin_and_to_be_recorded(told: Told) -> None:
    told.preparing("PENDING")
    told.preparing(None)
    assert (told.settler.settle(), told.settler.settle(), told.queued) == (0, 0, [])


def test_at_launch_what_is_pending_is_recovered_by_the_engine_and_the_rest_is_not_waited_for(told: Told) -> None:
    told.preparing("PENDING")
    unknown, workflow_id = told.preparing(None)
    assert told.settler.settle(at_launch=True) == 1
    assert told.queued == [(Phase.PREPARE, unknown, workflow_id)], "a name that the engine has never seen is kept"


def test_a_job_that_ends_or_begins_anew_between_look_and_deed_is_left_alone(
    told: Told, monkeypatch: pytest.MonkeyPatch
) -> None:
    finished, _ = told.preparing("SUCCESS")
    begun, over = told.preparing("SUCCESS")
    looked = told.house.store.working()
    monkeypatch.setattr(told.house.store, "working", lambda: looked)
    told.house.store.transition(finished, JobState.REVIEW)
    told.house.store.requeue(begun, over, "another")
    assert told.settler.settle() == 0 and told.queued == []
    assert told.house.store.row(begun).workflow_id == "another"


def test_a_job_that_ends_nowhere_again_and_again_fails(told: Told) -> None:
    job_id, _ = told.preparing("ERROR")
    for _ in range(MOST_AGAIN):
        assert told.settler.settle() == 1
        told.known[told.queued[-1][2]] = "ERROR"
    told.settler.settle()
    job = told.house.store.get(job_id)
    assert (
        job.state is JobState.FAILED
        and job.error is not None
        and (job.error.code, job.error.stage) == ("internal", "ingest")
    )
    assert len(told.queued) == MOST_AGAIN


def test_a_job_that_cannot_be_queued_for_want_of_room_fails_with_that(
    told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job_id, _ = told.preparing("ERROR")
    with full_disk():
        assert told.settler.settle() == 1
    assert told.house.store.get(job_id).state is JobState.PREPARING, "not even that could be written"
    assert told.settler.settle() == 1
    job = told.house.store.get(job_id)
    assert job.state is JobState.FAILED and job.error is not None and job.error.code == DISK_FULL.code
    assert Reserve(tmp_path).bytes() == 0


def test_a_failure_that_cannot_be_written_is_kept_and_written_as_soon_as_it_can(told: Told) -> None:
    job_id, workflow_id = told.preparing("SUCCESS")
    with full_disk():
        told.failures.write(job_id, workflow_id, FAILURE)
        assert told.settler.settle() == 0
        assert told.failures.waits(job_id, workflow_id) and told.house.store.get(job_id).state is JobState.PREPARING
    assert told.settler.settle() == 1
    job = told.house.store.get(job_id)
    assert (job.state, job.error, told.queued) == (JobState.FAILED, FAILURE, [])
    assert not told.failures.waits(job_id, workflow_id) and told.settler.settle() == 0


def test_a_kept_failure_of_a_job_that_was_cancelled_or_deleted_is_forgotten(told: Told) -> None:
    cancelled, deleted = told.preparing("SUCCESS"), told.preparing("SUCCESS")
    with full_disk():
        for job in (cancelled, deleted):
            told.failures.write(*job, FAILURE)
    told.house.service.cancel(cancelled[0])
    told.house.service.delete(deleted[0])
    assert told.settler.settle() == 2, "both are settled by that"
    assert told.house.store.get(cancelled[0]).state is JobState.CANCELLED and not told.failures.waits(*cancelled)
