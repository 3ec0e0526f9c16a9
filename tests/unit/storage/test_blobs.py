"""Blobs are whole or absent, and named by ids."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from app.domain.errors import DISK_FULL, DubError
from app.storage.blobs import BlobStore, sha256_of
from app.storage.workspace import Workspace


def test_what_is_put_can_be_read_and_deleted(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path)
    blobs.put("clips/abc.wav", b"sound")
    assert blobs.exists("clips/abc.wav")
    assert blobs.read("clips/abc.wav") == b"sound"
    assert blobs.size_bytes("clips/abc.wav") == 5
    blobs.delete("clips/abc.wav")
    blobs.delete("clips/abc.wav")
    assert not blobs.exists("clips/abc.wav")


@pytest.mark.parametrize(
    "key", ["../x", "clips/../../x", "/etc/passwd", "clips/a/../b", "clips/a b", "clips/.x", "clips/", "clips", "clips/a\0.wav", "clips/é"]
)
def test_a_name_that_is_not_made_of_ids_is_refused(tmp_path: Path, key: str) -> None:
    with pytest.raises(ValueError, match="not a blob key"):
        BlobStore(tmp_path).path(key)


def test_an_adopted_file_moves(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path / "blobs")
    source = tmp_path / "made.mp4"
    source.write_bytes(b"x" * 1000)
    path = blobs.adopt(source, "artifacts/aa.mp4")
    assert path.read_bytes() == b"x" * 1000
    assert not source.exists()


def test_an_adopted_file_moves_across_file_systems(tmp_path: Path) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        other = Path("/tmp")
    source = other / f"autodubber-test-{os.getpid()}"
    source.write_bytes(b"far")
    blobs = BlobStore(tmp_path)
    assert blobs.adopt(source, "artifacts/aa.mp4").read_bytes() == b"far"
    assert not source.exists()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["aa.mp4"]


def test_a_full_disk_is_told_and_leaves_nothing(tmp_path: Path) -> None:
    full = Path("/dev/full")
    blobs = BlobStore(tmp_path)
    target = blobs.path("clips/abc.wav")
    target.parent.mkdir(parents=True)
    import app.storage.blobs as module

    names = iter(["deadbeef"])
    (target.parent / ".deadbeef.part").symlink_to(full)  # writing there gives ENOSPC, as a full disk does
    original = module.secrets.token_hex
    module.secrets.token_hex = lambda _n=None: next(names)  # type: ignore[assignment]
    try:
        with pytest.raises(DubError) as caught:
            blobs.put("clips/abc.wav", b"x" * 100_000)
    finally:
        module.secrets.token_hex = original
    assert caught.value.problem is DISK_FULL
    assert list(target.parent.iterdir()) == []


def test_the_litter_of_a_killed_writer_is_swept(tmp_path: Path) -> None:
    blobs = BlobStore(tmp_path)
    blobs.put("clips/abc.wav", b"sound")
    (tmp_path / "clips" / ".0011.part").write_bytes(b"half")
    assert blobs.sweep() == 1
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
