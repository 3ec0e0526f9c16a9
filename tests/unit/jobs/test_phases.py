"""Phases are started and stopped by the rules of a job's states."""

from __future__ import annotations

from app.domain.job import JobState, Phase
from app.domain.problems.jobs import JOB_STATE
from app.domain.problems.lines import (
    NOTHING_TO_SPEAK,
)
from app.domain.secret_names import Keys
from app.jobs.schemas import SegmentChanges, SegmentEdit
from tests.unit.jobs.house import LINES, House, refused


def test_only_a_reviewed_job_is_approved_and_only_once(house: House) -> None:
    job = house.created()
    refused(JOB_STATE, lambda: house.service.approve(job.id))
    job = house.reviewed()
    assert house.service.approve(job.id).phase is Phase.RENDER
    refused(JOB_STATE, lambda: house.service.approve(job.id))
    assert [phase for phase, job_id, _ in house.queue.queued if job_id == job.id] == [Phase.PREPARE, Phase.RENDER]


def test_a_job_without_a_word_is_not_rendered(house: House) -> None:
    job = house.reviewed()
    changes = SegmentChanges(edit=tuple(SegmentEdit(line.id, skip=True) for line in LINES))
    house.service.edit(job.id, house.service.segments(job.id).revision, changes)
    refused(NOTHING_TO_SPEAK, lambda: house.service.approve(job.id))


def test_cancel_stops_the_workflow_and_retry_goes_on_in_the_same_phase(house: House) -> None:
    job = house.service.approve(house.reviewed().id)
    workflow_id = house.queue.queued[-1][2]
    assert house.service.cancel(job.id).state is JobState.CANCELLED
    assert house.queue.cancelled == [workflow_id]
    refused(JOB_STATE, lambda: house.service.cancel(job.id))
    assert house.service.retry(job.id).phase is Phase.RENDER
    assert house.queue.queued[-1][2] != workflow_id


def test_a_workflow_that_lost_its_job_changes_nothing(house: House) -> None:
    job = house.service.approve(house.reviewed().id)
    old = house.queue.queued[-1][2]
    house.service.cancel(job.id)
    house.service.retry(job.id)
    refused(JOB_STATE, lambda: house.store.transition(job.id, JobState.RENDERING, owner=old))
    assert house.service.get(job.id).state is JobState.QUEUED


def test_a_key_of_the_request_is_kept_only_as_long_as_the_job(house: House) -> None:
    job = house.service.approve(house.reviewed().id, keys=Keys({"elevenlabs": " sk_secret ", "other": "sk_other"}))
    assert dict(house.keys.job_keys(job.id)) == {"elevenlabs": "sk_secret", "other": "sk_other"}
    house.service.delete(job.id)
    assert not house.keys.job_keys(job.id)
