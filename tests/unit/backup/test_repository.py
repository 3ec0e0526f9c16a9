"""A backup holds everything that is kept, costs what has changed, and comes back byte for byte."""

from __future__ import annotations

import os
import stat
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import pytest

from app.backup import swap
from app.backup.backend import FolderBackend
from app.backup.repository import open_repository
from app.backup.restoring import restore
from app.backup.verifying import verify
from app.domain.errors import DubError
from app.domain.problems.backups import (
    BACKUP_BUSY,
    BACKUP_DAMAGED,
    BACKUP_NOT_FOUND,
    BACKUP_PASSWORD,
    BACKUP_PLACE,
    DATA_DAMAGED,
)
from tests.unit.backup.folders import DataFolder, blobs_of, raises, rows_of, take

PASSWORD = "correct horse"


@pytest.fixture
def data(tmp_path: Path) -> Iterator[DataFolder]:
    folder = DataFolder(tmp_path / "data")
    folder.job("a")
    folder.job("b")
    yield folder
    folder.close()


@pytest.fixture(params=["", PASSWORD], ids=["plain", "encrypted"])
def password(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_what_is_restored_is_what_was_kept(data: DataFolder, tmp_path: Path, password: str) -> None:
    data.secrets.set("elevenlabs_key", "the key")
    (data.root / "cli" / "clips").mkdir(parents=True)
    for name in ("ab.wav", "ab.json", "half.wav", ".litter.part"):
        (data.root / "cli" / "clips" / name).write_bytes(name.encode())
    (data.root / "models").mkdir()
    (data.root / "models" / "tiny.pt").write_bytes(b"can be downloaded")
    place = FolderBackend(tmp_path / "place")
    repository, snapshot = take(data.root, place, password)
    assert (snapshot.jobs, snapshot.app_version, snapshot.missing) == (2, "1.2.3", ())
    new = tmp_path / "new"
    done = restore(open_repository(place, password), snapshot, new, replace=False)
    assert done.files == snapshot.files and done.aside is None
    assert blobs_of(new) == blobs_of(data.root)
    assert rows_of(new / "app.sqlite3") == rows_of(data.root / "app.sqlite3")
    assert rows_of(new / "engine.sqlite3") == rows_of(data.root / "engine.sqlite3")
    assert stat.S_IMODE((new / "secret.key").stat().st_mode) == 0o600
    assert sorted(path.name for path in (new / "cli" / "clips").iterdir()) == ["ab.json", "ab.wav"]
    assert sorted(path.name for path in new.iterdir()) == [
        "app.sqlite3",
        "blobs",
        "cli",
        "engine.sqlite3",
        "secret.key",
    ]
    again = DataFolder(new)
    assert again.secrets.get("elevenlabs_key") == "the key"
    again.close()
    [checked] = verify(repository, [snapshot.id], tmp_path)
    assert checked.whole and checked.files == snapshot.files


def test_a_second_backup_costs_what_has_changed_and_reads_no_file_twice(
    data: DataFolder, tmp_path: Path, password: str
) -> None:
    place = FolderBackend(tmp_path / "place")
    _, first = take(data.root, place, password)
    source = data.root / "blobs" / "uploads" / "a"
    before = source.stat()
    source.write_bytes(bytes(before.st_size))  # would be noticed by who reads it
    os.utime(source, ns=(before.st_atime_ns, before.st_mtime_ns))
    repository, second = take(data.root, place, password)
    assert (second.new_files, second.new_bytes) == (0, 0)
    assert second.bytes == first.bytes
    data.job("c", source_bytes=50_000)
    _, third = take(data.root, place, password)
    added = sum(path.stat().st_size for path in (data.root / "blobs").rglob("*c*") if path.is_file())
    assert 50_000 < third.new_bytes < 200_000 and added
    assert repository.ids() == [first.id, second.id, third.id]


def test_the_objects_of_a_plain_repository_are_the_files_under_their_hash(data: DataFolder, tmp_path: Path) -> None:
    take(data.root, FolderBackend(tmp_path / "place"))
    objects = {path.name for path in (tmp_path / "place" / "objects").rglob("*") if path.is_file()}
    assert set(blobs_of(data.root).values()) <= objects
    assert all(stat.S_IMODE(path.stat().st_mode) & 0o077 == 0 for path in (tmp_path / "place").rglob("*"))


def test_an_encrypted_repository_tells_nothing(data: DataFolder, tmp_path: Path) -> None:
    take(data.root, FolderBackend(tmp_path / "place"), PASSWORD)
    names = {path.name for path in (tmp_path / "place").rglob("*")}
    contents = b"".join(path.read_bytes() for path in (tmp_path / "place").rglob("*") if path.is_file())
    assert not names & set(blobs_of(data.root).values())
    assert (data.root / "secret.key").read_bytes() not in contents
    assert b"SQLite format 3" not in contents and b"uploads/a" not in contents and b"schema_revision" not in contents
    assert (data.root / "blobs" / "uploads" / "a").read_bytes()[:64] not in contents


def test_a_wrong_password_is_told_at_once(data: DataFolder, tmp_path: Path) -> None:
    place = FolderBackend(tmp_path / "place")
    take(data.root, place, PASSWORD)
    raises(BACKUP_PASSWORD, lambda: open_repository(place, "another"))
    raises(BACKUP_PASSWORD, lambda: open_repository(place, ""))
    raises(BACKUP_PASSWORD, lambda: take(data.root, place, "another"))


def test_a_place_that_is_not_encrypted_takes_no_encrypted_backup(data: DataFolder, tmp_path: Path) -> None:
    place = FolderBackend(tmp_path / "place")
    take(data.root, place)
    error = raises(BACKUP_PASSWORD, lambda: take(data.root, place, PASSWORD))
    assert "not encrypted" in error.message
    assert not open_repository(place, PASSWORD).encrypted, "what is there can still be read"


class Meddling(FolderBackend):
    """Does something before the first object is written."""

    def __init__(self, root: Path, meddle: Callable[[], None]) -> None:
        super().__init__(root)
        self.at_once = 1
        self._meddle: Callable[[], None] | None = meddle

    def put(self, name: str, blocks: Iterable[bytes], size_bytes: int) -> None:
        if name.startswith("objects/") and (meddle := self._meddle):
            self._meddle = None
            meddle()
        super().put(name, blocks, size_bytes)


def test_a_job_that_is_deleted_while_it_is_copied_does_not_break_the_backup(data: DataFolder, tmp_path: Path) -> None:
    place = Meddling(tmp_path / "place", lambda: data.remove("b"))
    repository, snapshot = take(data.root, place)
    assert snapshot.missing == () and snapshot.jobs == 1, "the databases were copied again"
    restore(repository, snapshot, tmp_path / "new", replace=False)
    assert blobs_of(tmp_path / "new") == blobs_of(data.root)


def test_a_file_that_is_really_gone_is_named_with_its_jobs(data: DataFolder, tmp_path: Path) -> None:
    (data.root / "blobs" / "uploads" / "a").unlink()
    repository, snapshot = take(data.root, FolderBackend(tmp_path / "place"))
    [missing] = snapshot.missing
    assert (missing.path, missing.jobs) == ("blobs/uploads/a", ("a",))
    [checked] = verify(repository, [snapshot.id], tmp_path)
    assert checked.whole and checked.missing == snapshot.missing


def test_lines_that_were_bought_for_a_job_that_still_runs_are_kept(data: DataFolder, tmp_path: Path) -> None:
    data.blobs.put(f"clips/{'5' * 64}.wav", b"bought")
    data.blobs.put(f"clips/{'5' * 64}.json", b"{}")
    data.blobs.put(f"clips/{'6' * 64}.wav", b"not described yet")
    repository, snapshot = take(data.root, FolderBackend(tmp_path / "place"))
    restore(repository, snapshot, tmp_path / "new", replace=False)
    assert (tmp_path / "new" / "blobs" / "clips" / f"{'5' * 64}.wav").read_bytes() == b"bought"
    assert not (tmp_path / "new" / "blobs" / "clips" / f"{'6' * 64}.wav").exists()


def test_the_databases_are_copied_while_somebody_writes(data: DataFolder, tmp_path: Path) -> None:
    ended = threading.Event()

    def write() -> None:
        while not ended.is_set():
            data.store.update("a", title="x" * 2000)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        repository, snapshot = take(data.root, FolderBackend(tmp_path / "place"))
    finally:
        ended.set()
        writer.join()
    assert verify(repository, [snapshot.id], tmp_path)[0].whole


def test_a_damaged_database_makes_no_backup(data: DataFolder, tmp_path: Path) -> None:
    data.close()
    path = data.root / "app.sqlite3"
    raw = bytearray(path.read_bytes())
    raw[4096 * 3 : 4096 * 6] = b"\xff" * (4096 * 3)
    path.write_bytes(raw)
    for extra in ("-wal", "-shm"):
        (data.root / f"app.sqlite3{extra}").unlink(missing_ok=True)
    place = FolderBackend(tmp_path / "place")
    raises(DATA_DAMAGED, lambda: take(data.root, place))
    assert open_repository(place, "").ids() == []


class Failing(FolderBackend):
    """Fails at the n-th object, as a full disk or a pulled cable does."""

    def __init__(self, root: Path, after: int) -> None:
        super().__init__(root)
        self.at_once, self._left = 1, after

    def put(self, name: str, blocks: Iterable[bytes], size_bytes: int) -> None:
        self._left -= 1
        if self._left < 0:
            raise DubError(BACKUP_PLACE, "pulled")
        super().put(name, blocks, size_bytes)


def test_an_interrupted_backup_is_none_and_the_next_one_takes_what_it_stored(data: DataFolder, tmp_path: Path) -> None:
    raises(BACKUP_PLACE, lambda: take(data.root, Failing(tmp_path / "place", after=6)))
    place = FolderBackend(tmp_path / "place")
    assert open_repository(place, "").ids() == []
    assert not list(data.root.glob(".backup-*"))
    stored = len(list(open_repository(place, "").objects()))
    assert stored >= 4
    repository, snapshot = take(data.root, place)
    assert snapshot.new_files == len(list(repository.objects())) - stored
    assert verify(repository, [snapshot.id], tmp_path)[0].whole


def test_an_object_that_was_cut_off_is_written_again(data: DataFolder, tmp_path: Path) -> None:
    place = FolderBackend(tmp_path / "place")
    repository, first = take(data.root, place)
    cut = max(
        (path for path in (tmp_path / "place" / "objects").rglob("*") if path.is_file()),
        key=lambda path: path.stat().st_size,
    )
    cut.write_bytes(cut.read_bytes()[:1000])
    assert not verify(repository, [first.id], tmp_path)[0].whole
    take(data.root, place)
    assert verify(repository, [first.id], tmp_path)[0].whole, "the old backup is whole again too"


def test_two_backups_of_one_place_do_not_run_at_once(data: DataFolder, tmp_path: Path) -> None:
    place = FolderBackend(tmp_path / "place")
    place.prepare()
    with place.lock(alone=True):
        raises(BACKUP_BUSY, lambda: take(data.root, FolderBackend(tmp_path / "place")))
        raises(BACKUP_BUSY, lambda: FolderBackend(tmp_path / "place").lock(alone=False).__enter__())
    with place.lock(alone=False), FolderBackend(tmp_path / "place").lock(alone=False):
        raises(BACKUP_BUSY, lambda: take(data.root, FolderBackend(tmp_path / "place")))


def test_a_folder_with_other_files_is_no_place_for_backups(data: DataFolder, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "cat.jpg").write_bytes(b"x")
    raises(BACKUP_PLACE, lambda: take(data.root, FolderBackend(tmp_path / "photos")))
    raises(BACKUP_PLACE, lambda: take(data.root, FolderBackend(tmp_path / "not mounted" / "backups")))
    assert not (tmp_path / "not mounted").exists()
    raises(BACKUP_NOT_FOUND, lambda: open_repository(FolderBackend(tmp_path / "nowhere"), ""))


def test_damage_is_found_and_named_with_its_jobs(data: DataFolder, tmp_path: Path, password: str) -> None:
    place = FolderBackend(tmp_path / "place")
    repository, snapshot = take(data.root, place, password)
    file = next(file for file in repository.files(snapshot) if file.path == "blobs/uploads/b")
    path = tmp_path / "place" / repository.object_name(file.sha256, packed=False)
    raw = bytearray(path.read_bytes())
    raw[5000] ^= 1
    path.write_bytes(raw)
    clip = next(file for file in repository.files(snapshot) if file.path.endswith(".wav"))
    place.delete(repository.object_name(clip.sha256, packed=False))
    [checked] = verify(repository, [snapshot.id], tmp_path)
    assert {(damage.path, damage.jobs) for damage in checked.damage} >= {("blobs/uploads/b", ("b",))}
    assert clip.path in {damage.path for damage in checked.damage}
    error = raises(BACKUP_DAMAGED, lambda: restore(repository, snapshot, tmp_path / "new", replace=False))
    assert "blobs/" in error.message and not swap.used(tmp_path / "new")
    done = restore(repository, snapshot, tmp_path / "new", replace=False, skip_damaged=True)
    assert set(done.left_out) == {"blobs/uploads/b", clip.path}
    assert blobs_of(tmp_path / "new").items() <= blobs_of(data.root).items()


def test_a_damaged_or_foreign_manifest_is_told(data: DataFolder, tmp_path: Path, password: str) -> None:
    place = FolderBackend(tmp_path / "place")
    repository, first = take(data.root, place, password)
    _, second = take(data.root, place, password)
    snapshots = tmp_path / "place" / "snapshots"
    (snapshots / f"{first.id}.json").write_bytes((snapshots / f"{second.id}.json").read_bytes())
    raises(BACKUP_DAMAGED, lambda: repository.snapshot(first.id))
    (snapshots / f"{first.id}.json").write_bytes(b"{")
    raises(BACKUP_DAMAGED, lambda: repository.snapshot(first.id))
    assert [checked.whole for checked in verify(repository, repository.ids(), tmp_path)] == [False, True]
    raises(BACKUP_NOT_FOUND, lambda: repository.snapshot("../repository"))


def test_a_backup_after_a_damaged_one_is_whole(data: DataFolder, tmp_path: Path) -> None:
    place = FolderBackend(tmp_path / "place")
    repository, first = take(data.root, place)
    place.delete(repository.object_name(first.listing.sha256, packed=True))
    _, second = take(data.root, place)
    assert second.new_files == 3, "the databases and the list; the others are known by their names"
    assert [checked.whole for checked in verify(repository, repository.ids(), tmp_path)] == [False, True]


@pytest.mark.parametrize(
    "path", ["../evil", "/etc/passwd", "blobs/../../evil", "blobs/.hidden", "models/x.pt", "blobs", "blobs/a/b/c/d/e/f"]
)
def test_a_manifest_cannot_name_a_path_outside_of_a_data_folder(path: str) -> None:
    from app.backup.manifest import File, lines, parse

    with pytest.raises(ValueError):
        list(parse(lines([File(path, 1, "0" * 64, 1, 0, 0o600, False)])))
