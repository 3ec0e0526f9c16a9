"""A second job on the same upload."""

from __future__ import annotations

from app.domain.job import JobState, Phase
from app.domain.problems.jobs import JOB_STATE
from app.domain.stage_outputs import Transcribed
from app.jobs.schemas import JobPatch, OptionsPatch, SegmentChanges, SegmentEdit
from app.storage.jobs import PARTIAL
from tests.unit.jobs.house import LINES, MEDIA, House, refused


def test_a_duplicate_shares_upload_and_transcript_but_not_edits(house: House) -> None:
    job = house.rendered()
    twin = house.service.duplicate(job.id, JobPatch(title="Auf Deutsch", options=OptionsPatch(voice="espeak:de")))
    assert (twin.state, twin.title, twin.options.voices.voice, twin.segment_count, twin.artifacts) == (
        JobState.REVIEW,
        "Auf Deutsch",
        "espeak:de",
        2,
        (),
    )
    house.service.edit(twin.id, twin.revision, SegmentChanges(edit=(SegmentEdit(LINES[0].id, text="Hallo."),)))
    assert house.service.segments(job.id).segments[0].text == "Hello there."
    house.service.delete(job.id)
    source_key = house.store.row(twin.id).source_key
    assert house.blobs.exists(source_key), "the twin still needs the upload"
    assert not house.blobs.exists("artifacts/aa.mp4")
    house.service.delete(twin.id)
    assert not house.blobs.exists(source_key)


def test_a_duplicate_keeps_what_was_locked(house: House) -> None:
    job = house.reviewed()
    changes = SegmentChanges(edit=(SegmentEdit(LINES[0].id, start_locked=True, locked_rate=1.1),))
    house.service.edit(job.id, house.service.segments(job.id).revision, changes)
    twin = house.service.duplicate(job.id, JobPatch())
    line = house.service.segments(twin.id).segments[0]
    assert (line.start_locked, line.locked_rate) == (True, 1.1)


def test_a_duplicate_with_another_recognition_starts_anew(house: House) -> None:
    twin = house.service.duplicate(house.reviewed().id, JobPatch(options=OptionsPatch(language="fr")))
    assert (twin.state, twin.segment_count) == (JobState.QUEUED, 0)
    assert house.queue.queued[-1][:2] == (Phase.PREPARE, twin.id)


def test_recognition_that_was_stopped_half_way_is_neither_rendered_nor_shared(house: House) -> None:
    job = house.created()
    house.store.transition(job.id, JobState.PREPARING, media=MEDIA)
    house.store.append_segments(
        job.id, LINES[:1], stage="transcribe", fingerprint=f"{PARTIAL}f", output=Transcribed("en", 3.0)
    )
    house.service.cancel(job.id)
    refused(JOB_STATE, lambda: house.service.render(job.id))
    twin = house.service.duplicate(job.id, JobPatch())
    assert (twin.state, twin.segment_count) == (JobState.QUEUED, 0)
