"""Blobs are whole or absent, and named by ids."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path

import pytest

from app.domain.errors import DubError
from app.domain.problems.uploads import DISK_FULL
from app.storage.blobs import BlobStore, FolderBlobs, bytes_of, sha256_of, sha256_of_blob
from app.storage.workspace import Workspace
from tests.doubles.blobs import MemoryBlobs
from tests.doubles.full_disk import full_disk

KEY = "clips/abc.wav"


@pytest.fixture(params=["folder", "memory"])
def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> BlobStore:
    """Every store keeps the whole contract."""
    return FolderBlobs(tmp_path / "blobs") if request.param == "folder" else MemoryBlobs()


@pytest.mark.parametrize("synced", [True, False])
def test_what_is_put_can_be_read_and_deleted(blobs: BlobStore, synced: bool) -> None:
    blobs.put(KEY, b"sound", synced=synced)
    assert blobs.exists(KEY)
    assert bytes_of(blobs, KEY) == b"sound"
    assert blobs.size_bytes(KEY) == 5
    assert sha256_of_blob(blobs, KEY) == hashlib.sha256(b"sound").hexdigest()
    blobs.put(KEY, b"another", synced=synced)
    assert bytes_of(blobs, KEY) == b"another"
    blobs.delete(KEY)
    blobs.delete(KEY)
    assert not blobs.exists(KEY)


@pytest.mark.parametrize(
    "key",
    [
        "../x",
        "clips/../../x",
        "/etc/passwd",
        "clips/a/../b",
        "clips/a b",
        "clips/.x",
        "clips/",
        "clips",
        "clips/a\0.wav",
        "clips/é",
    ],
)
def test_a_name_that_is_not_made_of_ids_is_refused(blobs: BlobStore, key: str, tmp_path: Path) -> None:
    made = tmp_path / "made"
    made.write_bytes(b"x")

    def copied() -> None:
        with blobs.local_copy(key):
            pass

    asked = (
        lambda: blobs.exists(key),
        lambda: blobs.size_bytes(key),
        lambda: blobs.open(key),
        copied,
        lambda: blobs.put(key, b"x"),
        lambda: blobs.adopt(made, key),
        lambda: blobs.delete(key),
    )
    for ask in asked:
        with pytest.raises(ValueError, match="not a blob key"):
            ask()
    assert made.exists()


def test_an_absent_blob_is_said_to_be_absent(blobs: BlobStore) -> None:
    assert not blobs.exists(KEY)
    for ask in (blobs.size_bytes, blobs.open, lambda key: blobs.local_copy(key).__enter__()):
        with pytest.raises(FileNotFoundError):
            ask(KEY)


def test_an_adopted_file_moves(blobs: BlobStore, tmp_path: Path) -> None:
    source = tmp_path / "made.mp4"
    source.write_bytes(b"x" * 1000)
    blobs.adopt(source, "artifacts/aa.mp4")
    assert bytes_of(blobs, "artifacts/aa.mp4") == b"x" * 1000
    assert not source.exists()


def test_what_is_open_stays_readable_when_it_is_deleted(blobs: BlobStore) -> None:
    blobs.put(KEY, b"0123456789")
    with blobs.open(KEY) as file:
        assert file.read(3) == b"012"
        blobs.delete(KEY)
        assert file.read() == b"3456789"
        file.seek(1)
        assert file.read(2) == b"12"
    with pytest.raises(FileNotFoundError):
        blobs.open(KEY)


def test_a_local_copy_is_a_file_whose_name_ends_as_the_key_does(blobs: BlobStore) -> None:
    blobs.put("artifacts/aa.mp4", b"film")
    with blobs.local_copy("artifacts/aa.mp4") as path:
        assert path.suffix == ".mp4" and path.read_bytes() == b"film"
    assert bytes_of(blobs, "artifacts/aa.mp4") == b"film"


def test_all_blobs_are_listed_with_their_size_and_age(blobs: BlobStore) -> None:
    before = time.time() - 2
    blobs.put(KEY, b"sound")
    blobs.put("ingest/a/peaks.dat", b"")
    found = {entry.key: entry for entry in blobs.entries()}
    assert {key: entry.size_bytes for key, entry in found.items()} == {KEY: 5, "ingest/a/peaks.dat": 0}
    assert all(before < entry.written_at < time.time() + 2 for entry in found.values())
    assert blobs.free_bytes() > 0 and blobs.sweep() == (0, 0)


def test_a_folder_copies_nothing(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path)
    blobs.put(KEY, b"sound")
    with blobs.local_copy(KEY) as path:
        assert path == tmp_path / KEY
    made = tmp_path / "made.mp4"
    made.write_bytes(b"film")
    number = made.stat().st_ino
    blobs.adopt(made, "artifacts/aa.mp4")
    assert (tmp_path / "artifacts" / "aa.mp4").stat().st_ino == number


def test_an_adopted_file_moves_across_file_systems(tmp_path: Path) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        other = Path("/tmp")
    source = other / f"autodubber-test-{os.getpid()}"
    source.write_bytes(b"far")
    blobs = FolderBlobs(tmp_path)
    blobs.adopt(source, "artifacts/aa.mp4")
    assert bytes_of(blobs, "artifacts/aa.mp4") == b"far"
    assert not source.exists()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["aa.mp4"]


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path)
    with full_disk(), pytest.raises(DubError) as caught:
        blobs.put("clips/abc.wav", b"x" * 100_000)
    assert caught.value.problem is DISK_FULL
    assert list((tmp_path / "clips").iterdir()) == []


def test_the_litter_of_a_killed_writer_is_swept(tmp_path: Path) -> None:
    blobs = FolderBlobs(tmp_path)
    blobs.put("clips/abc.wav", b"sound")
    (tmp_path / "clips" / ".0011.part").write_bytes(b"half")
    assert blobs.sweep(older_than_s=60) == (0, 0), "it may be at work"
    assert blobs.sweep(only_look=True) == (1, 4)
    assert blobs.sweep() == (1, 4)
    assert blobs.sweep() == (0, 0)
    assert blobs.exists("clips/abc.wav")


def test_the_hash_is_of_the_bytes(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(b"abc" * 100_000)
    assert sha256_of(path) == hashlib.sha256(b"abc" * 100_000).hexdigest()


def test_scratch_is_gone_after_the_block_and_after_a_sweep(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path)
    with workspace.folder("mix") as folder:
        (folder / "x").write_bytes(b"1")
    assert not folder.exists()
    (tmp_path / "left-behind").mkdir()
    (tmp_path / "left-behind" / "y").write_bytes(b"2")
    assert workspace.sweep() == 1
    assert list(tmp_path.iterdir()) == []
