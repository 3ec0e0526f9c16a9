"""The store of uploads: what a crash at any moment leaves is told truthfully, and nothing lies about for ever."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from sqlalchemy import Engine, insert, select, update
from sqlalchemy.exc import OperationalError

from app.domain.errors import DubError
from app.domain.upload import Upload
from app.storage import concatenation
from app.storage import tables as t
from app.storage.blobs import FolderBlobs, bytes_of
from app.storage.database import migrate, open_database
from app.storage.disk_floor import Floor
from app.storage.uploads import UploadStore


class Stores:
    def __init__(self, folder: Path) -> None:
        self.database: Engine = open_database(f"sqlite:///{folder / 'app.sqlite3'}")
        migrate(self.database)
        self.blobs = FolderBlobs(folder / "blobs")
        self.folder = folder / "uploads"
        self.free_bytes = 1 << 40
        floor = Floor(lambda: self.free_bytes, 0)
        self.uploads = UploadStore(self.database, self.blobs, self.folder, expiry_s=1000, floor=floor)

    def make(self, length: int) -> str:
        return self.uploads.create(filename="a.mp4", media_type="video/mp4", length_bytes=length, metadata={}).id

    def write(self, upload_id: str, content: bytes) -> None:
        writer = self.uploads.writer(self.uploads.get(upload_id))
        writer.write(content)
        writer.settle(whole=True)

    def age(self, upload_id: str, seconds: float) -> None:
        with self.database.begin() as c:
            c.execute(update(t.uploads).where(t.uploads.c.id == upload_id).values(expires_at=time.time() - seconds))

    def sweep_hard(self) -> None:
        """A sweep for which every file is old."""
        for path in self.folder.iterdir():
            os.utime(path, (0, 0))
        self.uploads.sweep()

    def refer(self, key: str) -> None:
        """A job that needs the blob."""
        row = {
            "id": "j",
            "title": "",
            "state": "review",
            "phase": "prepare",
            "stage_progress": 0,
            "progress": 0,
            "options": {},
            "source_key": key,
        }
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
    assert bytes_of(stores.blobs, f"uploads/{upload_id}") == b"abcdefghij"


def test_an_upload_that_died_between_its_last_byte_and_its_blob_is_finished(stores: Stores) -> None:
    before, after = stores.make(3), stores.make(3)
    for upload_id in (before, after):
        (stores.folder / upload_id).write_bytes(b"abc")
        stores.uploads.advance(upload_id, 3)
    stores.blobs.adopt(stores.folder / after, f"uploads/{after}")  # died between the move and the record of it
    for upload_id in (before, after):
        upload = stores.uploads.get(upload_id)
        assert upload.complete and upload.key == f"uploads/{upload_id}"
        assert bytes_of(stores.blobs, upload.key) == b"abc"


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


class Killed(BaseException):
    """The server dies at this step."""


def kill_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """Let `step` more changes happen to the disk and the database; then every one of them fails as if the process had
    ended."""
    left = [step]

    def counted(module: object, name: str) -> None:
        real = getattr(module, name)

        def change(*arguments: object, **named: object) -> object:
            if left[0] == 0:
                raise Killed
            left[0] -= 1
            return real(*arguments, **named)

        monkeypatch.setattr(module, name, change)

    for module, name in (
        (Path, "rename"),
        (Path, "replace"),
        (Path, "unlink"),
        (os, "ftruncate"),
        (os, "fsync"),
        (UploadStore, "_update"),
    ):
        counted(module, name)
    counted(concatenation, "_copy")
    counted(concatenation, "claim")


def final(stores: Stores, parts: list[str]) -> Upload:
    concat = f"final;{' '.join(parts)}"
    return stores.uploads.create_final(
        filename="a", media_type="", metadata={}, concat=concat, part_ids=parts, max_bytes=100_000
    )


def test_a_kill_between_any_two_steps_of_a_join_loses_nothing(stores: Stores, monkeypatch: pytest.MonkeyPatch) -> None:
    contents = [b"", os.urandom(30_000), os.urandom(1), b"", os.urandom(50_000)]
    monkeypatch.setattr(concatenation, "_BLOCK_BYTES", 20_000)
    step, over = 0, False
    while not over:
        parts = []
        for content in contents:
            upload = stores.uploads.create(
                filename="", media_type="", length_bytes=len(content), metadata={}, partial=True
            )
            if content:
                stores.write(upload.id, content)
            parts.append(upload.id)

        with monkeypatch.context() as patched:
            kill_at(patched, step)
            try:
                final(stores, parts)
                over = True
            except Killed:
                pass
        stores.database.dispose()
        stores = Stores(stores.folder.parent)  # the server starts anew
        stores.sweep_hard()
        whole = final(stores, parts)  # the client asks again, as it knows no address
        assert whole.complete and bytes_of(stores.blobs, whole.key) == b"".join(contents), step
        assert stores.uploads.get(whole.id) == whole
        stores.sweep_hard()
        assert not any(stores.folder.iterdir()), step
        step += 1
    assert step > 20


def test_a_join_needs_room_for_one_part_and_goes_on_when_there_is_room_again(stores: Stores) -> None:
    parts = []
    for size in (1_000_000, 5_000, 50_000):
        upload = stores.uploads.create(filename="", media_type="", length_bytes=size, metadata={}, partial=True)
        stores.write(upload.id, bytes(size))
        parts.append(upload.id)
    stores.free_bytes = 10_000
    with pytest.raises(DubError) as refused:
        stores.uploads.create_final(
            filename="", media_type="", metadata={}, concat="final;x", part_ids=parts, max_bytes=2_000_000
        )
    assert refused.value.problem.code == "disk_full"
    stores.free_bytes = 60_000
    upload = stores.uploads.create_final(
        filename="", media_type="", metadata={}, concat="final;x", part_ids=parts, max_bytes=2_000_000
    )
    assert upload.complete and stores.blobs.size_bytes(upload.key) == 1_055_000


def test_parts_that_are_too_large_together_stay(stores: Stores) -> None:
    part = stores.uploads.create(filename="", media_type="", length_bytes=3, metadata={}, partial=True)
    stores.write(part.id, b"abc")
    with pytest.raises(DubError) as refused:
        stores.uploads.create_final(
            filename="", media_type="", metadata={}, concat="final;x", part_ids=[part.id], max_bytes=2
        )
    assert refused.value.problem.code == "upload_too_large"
    assert stores.uploads.get(part.id).offset_bytes == 3


def test_parts_of_a_join_that_was_given_up_are_gone(stores: Stores) -> None:
    parts = []
    for content in (b"abc", b"def"):
        part = stores.uploads.create(filename="", media_type="", length_bytes=3, metadata={}, partial=True)
        stores.write(part.id, content)
        parts.append(part.id)
    stores.free_bytes = 0
    with pytest.raises(DubError):
        stores.uploads.create_final(
            filename="", media_type="", metadata={}, concat="final;x", part_ids=parts, max_bytes=9
        )
    with stores.database.begin() as c:
        upload_id = c.execute(select(t.uploads.c.id)).scalar_one()
    assert sorted(path.name for path in stores.folder.iterdir()) == sorted([upload_id, parts[1]])
    stores.uploads.delete(upload_id)
    assert not any(stores.folder.iterdir())


def test_bytes_that_the_database_could_not_be_told_of_are_told_all_the_same(
    stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload_id = stores.make(6)
    writer = stores.uploads.writer(stores.uploads.get(upload_id))
    writer.write(b"abc")
    with monkeypatch.context() as patched:
        patched.setattr(
            UploadStore,
            "_update",
            lambda *_: (_ for _ in ()).throw(OperationalError("", {}, Exception("disk I/O error"))),
        )
        with pytest.raises(OperationalError):
            writer.settle(whole=True)
        assert stores.uploads.get(upload_id).offset_bytes == 3
    assert stores.uploads.get(upload_id).offset_bytes == 3
    stores.write(upload_id, b"def")
    assert bytes_of(stores.blobs, f"uploads/{upload_id}") == b"abcdef"
