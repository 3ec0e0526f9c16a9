"""A background without voices: looked at when it comes, kept as long as a job needs it, and no longer."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from app.domain.dub_options import Container, changed
from app.domain.job import JobState
from app.domain.media import VideoStream
from app.domain.problems.jobs import JOB_STATE
from app.domain.problems.media import AUDIO_TRACK_MISSING, CONTAINER_UNSUITABLE, STEM_INVALID
from app.domain.problems.uploads import UPLOAD_INCOMPLETE, UPLOAD_NOT_FOUND
from app.jobs.schemas import CreateJob, JobPatch, OptionsPatch
from tests.unit.jobs.house import MEDIA, House, refused
from tests.unit.media.samples import sample


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def brought(house: House, name: str = "plain.flac") -> str:
    """An upload of one of the samples."""
    return house.uploaded(sample(name).read_bytes(), name)


def key_of(upload_id: str) -> str:
    return f"uploads/{upload_id}"


def test_a_stem_belongs_to_its_job_and_goes_with_it(house: House) -> None:
    stem = brought(house)
    job = house.service.create(CreateJob(house.uploaded(), stem_upload_id=stem))
    assert job.has_stem
    house.uploads.delete(stem)
    assert house.blobs.exists(key_of(stem)), "the job needs it"
    house.service.delete(job.id)
    assert not house.blobs.exists(key_of(stem))


@pytest.mark.parametrize(
    "name, data", [("words.wav", b"only words, " * 500), ("list.wav", b"#EXTM3U\n#EXTINF:5,\nfile:///etc/passwd\n")]
)
def test_what_is_no_sound_is_no_stem(house: House, name: str, data: bytes) -> None:
    bad = house.uploaded(data, name)
    refused(STEM_INVALID, lambda: house.service.create(CreateJob(house.uploaded(), stem_upload_id=bad)))
    assert house.service.page().total == 0
    job = house.reviewed()
    refused(STEM_INVALID, lambda: house.service.update(job.id, JobPatch(stem_upload_id=bad)))
    assert not house.service.get(job.id).has_stem


def test_a_silent_video_and_an_unfinished_upload_are_no_stem(house: House) -> None:
    job = house.reviewed()
    told = refused(
        STEM_INVALID, lambda: house.service.update(job.id, JobPatch(stem_upload_id=brought(house, "silent.mp4")))
    )
    assert told.detail == "It has no sound."
    part = house.uploads.create(filename="x", media_type="", length_bytes=9, metadata={})
    refused(UPLOAD_INCOMPLETE, lambda: house.service.update(job.id, JobPatch(stem_upload_id=part.id)))
    refused(UPLOAD_NOT_FOUND, lambda: house.service.update(job.id, JobPatch(stem_upload_id="0" * 32)))


def test_a_stem_that_comes_or_goes_makes_a_rendered_job_stale(house: House) -> None:
    job, stem = house.rendered(), brought(house)
    assert house.service.update(job.id, JobPatch(stem_upload_id=stem)).stale
    assert house.service.update(job.id, JobPatch(stem_upload_id=None)).stale is False
    assert not house.blobs.exists(key_of(stem)), "nobody needs it any more"


def test_a_stem_is_replaced_only_while_nothing_runs(house: House) -> None:
    running = house.service.approve(house.reviewed().id)
    stem = brought(house)
    refused(JOB_STATE, lambda: house.service.update(running.id, JobPatch(stem_upload_id=stem)))
    assert not house.service.get(running.id).has_stem and house.blobs.exists(key_of(stem))


def test_a_duplicate_shares_the_stem_or_has_another_or_none(house: House) -> None:
    job, first, second = house.reviewed(), brought(house), brought(house, "plain.mp3")
    house.service.update(job.id, JobPatch(stem_upload_id=first))
    shares = house.service.duplicate(job.id, JobPatch())
    other = house.service.duplicate(job.id, JobPatch(stem_upload_id=second))
    none = house.service.duplicate(job.id, JobPatch(stem_upload_id=None))
    assert [house.store.row(each.id).stem_key for each in (shares, other, none)] == [
        key_of(first),
        key_of(second),
        None,
    ]
    house.service.delete(job.id)
    assert house.blobs.exists(key_of(first)), "the duplicate needs it"
    house.service.delete(shares.id)
    assert not house.blobs.exists(key_of(first)), "those with another stem do not"
    house.service.delete(other.id)
    assert not house.blobs.exists(key_of(second))


def test_one_upload_may_be_source_and_stem(house: House) -> None:
    both = brought(house)
    job = house.service.create(CreateJob(both, stem_upload_id=both))
    house.store.transition(job.id, JobState.PREPARING, media=MEDIA)
    house.store.transition(job.id, JobState.FAILED)
    house.service.update(job.id, JobPatch(stem_upload_id=None))
    assert house.blobs.exists(key_of(both)), "it is still the source"


# ---------------------------------------------------------------- what the file does not bear


def test_a_container_that_cannot_hold_the_picture_is_refused_before_anything_is_spoken(house: House) -> None:
    job = house.reviewed()
    house.store.update(job.id, media=msgspec.structs.replace(MEDIA, video=VideoStream(0, "h264", 640, 360, 25.0, 0)))
    told = refused(
        CONTAINER_UNSUITABLE,
        lambda: house.service.update(job.id, JobPatch(options=OptionsPatch(container=Container.WEBM))),
    )
    assert "H264" in told.detail and "mkv" in told.detail
    failed = house.created(review=False)
    house.store.transition(failed.id, JobState.PREPARING, media=house.store.get(job.id).media)
    house.store.transition(failed.id, JobState.FAILED)
    refused(
        CONTAINER_UNSUITABLE,
        lambda: house.service.update(failed.id, JobPatch(options=OptionsPatch(container=Container.WEBM))),
    )
    refused(
        AUDIO_TRACK_MISSING,
        lambda: house.service.update(failed.id, JobPatch(options=OptionsPatch(audio_track=1))),
    )
    house.store.update(job.id, options=changed(job.options, container=Container.WEBM))  # an older server let it through
    refused(CONTAINER_UNSUITABLE, lambda: house.service.approve(job.id))
    refused(CONTAINER_UNSUITABLE, lambda: house.service.duplicate(job.id, JobPatch()))
    assert house.service.get(job.id).state is JobState.REVIEW
