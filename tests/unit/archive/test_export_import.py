"""Jobs in an archive: out whole, in whole, and nothing of what is hostile."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select, update

from app.archive import export
from app.archive.importing import Imported, Outcome, import_archive
from app.domain.errors import DubError
from app.domain.job import JobState, Joined
from app.domain.problems.jobs import ARCHIVE_INVALID, ARCHIVE_NEWER, JOB_NOT_FOUND
from app.domain.problems.uploads import DISK_FULL
from app.domain.retention import Kind
from app.domain.segment import LeftOut, LeftOutKind, Segment
from app.storage import tables as t
from app.storage.blobs import bytes_of
from app.storage.database import reading
from app.storage.disk_floor import Floor
from app.storage.secrets import SecretStore
from tests.unit.retention.shelf import Shelf, rule


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "here")


@pytest.fixture
def other(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path / "there")


def exported(shelf: Shelf, *job_ids: str) -> Path:
    path = shelf.data / "jobs.tar"
    with path.open("wb") as file:
        for block in export.archive(shelf.database, shelf.blobs, export.titles(shelf.database, job_ids), "1.0"):
            file.write(block)
    return path


def take(shelf: Shelf, archive: Path, floor: Floor | None = None) -> list[Imported]:
    told: list[Imported] = []
    floor = floor or Floor(shelf.blobs.free_bytes, 0)
    found = import_archive(
        archive,
        engine=shelf.database,
        blobs=shelf.blobs,
        staging=shelf.data / "imports",
        floors=[floor],
        on_job=told.append,
    )
    assert list(found) == told
    assert list((shelf.data / "imports").iterdir()) == []
    return told


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


# ---------------------------------------------------------------- hostile archives


def rebuilt(archive: Path, change: Callable[[list[tuple[tarfile.TarInfo, bytes]]], None], *, sums: bool = True) -> Path:
    """The archive with its members changed; with `sums` the hashes are made to fit again."""
    with tarfile.open(archive) as tar:
        members = [(info, tar.extractfile(info).read()) for info in tar.getmembers()]  # type: ignore[union-attr]
    change(members)
    if sums:
        text = "".join(
            f"{hashlib.sha256(data).hexdigest()}  {info.name}\n" for info, data in members if info.name != "SHA256SUMS"
        )
        members = [(info, text.encode() if info.name == "SHA256SUMS" else data) for info, data in members]
    out = archive.with_name("hostile.tar")
    with out.open("wb") as file:
        for info, data in members:
            info.size = len(data)
            file.write(info.tobuf(tarfile.GNU_FORMAT) + data + bytes(-len(data) % 512))
        file.write(bytes(1024))
    return out


def member(members: list[tuple[tarfile.TarInfo, bytes]], start: str) -> int:
    return next(i for i, (info, _) in enumerate(members) if info.name.startswith(start))


def edit(start: str, change: Callable[[dict[str, Any]], None]) -> Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]:
    def act(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        at = member(members, start)
        told = json.loads(members[at][1])
        change(told)
        members[at] = (members[at][0], json.dumps(told).encode())

    return act


def named(
    start: str, name: str, kind: bytes = tarfile.REGTYPE, link: str = ""
) -> Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]:
    def act(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
        info, data = members[member(members, start)]
        info.name, info.type, info.linkname = name, kind, link
        members[member(members, name)] = (info, data if kind == tarfile.REGTYPE else b"")

    return act


def flipped(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    at = member(members, "blobs/uploads")
    members[at] = (members[at][0], b"X" + members[at][1][1:])


def doubled(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    at = member(members, "blobs/")
    members.insert(at, members[at])


def added(members: list[tuple[tarfile.TarInfo, bytes]]) -> None:
    members.insert(member(members, "jobs/"), (tarfile.TarInfo("blobs/clips/" + "a" * 64 + ".wav"), b"unlisted"))


HOSTILE: dict[str, Callable[[list[tuple[tarfile.TarInfo, bytes]]], None]] = {
    "a path out of the folder": named("blobs/uploads", "blobs/uploads/../../../etc/passwd"),
    "an absolute path": named("blobs/uploads", "/etc/passwd"),
    "a folder that is none of ours": named("blobs/uploads", "blobs/secret/" + "a" * 32),
    "a symbolic link": named("blobs/uploads", "blobs/uploads/" + "a" * 32, tarfile.SYMTYPE, "/etc/passwd"),
    "a hard link": named("blobs/uploads", "blobs/uploads/" + "a" * 32, tarfile.LNKTYPE, "manifest.json"),
    "a device": named("blobs/uploads", "blobs/uploads/" + "a" * 32, tarfile.CHRTYPE),
    "an extension header": named("blobs/uploads", "././@LongLink", tarfile.GNUTYPE_LONGNAME),
    "a sparse file": named("blobs/uploads", "blobs/uploads/" + "a" * 32, tarfile.GNUTYPE_SPARSE),
    "changed bytes": flipped,
    "a file twice": doubled,
    "a file that no job lists": added,
    "a missing file": lambda members: members.pop(member(members, "blobs/uploads")) and None,
    "a missing job": lambda members: members.pop(member(members, "jobs/")) and None,
    "no manifest": lambda members: members.pop(member(members, "manifest")) and None,
    "no hashes": lambda members: members.pop(member(members, "SHA256SUMS")) and None,
    "JSON that is none": lambda members: members.__setitem__(
        member(members, "jobs/"), (members[member(members, "jobs/")][0], b"{" * 100_000)
    ),
    "a job's id that is a path": edit("jobs/", lambda job: job.update(id="../../../../etc/passwd")),
    "another job's id": edit("jobs/", lambda job: job.update(id="f" * 32)),
    "an unknown state": edit("jobs/", lambda job: job.update(state="owned")),
    "a source elsewhere": edit("jobs/", lambda job: job.update(source_key="../../etc/passwd")),
    "options of the wrong kind": edit("jobs/", lambda job: job["options"]["voices"].update(speed="fast")),
    "a line that ends before it starts": edit("jobs/", lambda job: job["segments"][0].update(end_s=-1.0)),
    "a line with control characters": edit("jobs/", lambda job: job["segments"][0].update(text="a\u0000b")),
    "a line twice": edit("jobs/", lambda job: job["segments"].append(job["segments"][0])),
    "a number that is none": edit("jobs/", lambda job: job.update(created_at=float("inf"))),
    "a wrong hash": edit("jobs/", lambda job: job["files"][0].update(sha256="0" * 64)),
    "a job twice": edit("manifest", lambda told: told["jobs"].append(told["jobs"][0])),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_archive_is_refused_and_leaves_nothing(what: str, shelf: Shelf, other: Shelf) -> None:
    shelf.job()
    archive = rebuilt(exported(shelf), HOSTILE[what])
    with pytest.raises(DubError) as refused:
        take(other, archive)
    assert refused.value.problem is ARCHIVE_INVALID
    assert (other.files(), other.store.ids(list(JobState))) == (set(), [])


def test_hashes_that_do_not_fit_are_refused(shelf: Shelf, other: Shelf) -> None:
    shelf.job(title="Mine")
    archive = rebuilt(exported(shelf), edit("jobs/", lambda job: job.update(title="Yours")), sums=False)
    with pytest.raises(DubError, match="does not fit"):
        take(other, archive)


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.99])
def test_an_archive_that_was_cut_off_is_refused(share: float, shelf: Shelf, other: Shelf) -> None:
    shelf.job()
    archive = exported(shelf)
    data = archive.read_bytes()
    archive.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(DubError) as refused:
        take(other, archive)
    assert refused.value.problem is ARCHIVE_INVALID
    assert other.files() == set()


def test_a_header_that_promises_more_than_there_is_takes_no_memory(other: Shelf) -> None:
    info = tarfile.TarInfo("manifest.json")
    info.size = 1 << 50
    archive = other.data / "huge.tar"
    archive.write_bytes(info.tobuf(tarfile.GNU_FORMAT) + b"{}")
    with pytest.raises(DubError, match="too large"):
        take(other, archive)


def test_an_archive_of_a_newer_format_is_refused_by_name(shelf: Shelf, other: Shelf) -> None:
    shelf.job()
    archive = rebuilt(exported(shelf), edit("manifest", lambda told: told.update(format=2, jobs="another shape")))
    with pytest.raises(DubError) as refused:
        take(other, archive)
    assert refused.value.problem is ARCHIVE_NEWER


def test_a_file_here_is_never_overwritten_by_one_of_an_archive(shelf: Shelf, other: Shelf) -> None:
    job_id = shelf.job()
    archive = exported(shelf)
    other.blobs.put(f"uploads/{job_id}", b"another video")
    with pytest.raises(DubError) as refused:
        take(other, archive)
    assert refused.value.problem is ARCHIVE_INVALID
    assert bytes_of(other.blobs, f"uploads/{job_id}") == b"another video"


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
