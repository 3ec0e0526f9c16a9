"""Changes of a job: what they make stale, what they cannot change any more, and two at the same time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor

from app.domain.problems.jobs import JOB_STATE
from app.jobs.schemas import JobPatch, OptionsPatch, SegmentChanges, SegmentEdit
from tests.unit.jobs.house import LINES, House, refused


def test_lines_and_options_make_a_rendered_job_stale_until_they_are_as_they_were(house: House) -> None:
    job = house.rendered()
    assert house.service.get(job.id).stale is False
    house.service.update(job.id, JobPatch(options=OptionsPatch(speed=1.2)))
    assert house.service.get(job.id).stale is True
    house.service.update(job.id, JobPatch(options=OptionsPatch(speed=1.0)))
    assert house.service.get(job.id).stale is False
    house.service.edit(
        job.id, house.service.segments(job.id).revision, SegmentChanges(edit=(SegmentEdit(LINES[0].id, text="Hi."),))
    )
    assert house.service.get(job.id).stale is True
    house.service.update(job.id, JobPatch(title="Another name"))
    assert house.service.get(job.id).title == "Another name"


def test_what_recognition_depended_on_cannot_change_afterwards(house: House) -> None:
    job = house.reviewed()
    refused(JOB_STATE, lambda: house.service.update(job.id, JobPatch(options=OptionsPatch(language="fr"))))
    running = house.service.approve(job.id)
    refused(JOB_STATE, lambda: house.service.update(running.id, JobPatch(options=OptionsPatch(speed=1.1))))
    assert (
        house.service.update(running.id, JobPatch(title="A name may change at any time")).title
        == "A name may change at any time"
    )


def test_of_two_changes_at_the_same_time_neither_is_lost(house: House) -> None:
    job = house.reviewed()
    with ThreadPoolExecutor(4) as pool:
        for n in range(40):
            together, speed, ducking = threading.Barrier(4), 0.7 + n / 100, -5.0 - n / 4

            def change(patch: JobPatch, together: threading.Barrier = together) -> None:
                together.wait(10)
                house.service.update(job.id, patch)

            patches = [
                JobPatch(title=f"Film {n}"),
                JobPatch(options=OptionsPatch(speed=speed)),
                JobPatch(options=OptionsPatch(duck_db=ducking)),
                JobPatch(options=OptionsPatch(duck_hold_s=n / 100)),
            ]
            list(pool.map(change, patches))
            now = house.store.get(job.id)
            assert (now.title, now.options.voices.speed, now.options.mix.duck_db, now.options.mix.duck_hold_s) == (
                f"Film {n}",
                speed,
                ducking,
                n / 100,
            )
