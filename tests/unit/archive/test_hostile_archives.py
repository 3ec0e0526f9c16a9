"""What is hostile, damaged or newer in an archive is refused, and leaves nothing."""

from __future__ import annotations

import tarfile
from collections.abc import Callable

import pytest

from app.domain.errors import DubError
from app.domain.job import JobState
from app.domain.problems.jobs import ARCHIVE_INVALID, ARCHIVE_NEWER
from app.storage.blobs import bytes_of
from tests.unit.archive.archives import edit, exported, member, rebuilt, take
from tests.unit.retention.shelf import Shelf


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
