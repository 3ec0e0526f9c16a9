"""What the rules no longer keep: the plan, and what is there afterwards."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from app.domain.errors import DubError
from app.domain.job import JobState
from app.domain.media import ArtifactKind
from app.domain.problems.jobs import JOB_NOT_FOUND
from app.domain.retention import Held, Kind, Why
from app.domain.stage_outputs import Separated
from app.retention.policy import LooseFile, plan
from app.storage import references
from app.storage.workspace import Workspace
from tests.unit.retention.shelf import DAY_S, Shelf, rule

NOW = 1_000 * DAY_S


def held(
    job_id: str, days: float, state: JobState = JobState.COMPLETED, source: str = "", clips: tuple[str, ...] = ()
) -> Held:
    source = source or f"uploads/{job_id}"
    files = {
        Kind.SOURCES: ((source, 1000),),
        Kind.CLIPS: tuple((f"clips/{clip}", 40) for clip in clips or (job_id,)),
        Kind.OUTPUTS: ((f"artifacts/{job_id}", 500),),
    }
    return Held(job_id, job_id, state, NOW - days * DAY_S, source, files, ((f"ingest/{job_id}", 7),))


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "data")


# ---------------------------------------------------------------- the plan


def test_without_rules_nothing_is_deleted() -> None:
    assert plan([rule(kind) for kind in Kind], [held("a", 900)], now=NOW) == ()


def test_a_job_goes_by_age_with_all_that_only_it_needs() -> None:
    (found,) = plan([rule(Kind.JOBS, 30)], [held("old", 31), held("new", 29)], now=NOW)
    assert (found.kind, found.why, found.job_ids, found.bytes) == (Kind.JOBS, Why.AGE, ("old",), 1000 + 40 + 500 + 7)


def test_a_job_in_review_goes_only_as_a_whole_and_one_at_work_never() -> None:
    jobs = [
        held("review", 90, JobState.REVIEW),
        *(held(state.value, 90, state) for state in (JobState.QUEUED, JobState.PREPARING, JobState.RENDERING)),
    ]
    everything = [rule(kind, 1, 1) for kind in (Kind.SOURCES, Kind.CLIPS, Kind.OUTPUTS)]
    assert plan(everything, jobs, now=NOW) == ()
    assert [found.job_ids for found in plan([*everything, rule(Kind.JOBS, 1)], jobs, now=NOW)] == [("review",)]


def test_jobs_that_failed_or_were_cancelled_have_ended() -> None:
    jobs = [held("f", 9, JobState.FAILED), held("c", 9, JobState.CANCELLED)]
    assert {found.job_ids for found in plan([rule(Kind.SOURCES, 8)], jobs, now=NOW)} == {("f",), ("c",)}


def test_a_shared_original_goes_when_the_last_of_its_jobs_is_old_enough() -> None:
    two = [held("a", 40, source="uploads/x"), held("b", 10, source="uploads/x")]
    assert plan([rule(Kind.SOURCES, 30)], two, now=NOW) == ()
    (found,) = plan([rule(Kind.SOURCES, 5)], two, now=NOW)
    assert (set(found.job_ids), found.bytes) == ({"a", "b"}, 1000)
    at_work = [held("a", 40, source="uploads/x"), held("b", 40, JobState.RENDERING, source="uploads/x")]
    assert plan([rule(Kind.SOURCES, 30, 1)], at_work, now=NOW) == ()


def test_a_shared_clip_makes_room_only_with_its_last_job() -> None:
    first, second = plan([rule(Kind.CLIPS, 5)], [held("a", 40, clips=("x", "y")), held("b", 10, clips=("x",))], now=NOW)
    assert (first.job_ids, first.bytes, second.job_ids, second.bytes) == (("a",), 40, ("b",), 40)


def test_by_size_the_oldest_go_until_the_rest_fits() -> None:
    jobs = [held(str(days), days) for days in (1, 2, 3, 4)]
    found = plan([rule(Kind.OUTPUTS, at_most=1000)], jobs, now=NOW)
    assert [(one.job_ids, one.why) for one in found] == [(("4",), Why.SIZE), (("3",), Why.SIZE)]
    assert plan([rule(Kind.OUTPUTS, at_most=2000)], jobs, now=NOW) == ()


def test_what_age_has_taken_counts_for_size() -> None:
    found = plan([rule(Kind.OUTPUTS, 3.5, 1500)], [held(str(days), days) for days in (1, 2, 3, 4)], now=NOW)
    assert [(one.job_ids, one.why) for one in found] == [(("4",), Why.AGE)]


def test_what_goes_with_a_job_is_not_planned_twice() -> None:
    found = plan(
        [rule(kind, 30, 1) for kind in (Kind.JOBS, Kind.SOURCES, Kind.CLIPS, Kind.OUTPUTS)], [held("a", 31)], now=NOW
    )
    assert [one.kind for one in found] == [Kind.JOBS]


def test_lines_of_the_command_line_are_bounded_with_those_of_jobs() -> None:
    loose = [LooseFile(Kind.CLIPS, "new", 100, NOW - DAY_S), LooseFile(Kind.CLIPS, "old", 100, NOW - 9 * DAY_S)]
    found = plan([rule(Kind.CLIPS, at_most=150)], [held("a", 5)], loose, now=NOW)
    assert [(one.job_ids, one.names, one.bytes) for one in found] == [((), ("old",), 100)]


# ---------------------------------------------------------------- afterwards


def test_a_source_that_is_gone_leaves_the_dub_and_says_so(shelf: Shelf) -> None:
    job_id = shelf.job(days=31, stem="uploads/stem")
    cleaner = shelf.cleaner(rule(Kind.SOURCES, 30))
    done = cleaner.apply(cleaner.plan())
    assert (done.bytes, done.skipped) == (1000 + 300 + 10, 0)
    job = shelf.store.get(job_id)
    assert (job.source_gone, job.outputs_gone, job.state) == (True, False, JobState.COMPLETED)
    assert {artifact.kind for artifact in job.artifacts} == {
        ArtifactKind.VIDEO,
        ArtifactKind.AUDIO,
        ArtifactKind.SRT,
        ArtifactKind.PEAKS,
    }
    assert shelf.files("uploads") == set()
    assert shelf.told == [(job_id, False)]


def test_the_sound_without_voices_goes_with_the_original_and_would_be_made_again(shelf: Shelf) -> None:
    job_id = shelf.job(days=31)
    key = shelf.put(f"separated/{'a' * 64}/background.flac", 700)
    shelf.store.finish_stage(job_id, "separate", "s", Separated(key), 9.0, keys=(key,))
    cleaner = shelf.cleaner(rule(Kind.SOURCES, 30))
    assert cleaner.apply(cleaner.plan()).bytes == 1000 + 10 + 700
    assert shelf.files("separated") == set()
    assert shelf.store.stage(job_id, "separate").fingerprint == ""  # type: ignore[union-attr]


def test_outputs_that_are_gone_are_made_again_by_the_next_render(shelf: Shelf) -> None:
    job_id = shelf.job(days=31)
    cleaner = shelf.cleaner(rule(Kind.OUTPUTS, 30))
    assert cleaner.apply(cleaner.plan()).bytes == 100 + 500 + 20 + 50
    job = shelf.store.get(job_id)
    assert (job.outputs_gone, job.source_gone, job.stale) == (True, False, False)
    assert shelf.files("artifacts") == set()
    assert not (shelf.data / "cache" / job_id).exists()
    assert [shelf.store.stage(job_id, stage).fingerprint for stage in ("mix", "mux", "fit")] == ["", "", "f"]  # type: ignore[union-attr]
    assert cleaner.plan() == ()


def test_clips_that_are_gone_are_spoken_again_by_the_next_render(shelf: Shelf) -> None:
    job_id = shelf.job(days=31)
    cleaner = shelf.cleaner(rule(Kind.CLIPS, 30))
    cleaner.apply(cleaner.plan())
    assert shelf.files("clips") == set()
    assert shelf.store.stage(job_id, "synthesize").fingerprint == ""  # type: ignore[union-attr]


def test_what_another_job_needs_stays(shelf: Shelf) -> None:
    old = shelf.job(days=31, lines=("one", "two"))
    new = shelf.job(days=1, lines=("two", "three"))
    before = shelf.files("clips")
    cleaner = shelf.cleaner(rule(Kind.CLIPS, 30), rule(Kind.SOURCES, 30))
    cleaner.apply(cleaner.plan())
    assert len(before - shelf.files("clips")) == 2  # sound and meta of "one"
    assert (shelf.store.get(old).source_gone, shelf.store.get(new).source_gone) == (True, False)
    assert shelf.files("uploads") == {f"uploads/{new}"}


def test_a_job_that_was_touched_after_the_plan_is_left_alone(shelf: Shelf) -> None:
    job_id = shelf.job(days=31)
    cleaner = shelf.cleaner(rule(Kind.SOURCES, 30), rule(Kind.OUTPUTS, 30))
    planned = cleaner.plan()
    shelf.store.transition(job_id, JobState.QUEUED)
    done = cleaner.apply(planned)
    assert (done.deleted, done.skipped) == ((), 2)
    assert not shelf.store.get(job_id).source_gone
    assert (shelf.data / "cache" / job_id).is_dir()


def test_a_duplicate_made_after_the_plan_keeps_the_original(shelf: Shelf) -> None:
    job_id = shelf.job(days=31)
    cleaner = shelf.cleaner(rule(Kind.SOURCES, 30))
    planned = cleaner.plan()
    shelf.store.copy(
        job_id,
        "d" * 32,
        shelf.blobs,
        title="d",
        options=shelf.store.get(job_id).options,
        stem_key=None,
        state=JobState.QUEUED,
        stages=(),
    )
    assert cleaner.apply(planned).skipped == 1
    assert shelf.files("uploads") == {f"uploads/{job_id}"}


def test_a_download_that_has_begun_is_read_to_its_end(shelf: Shelf) -> None:
    job_id = shelf.job(days=31)
    video = next(artifact for artifact in shelf.store.get(job_id).artifacts if artifact.kind is ArtifactKind.VIDEO)
    cleaner = shelf.cleaner(rule(Kind.OUTPUTS, 30))
    with shelf.blobs.open(video.key) as file:
        cleaner.clean()
        assert not shelf.blobs.exists(video.key)
        assert len(file.read()) == video.size_bytes


def test_a_blob_that_nothing_refers_to_goes_after_a_day(shelf: Shelf) -> None:
    shelf.job()
    mine = shelf.files()
    shelf.put("clips/" + "e" * 64 + ".wav", 77)
    (shelf.data / "blobs" / "clips" / ".0123456789abcdef.part").write_bytes(b"half")
    cleaner = shelf.cleaner()
    assert cleaner.plan() == ()
    shelf.age(1.5)
    (found,) = cleaner.plan()
    assert (found.why, found.bytes) == (Why.UNUSED, 81)
    assert cleaner.apply((found,)).bytes == 81
    assert shelf.files() == mine


def test_a_finished_upload_that_waits_for_its_job_is_no_orphan(shelf: Shelf) -> None:
    from app.storage.uploads import UploadStore

    uploads = UploadStore(shelf.database, shelf.blobs, shelf.data / "uploads", expiry_s=3600)
    upload = uploads.create(filename="x", media_type="", length_bytes=3, metadata={})
    writer = uploads.writer(upload)
    writer.write(b"abc")
    writer.settle(whole=True)
    shelf.age(2)
    assert references.orphans(shelf.database, shelf.blobs) == (0, 0)
    assert shelf.files() == {f"uploads/{upload.id}"}


def test_working_copies_of_jobs_that_ended_a_week_ago_go_without_any_rule(shelf: Shelf) -> None:
    old, new = shelf.job(days=8), shelf.job(days=1)
    stray = shelf.data / "cache" / ("f" * 32)
    stray.mkdir()
    for folder in (shelf.data / "cache" / old, shelf.data / "cache" / new, stray):
        os.utime(folder, (time.time() - 8 * DAY_S,) * 2)
    assert shelf.cleaner().clean() == 1
    assert [path.name for path in (shelf.data / "cache").iterdir()] == [new]


def test_lines_of_the_command_line_go_unless_they_were_used_lately(shelf: Shelf) -> None:
    folder = shelf.data / "cli" / "clips"
    folder.mkdir(parents=True)
    for name, days in (("a", 3), ("b", 0)):
        for ending in (".wav", ".json"):
            (folder / (name + ending)).write_bytes(bytes(10))
            os.utime(folder / (name + ending), (time.time() - days * DAY_S,) * 2)
    shelf.cleaner(rule(Kind.CLIPS, at_most=1)).clean()
    assert sorted(path.name for path in folder.iterdir()) == ["b.json", "b.wav"]


def test_the_floor_cleans_at_once_and_only_where_there_are_rules(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    job_id = shelf.job(days=31)
    assert shelf.cleaner(min_free_bytes=1 << 60).keep_floor() == 0
    cleaner = shelf.cleaner(rule(Kind.SOURCES, at_most=1), min_free_bytes=1 << 60)
    assert cleaner.keep_floor() == 1
    assert shelf.store.get(job_id).source_gone
    assert shelf.cleaner(rule(Kind.OUTPUTS, at_most=1), min_free_bytes=0).keep_floor() == 0


def test_the_rows_of_a_deleted_job_and_its_key_are_gone(shelf: Shelf) -> None:
    from app.storage.secrets import SecretStore

    job_id = shelf.job(days=31)
    keys = SecretStore(shelf.database, shelf.data / "secret.key")
    keys.set(f"job:{job_id}:key", "sk_secret")
    shelf.cleaner(rule(Kind.JOBS, 30)).clean()
    with pytest.raises(DubError) as gone:
        shelf.store.get(job_id)
    assert gone.value.problem is JOB_NOT_FOUND
    assert (keys.get(f"job:{job_id}:key"), shelf.files(), shelf.told) == (None, set(), [(job_id, True)])


def test_jobs_that_begin_while_retention_works_lose_nothing(shelf: Shelf) -> None:
    """Two threads on one database: one starts renders, one deletes. A job that runs has every file; one that lost a
    file does not run."""
    ids = [shelf.job(days=31, lines=(str(i),)) for i in range(20)]
    cleaner = shelf.cleaner(rule(Kind.SOURCES, 30), rule(Kind.CLIPS, 30), rule(Kind.OUTPUTS, 30))
    planned = cleaner.plan()
    ready = threading.Barrier(2)

    def start_all() -> None:
        first, *others = reversed(ids)
        shelf.store.transition(first, JobState.QUEUED)
        ready.wait()
        for job_id in others:
            shelf.store.transition(job_id, JobState.QUEUED)

    starter = threading.Thread(target=start_all)
    starter.start()
    ready.wait()
    done = cleaner.apply(planned)
    starter.join()
    lost = {job_id for one in done.deleted if one.kind is Kind.SOURCES for job_id in one.job_ids}
    for job_id in ids:
        row = shelf.store.row(job_id)
        assert row.job.source_gone == (job_id in lost) == (not shelf.blobs.exists(row.source_key))
        for artifact in row.job.artifacts:
            assert shelf.blobs.exists(artifact.key)
    assert done.skipped > 0


def test_scratch_of_a_running_task_is_not_swept(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path / "scratch")
    (tmp_path / "scratch" / "left").mkdir()
    with workspace.folder("mix") as folder:
        assert workspace.sweep() == 1
        assert list((tmp_path / "scratch").iterdir()) == [folder]
