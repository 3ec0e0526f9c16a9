"""Of two people who change the same job, neither overwrites what the other has changed without knowing it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from app.domain.choices import ChangedField
from app.domain.errors import DubError
from app.domain.job import Job, JobState
from app.domain.problems.jobs import JOB_CHANGED
from app.jobs.schemas import JobPatch, OptionsPatch, SegmentChanges, SegmentEdit
from tests.unit.jobs.house import LINES, House, refused
from tests.unit.jobs.test_attachments import brought


def voice(**fields: float) -> JobPatch:
    return JobPatch(options=OptionsPatch(**fields))


def test_the_revision_grows_with_what_a_person_chooses_and_with_nothing_else(house: House) -> None:
    job = house.reviewed()
    assert job.choices_revision == 1
    assert house.service.update(job.id, JobPatch(title="Another")).choices_revision == 2
    assert house.service.update(job.id, voice(speed=1.1)).choices_revision == 3
    stem = brought(house)
    assert house.service.update(job.id, JobPatch(stem_upload_id=stem)).choices_revision == 4
    same = JobPatch(title=" Another ", options=OptionsPatch(speed=1.1), stem_upload_id=stem)
    assert house.service.update(job.id, same).choices_revision == 4, "nothing has changed"
    lines = SegmentChanges(edit=(SegmentEdit(LINES[0].id, text="Hi."),))
    house.service.edit(job.id, house.service.segments(job.id).revision, lines)
    assert house.service.approve(job.id).choices_revision == 4
    assert house.service.cancel(job.id).choices_revision == 4


def test_a_change_of_the_same_field_by_another_is_not_overwritten(house: House) -> None:
    job = house.reviewed()
    theirs = house.service.update(job.id, JobPatch(title="Theirs", options=OptionsPatch(speed=1.2)), seen=1)
    before = house.store.row(job.id)
    mine = JobPatch(title="Mine", options=OptionsPatch(speed=0.9, duck_db=-6.0))
    error = refused(JOB_CHANGED, lambda: house.service.update(job.id, mine, seen=1))
    assert error.extra["changed"] == (ChangedField("title", "Theirs"), ChangedField("options.voices.speed", 1.2))
    assert error.extra["choices_revision"] == theirs.choices_revision
    assert house.store.row(job.id) == before, "not even the field that nobody else has changed"
    applied = house.service.update(job.id, mine, seen=theirs.choices_revision)
    assert (applied.title, applied.options.voices.speed, applied.options.mix.duck_db) == ("Mine", 0.9, -6.0)


def test_changes_of_other_fields_are_merged_with_an_old_revision(house: House) -> None:
    job = house.reviewed()
    house.service.update(job.id, JobPatch(title="Theirs", options=OptionsPatch(speed=1.2)), seen=1)
    merged = house.service.update(job.id, voice(duck_db=-6.0), seen=1)
    assert (merged.title, merged.options.voices.speed, merged.options.mix.duck_db) == ("Theirs", 1.2, -6.0)
    merged = house.service.update(job.id, JobPatch(options=OptionsPatch(voice_model="x")), seen=1)
    assert (merged.options.voices.voice_model, merged.options.voices.speed) == ("x", 1.2), "within a group too"


def test_the_value_that_is_there_already_is_no_conflict(house: House) -> None:
    job = house.reviewed()
    house.service.update(job.id, JobPatch(title="Both", options=OptionsPatch(speed=1.2)), seen=1)
    both = JobPatch(title="Both", options=OptionsPatch(speed=1.2, duck_db=-6.0))
    assert house.service.update(job.id, both, seen=1).options.mix.duck_db == -6.0


def test_without_a_revision_the_last_change_counts(house: House) -> None:
    job = house.reviewed()
    house.service.update(job.id, JobPatch(title="Theirs"), seen=1)
    assert house.service.update(job.id, JobPatch(title="Mine")).title == "Mine"


def test_a_revision_that_was_never_given_is_older_than_everything(house: House) -> None:
    job = house.reviewed()
    refused(JOB_CHANGED, lambda: house.service.update(job.id, JobPatch(title="Mine"), seen=99))
    refused(JOB_CHANGED, lambda: house.service.update(job.id, JobPatch(title="Mine"), seen=0))
    assert house.service.get(job.id).choices_revision == 1


def test_a_background_is_a_field_like_the_others(house: House) -> None:
    job = house.reviewed()
    first, second = brought(house), brought(house)
    house.service.update(job.id, JobPatch(stem_upload_id=first), seen=1)
    error = refused(JOB_CHANGED, lambda: house.service.update(job.id, JobPatch(stem_upload_id=second), seen=1))
    assert error.extra["changed"] == (ChangedField("stem_upload_id", True),)
    assert house.service.update(job.id, JobPatch(title="Mine"), seen=1).has_stem


@pytest.mark.parametrize("start", ["approve", "render"])
def test_a_render_starts_only_with_the_options_that_were_seen(house: House, start: str) -> None:
    job = house.reviewed()
    queued = len(house.queue.queued)
    house.service.update(job.id, voice(speed=1.2))
    begin = getattr(house.service, start)
    error = refused(JOB_CHANGED, lambda: begin(job.id, seen=1))
    assert error.extra["changed"] == (ChangedField("options.voices.speed", 1.2),)
    assert house.service.get(job.id).state is JobState.REVIEW and len(house.queue.queued) == queued
    house.service.update(job.id, JobPatch(title="A title decides nothing"))
    assert begin(job.id, seen=2).state is JobState.QUEUED


def test_a_retry_starts_only_with_the_options_that_were_seen(house: House) -> None:
    job = house.service.cancel(house.service.approve(house.reviewed().id).id)
    house.service.update(job.id, voice(speed=1.2))
    refused(JOB_CHANGED, lambda: house.service.retry(job.id, seen=1))
    assert house.service.get(job.id).state is JobState.CANCELLED
    assert house.service.retry(job.id, seen=2).state is JobState.QUEUED


def test_options_that_change_between_the_look_and_the_start_stop_the_start(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = house.reviewed()
    keep = house.keys.keep_job_keys

    def meanwhile(*given: object) -> None:  # after the first look, before the job's row moves
        house.service.update(job.id, voice(speed=1.2))
        keep(*given)  # type: ignore[arg-type]

    monkeypatch.setattr(house.keys, "keep_job_keys", meanwhile)
    refused(JOB_CHANGED, lambda: house.service.approve(job.id, seen=1))
    assert house.service.get(job.id).state is JobState.REVIEW


def test_a_duplicate_begins_with_a_revision_of_its_own(house: House) -> None:
    job = house.reviewed()
    house.service.update(job.id, JobPatch(title="Changed"))
    twin = house.service.duplicate(job.id, JobPatch())
    assert (twin.choices_revision, house.store.row(twin.id).choices_changed) == (1, {})


def pairs(house: House, job: Job, makes: Callable[[int], tuple[JobPatch, JobPatch]]) -> list[list[Job | DubError]]:
    """40 pairs of changes, the two of each at the same moment and for the same revision; what each came to."""
    with ThreadPoolExecutor(2) as pool:
        results = []
        for n in range(40):
            seen, together = house.service.get(job.id).choices_revision, threading.Barrier(2)

            def change(patch: JobPatch, seen: int = seen, together: threading.Barrier = together) -> Job | DubError:
                together.wait(10)
                try:
                    return house.service.update(job.id, patch, seen=seen)
                except DubError as error:
                    return error

            results.append(list(pool.map(change, makes(n))))
    return results


def test_of_40_pairs_that_change_the_same_field_exactly_one_each_wins(house: House) -> None:
    job = house.reviewed()
    for n, pair in enumerate(pairs(house, job, lambda n: (voice(speed=1.001 + n / 1000), voice(speed=0.8 + n / 1000)))):
        won = [result for result in pair if isinstance(result, Job)]
        lost = [result.problem for result in pair if isinstance(result, DubError)]
        assert (len(won), lost) == (1, [JOB_CHANGED]), n
        assert won[0].choices_revision == n + 2
    assert house.service.get(job.id) == won[0]


def test_of_40_pairs_that_change_different_fields_none_is_lost(house: House) -> None:
    job = house.reviewed()
    found = pairs(house, job, lambda n: (JobPatch(title=f"Film {n}"), voice(speed=1.001 + n / 1000)))
    for n, pair in enumerate(found):
        assert [isinstance(result, Job) for result in pair] == [True, True], n
        last = max((result for result in pair if isinstance(result, Job)), key=lambda job: job.choices_revision)
        assert (last.title, last.options.voices.speed, last.choices_revision) == (
            f"Film {n}",
            1.001 + n / 1000,
            2 * n + 3,
        )
