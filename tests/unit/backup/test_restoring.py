"""A restore into a used folder, as root, into little room, and one that was killed."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from app.backup import restoring, swap
from app.backup.backend import FolderBackend
from app.backup.restoring import restore
from app.domain.errors import DubError
from app.domain.problems.backups import BACKUP_NEWER, DATA_USED
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


def test_a_newer_backup_is_refused(data: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository, snapshot = take(data.root, FolderBackend(tmp_path / "place"))
    monkeypatch.setattr(restoring, "HEAD", "0001")
    error = raises(BACKUP_NEWER, lambda: restore(repository, snapshot, tmp_path / "new", replace=False))
    assert "1.2.3" in error.message
    raw = (tmp_path / "place" / "snapshots" / f"{snapshot.id}.json").read_text()
    (tmp_path / "place" / "snapshots" / f"{snapshot.id}.json").write_text(raw.replace('"format": 1', '"format": 2', 1))
    raises(BACKUP_NEWER, lambda: repository.snapshot(snapshot.id))


def test_a_used_folder_is_put_aside_whole(data: DataFolder, tmp_path: Path) -> None:
    repository, snapshot = take(data.root, FolderBackend(tmp_path / "place"))
    used = DataFolder(tmp_path / "used", seed=2)
    used.job("z")
    used.close()
    (used.root / "models").mkdir()
    before, before_rows = blobs_of(used.root), rows_of(used.root / "app.sqlite3")
    raises(DATA_USED, lambda: restore(repository, snapshot, used.root, replace=False))
    assert blobs_of(used.root) == before
    done = restore(repository, snapshot, used.root, replace=True)
    assert done.aside is not None
    assert blobs_of(Path(done.aside)) == before and rows_of(Path(done.aside) / "app.sqlite3") == before_rows
    assert blobs_of(used.root) == blobs_of(data.root)
    assert (used.root / "models").is_dir(), "what no backup has stays where it is"
    assert not list(used.root.glob(f"{swap.STAGE}*"))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of others")
def test_what_root_writes_belongs_to_who_owns_the_folder(data: DataFolder, tmp_path: Path) -> None:
    for folder in (tmp_path / "place", tmp_path / "new"):
        folder.mkdir()
        os.chown(folder, 1000, 1000)
    repository, snapshot = take(data.root, FolderBackend(tmp_path / "place"))
    restore(repository, snapshot, tmp_path / "new", replace=False)
    made = [path for folder in ("place", "new") for path in (tmp_path / folder).rglob("*")]
    assert len(made) > 30
    assert [path for path in made if (path.stat().st_uid, path.stat().st_gid) != (1000, 1000)] == []


def test_a_restore_needs_room_for_both(data: DataFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    repository, snapshot = take(data.root, FolderBackend(tmp_path / "place"))
    monkeypatch.setattr(restoring.shutil, "disk_usage", lambda path: type("Usage", (), {"free": 1 << 20})())
    with pytest.raises(DubError, match="disk_full"):
        restore(repository, snapshot, tmp_path / "new", replace=False)


def test_a_restore_that_was_killed_goes_on(data: DataFolder, tmp_path: Path) -> None:
    place = FolderBackend(tmp_path / "place")
    repository, snapshot = take(data.root, place)
    place.at_once = 1
    new = tmp_path / "new"

    def die(files: int, size_bytes: int) -> None:
        if files == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        restore(repository, snapshot, new, replace=False, report=die)
    assert not swap.used(new)
    staged = {path: path.stat().st_ino for path in swap.staging(new, snapshot.id).rglob("*") if path.is_file()}
    assert len(staged) >= 5
    restore(repository, snapshot, new, replace=False)
    inodes = {path.stat().st_ino for path in new.rglob("*") if path.is_file()}
    assert set(staged.values()) <= inodes, "what was restored is not restored again"
    assert blobs_of(new) == blobs_of(data.root)


@pytest.mark.parametrize("renames", range(8))
def test_a_restore_killed_between_two_renames_is_finished_by_the_next_start(
    data: DataFolder, tmp_path: Path, renames: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository, snapshot = take(data.root, FolderBackend(tmp_path / "place"))
    used = DataFolder(tmp_path / "used", seed=2)
    used.job("z")
    used.close()
    before = blobs_of(used.root)
    left, rename = renames, Path.rename

    def stop_after(self: Path, target: Path) -> Path:
        nonlocal left
        if left == 0:
            raise KeyboardInterrupt
        left -= 1
        return rename(self, target)

    with monkeypatch.context() as patched, pytest.raises(KeyboardInterrupt):
        patched.setattr(Path, "rename", stop_after)
        restore(repository, snapshot, used.root, replace=True)
        raise KeyboardInterrupt  # fewer renames than that: the restore was done
    aside = swap.finish(used.root)
    assert swap.finish(used.root) is None
    [folder] = used.root.glob("replaced-*")
    assert aside in (folder, None)
    assert blobs_of(folder) == before
    assert blobs_of(used.root) == blobs_of(data.root)
    assert rows_of(used.root / "app.sqlite3") == rows_of(data.root / "app.sqlite3")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of others")
def test_folders_that_root_makes_in_many_threads_belong_to_who_owns_the_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread that came between the making of a folder and its owner made one of root's in it."""
    os.chown(tmp_path, 1000, 1000)
    chown = os.chown

    def slow(*given: object) -> None:
        time.sleep(0.01)
        chown(*given)

    monkeypatch.setattr(os, "chown", slow)
    place = FolderBackend(tmp_path / "place")
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: place.put(f"data/{n % 4:02}/{n}", [b"x"], 1), range(16)))
    assert [path for path in (tmp_path / "place").rglob("*") if path.stat().st_uid != 1000] == []
