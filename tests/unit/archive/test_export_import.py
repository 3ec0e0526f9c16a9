"""Jobs in an archive: out whole, in whole."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select, update

from app.archive import export
from app.archive.importing import Outcome
from app.domain.errors import DubError
from app.domain.job import JobState, Joined
from app.domain.problems.jobs import JOB_NOT_FOUND
from app.domain.problems.uploads import DISK_FULL
from app.domain.retention import Kind
from app.domain.segment import LeftOut, LeftOutKind, Segment
from app.storage import tables as t
from app.storage.blobs import bytes_of
from app.storage.database import reading
from app.storage.disk_floor import Floor
from app.storage.secrets import SecretStore
from tests.unit.archive.archives import exported, take
from tests.unit.retention.shelf import Shelf, rule


def everything(shelf: Shelf, job_id: str) -> dict[str, Any]:
    """All rows of a job, but what is meant to change."""
    with reading(shelf.database) as c:
        job = dict(c.execute(select(t.jobs).where(t.jobs.c.id == job_id)).one()._mapping)
        found: dict[str, Any] = {
            "job": {name: job[name] for name in job.keys() - {"updated_at", "workflow_id", "progress"}}
        }
        for table in (t.segments, t.stages, t.artifacts, t.blob_references):
            found[table.name] = sorted(
                tuple(str(value) for name, value in row._mapping.items())
                for row in c.execute(select(table).where(table.c.job_id == job_id))
            )
    return found


def test_a_job_comes_over_with_everything(shelf: Shelf, other: Shelf) -> None:
    job_id = shelf.job(days=9, stem="uploads/stem", lines=("one", "two", "drei"))
    assert [(one.archive_id, one.job_id, one.outcome) for one in take(other, exported(shelf))] == [
        (job_id, job_id, Outcome.TAKEN)
    ]
    assert everything(other, job_id) == everything(shelf, job_id)
    assert other.files() == shelf.files()
    for key in shelf.files():
        assert bytes_of(other.blobs, key) == bytes_of(shelf.blobs, key)


def test_what_was_left_out_and_what_was_joined_comes_over_too(shelf: Shelf, other: Shelf) -> None:
    job_id = shelf.job(lines=("one",))
    left_out, joined = (LeftOut(LeftOutKind.LABEL, "JOHN:"),), Joined(9, 1)
    line = Segment("x", 5.0, 6.0, "Hi.", "JOHN: Hi.", "JOHN", False, (), left_out=left_out)
    shelf.store.append_segments(job_id, [line], stage="transcribe", fingerprint="f", output=None)
    shelf.store.update(job_id, joined=joined)
    take(other, exported(shelf))
    assert other.store.get(job_id).joined == joined
    assert [line.left_out for line in other.store.segments(job_id)[1] if line.id == "x"] == [left_out]


def test_the_revision_of_the_choices_comes_over_and_never_steps_back_here(shelf: Shelf, other: Shelf) -> None:
    job_id = shelf.job(stem="uploads/stem")

    def titled(title: str) -> None:
        row = shelf.store.row(job_id)
        shelf.store.revise(job_id, list(JobState), row, msgspec.structs.replace(row.choices, title=title))

    titled("Once")
    archive = exported(shelf)
    take(other, archive)
    there = other.store.row(job_id)
    assert (there.job.choices_revision, there.choices_changed) == (2, {"title": 2})
    titled("Twice")
    titled("Once")
    with shelf.database.begin() as c:
        c.execute(update(t.jobs).values(updated_at=0.0))
    shelf.cleaner(rule(Kind.SOURCES, 30)).clean()
    assert [one.outcome for one in take(shelf, archive)] == [Outcome.COMPLETED]
    assert shelf.store.get(job_id).choices_revision == 4


def test_an_archive_is_a_plain_tar_that_sha256sum_checks(shelf: Shelf, tmp_path: Path) -> None:
    job_id = shelf.job(title="Ein Film")
    archive = exported(shelf)
    with tarfile.open(archive) as tar:
        tar.extractall(tmp_path / "out", filter="data")
    checked = subprocess.run(
        ["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=tmp_path / "out", capture_output=True, text=True, check=True
    )
    assert checked.stdout.count(": OK") == len(shelf.files()) + 3
    told = json.loads((tmp_path / "out/jobs" / job_id / "job.json").read_text())
    assert {file["what"]: file["name"] for file in told["files"]}["video"] == "Ein Film.mp4"
    assert "sha256sum -c" in (tmp_path / "out/README.txt").read_text()


def test_no_secret_is_in_an_archive(shelf: Shelf) -> None:
    job_id = shelf.job()
    keys = SecretStore(shelf.database, shelf.data / "secret.key")
    keys.set(f"job:{job_id}:key", "sk_of_the_job")
    keys.set("elevenlabs_key", "sk_of_the_page")
    data = exported(shelf).read_bytes()
    assert b"sk_of" not in data
    assert b"workflow_id" not in data
    assert (shelf.data / "secret.key").read_bytes().strip() not in data


def test_what_jobs_share_is_written_once(shelf: Shelf, other: Shelf) -> None:
    for _ in range(3):
        shelf.job(source="uploads/" + "a" * 32)
    archive = exported(shelf)
    with tarfile.open(archive) as tar:
        names = tar.getnames()
    assert len(names) == len(set(names))
    assert names.count("blobs/uploads/" + "a" * 32) == 1
    assert [one.outcome for one in take(other, archive)] == [Outcome.TAKEN] * 3
    assert other.files() == shelf.files()


def test_only_the_named_jobs_are_exported(shelf: Shelf, other: Shelf) -> None:
    job_id, _ = shelf.job(), shelf.job()
    take(other, exported(shelf, job_id))
    assert other.store.ids(list(JobState)) == [job_id]
    with pytest.raises(DubError) as refused:
        export.titles(shelf.database, ["f" * 32])
    assert refused.value.problem is JOB_NOT_FOUND


def test_the_same_archive_again_changes_nothing(shelf: Shelf, other: Shelf) -> None:
    shelf.job()
    archive = exported(shelf)
    take(other, archive)
    assert [one.outcome for one in take(other, archive)] == [Outcome.SKIPPED]
    assert len(other.store.ids(list(JobState))) == 1


def test_a_job_that_went_on_here_is_not_overwritten(shelf: Shelf, other: Shelf) -> None:
    job_id = shelf.job()
    archive = exported(shelf)
    take(other, archive)
    other.change(job_id, title="Mine", revision=99)
    (again,) = take(other, archive)
    assert (again.outcome, again.archive_id) == (Outcome.RENAMED, job_id)
    assert again.job_id != job_id
    assert (other.store.get(job_id).title, other.store.get(again.job_id).title) == ("Mine", "Job")


def test_an_archive_brings_back_what_retention_has_taken(shelf: Shelf) -> None:
    job_id = shelf.job(days=31, stem="uploads/stem")
    before, files, archive = everything(shelf, job_id), shelf.files(), exported(shelf)
    shelf.cleaner(rule(Kind.SOURCES, 30), rule(Kind.CLIPS, 30), rule(Kind.OUTPUTS, 30)).clean()
    assert shelf.store.get(job_id).source_gone
    assert [one.outcome for one in take(shelf, archive)] == [Outcome.COMPLETED]
    assert (everything(shelf, job_id), shelf.files()) == (before, files)
    assert shelf.cleaner(rule(Kind.JOBS, 1)).plan() == ()  # it was just brought in: retention counts from now


def test_a_job_without_its_files_comes_over_as_it_is(shelf: Shelf, other: Shelf) -> None:
    job_id = shelf.job(days=31)
    shelf.cleaner(rule(Kind.SOURCES, 30), rule(Kind.OUTPUTS, 30)).clean()
    take(other, exported(shelf))
    job = other.store.get(job_id)
    assert (job.source_gone, job.outputs_gone) == (True, True)
    assert everything(other, job_id) == everything(shelf, job_id)


def test_another_clip_of_the_same_words_stays_and_the_dub_is_fitted_anew(shelf: Shelf, other: Shelf) -> None:
    job_id = shelf.job(lines=("one",))
    clip = next(key for key in shelf.files("clips") if key.endswith(".wav"))
    other.blobs.put(clip, b"spoken elsewhere")
    take(other, exported(shelf))
    assert bytes_of(other.blobs, clip) == b"spoken elsewhere"
    stage = other.store.stage(job_id, "synthesize")
    assert stage is not None
    assert stage.fingerprint == ""


def test_what_was_at_work_can_be_gone_on_with(shelf: Shelf, other: Shelf) -> None:
    job_id = shelf.job(state=JobState.RENDERING)
    take(other, exported(shelf))
    assert other.store.get(job_id).state is JobState.CANCELLED


def test_an_import_needs_room_for_what_is_new(shelf: Shelf, other: Shelf) -> None:
    shelf.job()
    archive = exported(shelf)
    needed = sum(shelf.blobs.size_bytes(key) for key in shelf.files())
    with pytest.raises(DubError) as refused:
        take(other, archive, Floor(lambda: 5_000, 5_000 - needed + 1))
    assert refused.value.problem is DISK_FULL
    assert other.files() == set()
    take(other, archive, Floor(lambda: 5_000, 5_000 - needed))
    take(other, archive, Floor(lambda: 5_000, 5_000))  # all of it is here


def test_an_export_holds_blocks_not_files(shelf: Shelf) -> None:
    job_id = shelf.job()
    shelf.blobs.put(f"uploads/{job_id}", bytes(30 << 20))
    blocks = export.archive(shelf.database, shelf.blobs, export.titles(shelf.database, ()), "1.0")
    assert max(len(block) for block in blocks) <= 1 << 20


def test_a_job_that_is_deleted_during_the_export_is_left_out(shelf: Shelf, other: Shelf) -> None:
    first, second = shelf.job(), shelf.job()
    jobs = export.titles(shelf.database, ())
    shelf.store.delete(second, shelf.blobs)
    archive = shelf.data / "jobs.tar"
    archive.write_bytes(b"".join(export.archive(shelf.database, shelf.blobs, jobs, "1.0")))
    assert [one.job_id for one in take(other, archive)] == [first]
    assert io.BytesIO(archive.read_bytes()).getbuffer().nbytes % 512 == 0
