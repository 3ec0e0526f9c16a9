"""New jobs, the list of jobs, their events, and what a render would cost."""

from __future__ import annotations

import asyncio

from app.domain.events import Deleted, SegmentsChanged, StateChanged
from app.domain.job import Job, JobState, Phase
from app.domain.problems.lines import ENCODING_UNKNOWN, SUBTITLES_INVALID
from app.domain.problems.requests import INVALID_REQUEST
from app.domain.problems.uploads import UPLOAD_INCOMPLETE, UPLOAD_NOT_FOUND
from app.domain.problems.voices import ENGINE_UNKNOWN, SPEED_RANGE
from app.jobs.schemas import CreateJob, JobPatch, OptionsPatch, SegmentChanges
from tests.unit.jobs.house import LINES, House, refused


def test_a_new_job_takes_its_name_from_the_file_and_is_queued(house: House) -> None:
    job = house.created(speed=1.1)
    assert (job.title, job.state, job.phase, job.options.voices.speed, job.options.voices.voice) == (
        "Ein Film",
        JobState.QUEUED,
        Phase.PREPARE,
        1.1,
        "espeak:auto",
    )
    assert [(phase, job_id) for phase, job_id, _ in house.queue.queued] == [(Phase.PREPARE, job.id)]


def test_a_job_needs_a_whole_upload_and_sensible_options(house: House) -> None:
    part = house.uploads.create(filename="x", media_type="", length_bytes=9, metadata={})
    refused(UPLOAD_INCOMPLETE, lambda: house.service.create(CreateJob(part.id)))
    refused(UPLOAD_NOT_FOUND, lambda: house.service.create(CreateJob("0" * 32)))
    refused(SPEED_RANGE, lambda: house.created(speed=0.5))
    refused(ENGINE_UNKNOWN, lambda: house.created(voice="nobody:x"))
    refused(INVALID_REQUEST, lambda: house.created(recognizer="subtitles"))
    assert house.service.page().total == 0


def test_brought_subtitles_are_read_before_the_job_is_made(house: House) -> None:
    bad = house.uploaded(b"no cues here", "x.srt")
    refused(SUBTITLES_INVALID, lambda: house.service.create(CreateJob(house.uploaded(), subtitles_upload_id=bad)))
    good = house.uploaded(b"1\n00:00:01,000 --> 00:00:02,000\nHi\n", "x.srt")
    assert (
        house.service.create(CreateJob(house.uploaded(), subtitles_upload_id=good)).options.recognition.recognizer
        == "subtitles"
    )


def test_subtitles_are_read_in_the_encoding_that_is_chosen_and_in_no_unknown_one(house: House) -> None:
    srt = "1\n00:00:01,000 --> 00:00:02,000\nÖröm\n"

    def created(encoding: str | None) -> Job:
        brought = house.uploaded(srt.encode("cp1250"), "a.srt")
        return house.service.create(
            CreateJob(house.uploaded(), options=OptionsPatch(subtitle_encoding=encoding), subtitles_upload_id=brought)
        )

    assert created("windows-1250").options.recognition.subtitle_encoding == "windows-1250"
    assert created(None).options.recognition.subtitle_encoding is None
    refused(ENCODING_UNKNOWN, lambda: created("rot13"))
    refused(SUBTITLES_INVALID, lambda: created("utf-16"))


def test_pages_are_newest_first_filtered_and_whole(house: House) -> None:
    jobs = [house.created() for _ in range(5)]
    house.store.transition(jobs[0].id, JobState.PREPARING)
    seen: list[str] = []
    cursor = None
    while True:
        page = house.service.page(limit=2, cursor=cursor)
        assert page.total == 5
        seen += [job.id for job in page.jobs]
        if (cursor := page.next) is None:
            break
    assert seen == [job.id for job in reversed(jobs)]
    assert [job.id for job in house.service.page(states={JobState.PREPARING}).jobs] == [jobs[0].id]
    house.service.update(jobs[1].id, JobPatch(title="100% Ananas"))
    assert [job.id for job in house.service.page(query="100% a").jobs] == [jobs[1].id]
    assert house.service.page(query="%").total == 1
    refused(INVALID_REQUEST, lambda: house.service.page(cursor="yesterday"))


async def test_events_tell_what_changed(house: House) -> None:
    async with house.hub.subscribe(None) as subscription:
        job = house.reviewed()
        house.service.edit(job.id, house.service.segments(job.id).revision, SegmentChanges(remove=(LINES[1].id,)))
        house.service.delete(job.id)
        events = []
        while not events or not isinstance(events[-1], Deleted):
            events.append(await asyncio.wait_for(subscription.queue.get(), 5))
    assert [event.seq for event in events] == sorted({event.seq for event in events})
    assert [type(event) for event in events[-3:]] == [SegmentsChanged, StateChanged, Deleted]
    assert isinstance(events[-3], SegmentsChanged) and events[-3].removed == (LINES[1].id,)


async def test_an_estimate_counts_what_is_not_cached(house: House) -> None:
    estimate = await house.service.estimate(house.reviewed().id)
    assert (estimate.lines, estimate.cached_lines, estimate.characters, estimate.money_usd) == (2, 0, 24, 0.0)


async def test_a_preview_is_the_clip_that_the_render_will_use(house: House) -> None:
    job = house.reviewed()
    sound = await house.service.preview(job.id, LINES[0].id)
    assert sound[:4] == b"RIFF" and len(sound) > 10_000
    assert (await house.service.estimate(job.id)).cached_lines == 1
    house.service.delete(job.id)
    assert not any((house.blob_folder / "clips").rglob("*.wav")), "a deleted job leaves no clip"
