"""The rules of the journey, on a real database and a real blob store; only the engine's queue is recorded instead of
run."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from app.domain.dub_options import DubOptions, changed
from app.domain.errors import DubError, Problem
from app.domain.events import Deleted, SegmentsChanged, StateChanged
from app.domain.job import Job, JobState, Phase
from app.domain.media import Artifact, ArtifactKind, AudioStream, MediaInfo
from app.domain.problems.jobs import JOB_STATE
from app.domain.problems.lines import (
    EDIT_CONFLICT,
    ENCODING_UNKNOWN,
    NOTHING_TO_SPEAK,
    SUBTITLES_INVALID,
    TIMES_INVALID,
)
from app.domain.problems.requests import INVALID_REQUEST
from app.domain.problems.uploads import UPLOAD_INCOMPLETE, UPLOAD_NOT_FOUND
from app.domain.problems.voices import ENGINE_UNKNOWN, SPEED_RANGE
from app.domain.secret_names import Keys
from app.domain.segment import Segment
from app.domain.stage_outputs import Transcribed
from app.dubbing.context import Context
from app.jobs.events import Hub
from app.jobs.schemas import CreateJob, JobPatch, OptionsPatch, SegmentChanges, SegmentEdit, SplitSegment
from app.jobs.service import JobService
from app.speech.registry import build_registry
from app.storage.blobs import BlobStore, FolderBlobs
from app.storage.database import migrate, open_database
from app.storage.disk_floor import Floor
from app.storage.jobs import PARTIAL, JobStore
from app.storage.secrets import SecretStore
from app.storage.uploads import UploadStore
from app.storage.workspace import Workspace
from app.system.children import Limits

OPTIONS = changed(DubOptions(), model="tiny", audio_track=0)
MEDIA = MediaInfo("mp4", 20.0, 0.0, 5, None, (AudioStream(0, 0, "aac", 48_000, 2, None, None),))
LINES = (
    Segment("a" * 32, 1, 3, "Hello there.", "Hello there.", "", False, ()),
    Segment("b" * 32, 4, 6, "And goodbye.", "And goodbye.", "", False, ()),
)


class Recorded:
    """The engine's queue, as far as the service sees it."""

    def __init__(self) -> None:
        self.queued: list[tuple[Phase, str, str]] = []
        self.cancelled: list[str] = []

    def enqueue(self, phase: Phase, job_id: str, workflow_id: str) -> None:
        self.queued.append((phase, job_id, workflow_id))

    def cancel(self, workflow_id: str) -> None:
        self.cancelled.append(workflow_id)


class House:
    """A service with everything behind it, and short ways to bring a job along."""

    def __init__(self, folder: Path, blobs: BlobStore | None = None) -> None:
        database = open_database(f"sqlite:///{folder / 'app.sqlite3'}")
        migrate(database)
        self.database, self.blobs = database, blobs or FolderBlobs(folder / "blobs")
        self.store, self.hub, self.queue = JobStore(database), Hub(), Recorded()
        self.blob_folder = folder / "blobs"
        self.uploads = UploadStore(database, self.blobs, folder / "uploads", expiry_s=3600)
        self.keys = SecretStore(database, folder / "secret.key")
        self.context = Context(
            self.blobs,
            Workspace(folder / "scratch"),
            folder / "cache",
            build_registry(models=folder / "models"),
            1,
            Limits(),
            3600.0,
        )
        self.service = JobService(
            store=self.store,
            uploads=self.uploads,
            keys=self.keys,
            context=self.context,
            hub=self.hub,
            queue=self.queue,
            defaults=OPTIONS,
            floor=Floor(self.blobs.free_bytes, 0),
        )

    def uploaded(self, data: bytes = b"video", name: str = "Ein Film.mp4") -> str:
        upload = self.uploads.create(filename=name, media_type="video/mp4", length_bytes=len(data), metadata={})
        writer = self.uploads.writer(upload)
        writer.write(data)
        writer.settle(whole=True)
        return upload.id

    def created(self, **options: Any) -> Job:
        return self.service.create(CreateJob(self.uploaded(), options=OptionsPatch(**options)))

    def reviewed(self, **options: Any) -> Job:
        job = self.created(**options)
        self.store.transition(job.id, JobState.PREPARING, media=MEDIA)
        self.store.append_segments(job.id, LINES, stage="transcribe", fingerprint="f", output=Transcribed("en", 20.0))
        self.store.finish_stage(job.id, "probe", "p", "digest", 0.1)
        return self.store.transition(job.id, JobState.REVIEW, language="en")

    def rendered(self) -> Job:
        job = self.service.approve(self.reviewed().id)
        self.store.transition(job.id, JobState.RENDERING)
        self.blobs.put("artifacts/aa.mp4", b"dub")
        video = Artifact(ArtifactKind.VIDEO, "artifacts/aa.mp4", 3, "aa", "video/mp4", "mp4")
        self.store.finish_stage(job.id, "mux", "m", [], 1.0, artifacts=(video,))
        return self.store.transition(
            job.id, JobState.COMPLETED, rendered_revision=self.store.get(job.id).revision, rendered_options=job.options
        )


@pytest.fixture
def house(tmp_path: Path) -> House:
    return House(tmp_path)


def refused(problem: Problem, act: Callable[[], object]) -> DubError:
    with pytest.raises(DubError) as caught:
        act()
    assert caught.value.problem is problem
    return caught.value


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


def test_two_editors_do_not_overwrite_each_other(house: House) -> None:
    job = house.reviewed()
    revision = house.service.segments(job.id).revision
    house.service.edit(job.id, revision, SegmentChanges(edit=(SegmentEdit(LINES[0].id, text="Mine."),)))
    refused(
        EDIT_CONFLICT,
        lambda: house.service.edit(job.id, revision, SegmentChanges(edit=(SegmentEdit(LINES[0].id, text="Yours."),))),
    )
    refused(EDIT_CONFLICT, lambda: house.service.merge(job.id, LINES[0].id, revision))
    assert house.service.segments(job.id).segments[0].text == "Mine."


def test_an_edit_that_fails_half_way_changes_nothing(house: House) -> None:
    job = house.reviewed()
    before = house.service.segments(job.id)
    changes = SegmentChanges(
        edit=(SegmentEdit(LINES[0].id, text="New."), SegmentEdit(LINES[1].id, start_s=99.0, end_s=100.0))
    )
    refused(TIMES_INVALID, lambda: house.service.edit(job.id, before.revision, changes))
    assert house.service.segments(job.id) == before


def test_split_and_merge_go_through_the_database(house: House) -> None:
    job = house.reviewed()
    split = house.service.split(job.id, LINES[0].id, house.service.segments(job.id).revision, SplitSegment(at=6))
    assert [s.text for s in split.segments] == ["Hello", "there.", "And goodbye."]
    merged = house.service.merge(job.id, LINES[0].id, split.revision)
    assert [s.text for s in merged.segments] == ["Hello there.", "And goodbye."]
    assert house.service.segments(job.id) == merged


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


def test_a_key_of_the_request_is_kept_only_as_long_as_the_job(house: House) -> None:
    job = house.service.approve(house.reviewed().id, keys=Keys({"elevenlabs": " sk_secret ", "other": "sk_other"}))
    assert dict(house.keys.job_keys(job.id)) == {"elevenlabs": "sk_secret", "other": "sk_other"}
    house.service.delete(job.id)
    assert not house.keys.job_keys(job.id)


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
