"""The store of uploads: what a crash at any moment leaves is told truthfully, and nothing lies about for ever."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, update

from app.domain.errors import DubError
from app.storage import tables as t
from app.storage.blobs import BlobStore
from app.storage.database import migrate, open_database
from app.storage.uploads import UploadStore


class Stores:
    def __init__(self, folder: Path) -> None:
        self.database: Engine = open_database(f"sqlite:///{folder / 'app.sqlite3'}")
        migrate(self.database)
        self.blobs = BlobStore(folder / "blobs")
        self.folder = folder / "uploads"
        self.uploads = UploadStore(self.database, self.blobs, self.folder, expiry_s=1000)

    def make(self, length: int) -> str:
        return self.uploads.create(filename="a.mp4", media_type="video/mp4", length_bytes=length, metadata={}).id

    def write(self, upload_id: str, content: bytes) -> None:
        writer = self.uploads.writer(self.uploads.get(upload_id))
        writer.write(content)
        writer.settle(whole=True)

    def age(self, upload_id: str, seconds: float) -> None:
        with self.database.begin() as c:
            c.execute(update(t.uploads).where(t.uploads.c.id == upload_id).values(expires_at=time.time() - seconds))

    def refer(self, key: str) -> None:
        """A job that needs the blob."""
        row = {"id": "j", "title": "", "state": "review", "phase": "prepare", "stage_progress": 0, "progress": 0, "options": {}, "source_key": key}
        with self.database.begin() as c:
            c.execute(insert(t.jobs).values(size_bytes=1, revision=1, created_at=0, updated_at=0, **row))
            c.execute(insert(t.blob_references).values(job_id="j", key=key))


@pytest.fixture
def stores(tmp_path: Path) -> Stores:
    return Stores(tmp_path)


def gone(stores: Stores, upload_id: str) -> bool:
    try:
        stores.uploads.get(upload_id)
    except DubError as error:
        assert error.problem.code == "upload_not_found"
        return True
    return False


def test_bytes_that_were_never_counted_are_cut_off(stores: Stores) -> None:
    upload_id = stores.make(10)
    stores.write(upload_id, b"abc")
    with (stores.folder / upload_id).open("ab") as file:
        file.write(b"written, but the server died before the offset was stored")
    assert stores.uploads.get(upload_id).offset_bytes == 3
    stores.write(upload_id, b"defghij")
    assert stores.blobs.read(f"uploads/{upload_id}") == b"abcdefghij"


def test_an_upload_that_died_between_its_last_byte_and_its_blob_is_finished(stores: Stores) -> None:
    before, after = stores.make(3), stores.make(3)
    for upload_id in (before, after):
        (stores.folder / upload_id).write_bytes(b"abc")
        stores.uploads.advance(upload_id, 3)
    stores.blobs.adopt(stores.folder / after, f"uploads/{after}")  # died between the move and the record of it
    for upload_id in (before, after):
        upload = stores.uploads.get(upload_id)
        assert upload.complete and upload.key == f"uploads/{upload_id}"
        assert stores.blobs.read(upload.key) == b"abc"


def test_bytes_that_vanished_are_not_promised(stores: Stores) -> None:
    upload_id = stores.make(10)
    stores.write(upload_id, b"abc")
    (stores.folder / upload_id).unlink()
    with pytest.raises(DubError) as refused:
        stores.uploads.writer(stores.uploads.get(upload_id))
    assert refused.value.problem.code == "upload_not_found"


def test_a_longer_life_with_every_byte_and_none_after_the_end(stores: Stores) -> None:
    upload_id = stores.make(10)
    stores.age(upload_id, -5)
    stores.write(upload_id, b"abc")
    assert stores.uploads.get(upload_id).expires_at > time.time() + 900
    stores.age(upload_id, 1)
    assert gone(stores, upload_id)


def test_the_sweep_takes_what_expired_and_leaves_what_a_job_needs(stores: Stores) -> None:
    fresh, old, finished, needed = (stores.make(3) for _ in range(4))
    stores.write(old, b"ab")
    stores.write(finished, b"abc")
    stores.write(needed, b"abc")
    stores.refer(f"uploads/{needed}")
    for upload_id in (old, finished, needed):
        stores.age(upload_id, 3600)
    stray = stores.folder / "0123456789abcdef"
    stray.write_bytes(b"x")
    os.utime(stray, (0, 0))
    assert stores.uploads.sweep() == 3
    assert not gone(stores, fresh) and all(gone(stores, upload_id) for upload_id in (old, finished, needed))
    assert not stray.exists() and not (stores.folder / old).exists()
    assert not stores.blobs.exists(f"uploads/{finished}")
    assert stores.blobs.exists(f"uploads/{needed}")
    assert stores.uploads.sweep() == 0


def test_the_sweep_leaves_an_upload_its_last_minute(stores: Stores) -> None:
    upload_id = stores.make(3)
    stores.write(upload_id, b"abc")
    stores.age(upload_id, 10)
    assert stores.uploads.sweep() == 0
    assert stores.blobs.exists(f"uploads/{upload_id}")


def test_a_full_disk_keeps_what_was_written_before(stores: Stores) -> None:
    import resource
    import signal

    upload_id = stores.make(3_000_000)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    writer = stores.uploads.writer(stores.uploads.get(upload_id))
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_500_000, before[1]))
        writer.write(bytes(2_000_000))
        with pytest.raises(DubError) as refused:
            writer.write(bytes(1_000_000))
        upload = writer.settle(whole=False)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert refused.value.problem.code == "disk_full"
    assert upload.offset_bytes >= 2_000_000
    stores.write(upload_id, bytes(3_000_000 - upload.offset_bytes))
    assert stores.uploads.get(upload_id).complete
