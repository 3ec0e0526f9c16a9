"""Uploads and the disk: room is reserved before the first byte, given back at every end, and known again after a
restart."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from sqlalchemy import update

from app.domain.errors import DubError
from app.domain.upload import Checksum, Upload
from app.storage import tables as t
from app.storage.blobs import FolderBlobs
from app.storage.database import migrate, open_database
from app.storage.disk_floor import PIECE_BYTES, Floor
from app.storage.uploads import UploadStore
from tests.unit.api.serving import Server

TUS = {"Tus-Resumable": "1.0.0"}
CAPACITY, FLOOR = 3 << 20, 1 << 20
BLOCK = bytes(64 << 10)


class Shelf:
    """A store on a disk of 3 MB, of which 1 MB must stay free. The files are real, the disk's size is ours."""

    def __init__(self, folder: Path, **more: int) -> None:
        self.folder, self.lowest, self._more = folder, CAPACITY, more
        self.database = open_database(f"sqlite:///{folder / 'app.sqlite3'}")
        migrate(self.database)
        self.open()

    def open(self) -> None:
        """As a server that starts."""
        self.floor = Floor(self.free_bytes, FLOOR)
        blobs = FolderBlobs(self.folder / "blobs")
        self.uploads = UploadStore(
            self.database, blobs, self.folder / "uploads", expiry_s=1000, floor=self.floor, **self._more
        )
        self.uploads.resume()

    def free_bytes(self) -> int:
        sizes = {}
        for name in ("uploads", "blobs"):  # a file is moved from one to the other: seen twice, it is one
            for path in (self.folder / name).rglob("*"):
                with contextlib.suppress(FileNotFoundError):
                    status = path.stat()
                    sizes[status.st_ino] = status.st_size if stat.S_ISREG(status.st_mode) else 0
        free = CAPACITY - sum(sizes.values())
        self.lowest = min(self.lowest, free)
        return free

    def make(self, length: int) -> Upload:
        return self.uploads.create(filename="a", media_type="", length_bytes=length, metadata={})

    def write(self, upload: Upload, size: int) -> Upload:
        writer = self.uploads.writer(upload)
        try:
            while size:
                writer.write(BLOCK[: min(size, len(BLOCK))])
                size -= min(size, len(BLOCK))
        finally:
            upload = writer.settle(whole=not size)
        return upload


@pytest.fixture
def shelf(tmp_path: Path) -> Shelf:
    return Shelf(tmp_path)


def code(call: object) -> str:
    with pytest.raises(DubError) as error:
        call()  # type: ignore[operator]
    return error.value.problem.code


def test_of_sixty_uploads_at_once_those_that_fit_succeed_and_the_floor_holds(shelf: Shelf) -> None:
    size = 140 << 10
    together = threading.Barrier(60)

    def one(_: int) -> bool:
        together.wait(10)
        try:
            upload = shelf.make(size)
        except DubError as error:
            assert error.problem.code == "disk_full"
            return False
        return shelf.write(upload, size).complete

    with ThreadPoolExecutor(60) as pool:
        fitted = sum(pool.map(one, range(60)))
    assert fitted == (CAPACITY - FLOOR) // size
    assert shelf.free_bytes() == shelf.lowest == CAPACITY - fitted * size
    assert shelf.floor.reserved_bytes() == 0


def test_an_upload_that_fits_is_taken_while_anothers_bytes_are_written_and_not_counted_yet(
    shelf: Shelf, monkeypatch: pytest.MonkeyPatch
) -> None:
    pwrite, written, go_on, asked = os.pwrite, threading.Event(), threading.Event(), threading.Semaphore(0)

    def held(file: int, data: bytes, at: int) -> int:
        count = pwrite(file, data, at)
        written.set()
        assert go_on.wait(10)
        return count

    def free_bytes() -> int:
        free = shelf.free_bytes()
        asked.release()
        return free

    first = shelf.make(len(BLOCK))
    monkeypatch.setattr(os, "pwrite", held)
    with ThreadPoolExecutor(2) as pool:
        writing = pool.submit(shelf.write, first, len(BLOCK))
        assert written.wait(10)
        shelf.floor.free_bytes = free_bytes
        making = pool.submit(shelf.make, CAPACITY - FLOOR - len(BLOCK))
        making.add_done_callback(lambda _: asked.release())
        assert asked.acquire(timeout=10)
        try:
            assert not making.done()
            with contextlib.suppress(TimeoutError):
                making.exception(0.05)  # a refusal would come at once
            assert not making.done()
        finally:
            go_on.set()
        assert making.result(10).length_bytes == CAPACITY - FLOOR - len(BLOCK)
        assert writing.result(10).complete
    assert shelf.lowest > FLOOR


def test_every_end_of_an_upload_gives_its_room_back(shelf: Shelf) -> None:
    most = CAPACITY - FLOOR
    upload = shelf.make(most)
    assert code(lambda: shelf.make(1)) == "disk_full"
    shelf.write(upload, 1 << 20)
    assert shelf.floor.reserved_bytes() == most - (1 << 20)
    shelf.uploads.delete(upload.id)
    shelf.make(most)
    with shelf.database.begin() as c:
        c.execute(update(t.uploads).values(expires_at=time.time() - 100))
    assert code(lambda: shelf.make(1)) == "disk_full"
    assert shelf.uploads.sweep() == 1
    shelf.make(most)


def test_a_restart_knows_what_unfinished_uploads_still_need(shelf: Shelf) -> None:
    most = CAPACITY - FLOOR
    upload = shelf.make(most)
    shelf.write(upload, 1 << 20)
    with (shelf.folder / "uploads" / upload.id).open("ab") as file:
        file.write(b"not counted before the crash")
    shelf.open()
    assert code(lambda: shelf.make(1)) == "disk_full"
    assert shelf.write(shelf.uploads.get(upload.id), most - (1 << 20)).complete
    assert (shelf.floor.reserved_bytes(), shelf.free_bytes()) == (0, FLOOR)


def test_an_upload_that_nobody_can_go_on_with_is_gone_after_a_restart(shelf: Shelf) -> None:
    room = shelf.uploads.reserve(1 << 20)
    upload = shelf.uploads.create(filename="a", media_type="", length_bytes=1 << 40, metadata={}, room=room)
    shelf.write(upload, 100)
    shelf.open()
    assert code(lambda: shelf.uploads.get(upload.id)) == "upload_not_found"
    shelf.make(CAPACITY - FLOOR)


def test_a_chunk_that_is_dropped_is_still_to_come(shelf: Shelf) -> None:
    most = CAPACITY - FLOOR
    upload = shelf.make(most)
    writer = shelf.uploads.writer(upload, Checksum("sha1", b"wrong"))
    writer.write(BLOCK)
    assert code(lambda: writer.settle(whole=True)) == "upload_checksum_mismatch"
    assert shelf.floor.reserved_bytes() == most
    assert code(lambda: shelf.make(1)) == "disk_full"


def test_a_silent_upload_gives_way_and_goes_on_when_there_is_room(shelf: Shelf) -> None:
    most = CAPACITY - FLOOR
    upload = shelf.make(most)
    upload = shelf.write(upload, 1 << 20)
    with shelf.database.begin() as c:
        c.execute(update(t.uploads).values(updated_at=time.time() - 1000))
    shelf.open()
    other = shelf.make(1 << 20)
    assert code(lambda: shelf.write(upload, 1)) == "disk_full"
    assert shelf.uploads.get(upload.id).offset_bytes == 1 << 20
    shelf.uploads.delete(other.id)
    assert shelf.write(shelf.uploads.get(upload.id), most - (1 << 20)).complete


def test_one_request_with_several_files_shares_its_room(shelf: Shelf) -> None:
    with shelf.uploads.reserve(CAPACITY - FLOOR) as room:
        for _ in range(2):
            upload = shelf.uploads.create(filename="a", media_type="", length_bytes=1 << 40, metadata={}, room=room)
            writer = shelf.uploads.writer(upload)
            for _ in range(16):
                writer.write(BLOCK)
            writer.settle(whole=True)
            shelf.uploads.finish(upload.id, 16 * len(BLOCK))
            assert code(lambda: shelf.make(1)) == "disk_full"
    assert shelf.free_bytes() == FLOOR


def test_a_request_of_unknown_length_reserves_as_it_comes(shelf: Shelf) -> None:
    with shelf.uploads.reserve(0) as room:
        upload = shelf.uploads.create(filename="a", media_type="", length_bytes=1 << 40, metadata={}, room=room)
        writer = shelf.uploads.writer(upload)
        writer.write(BLOCK)
        assert 0 < shelf.floor.reserved_bytes() <= PIECE_BYTES
        with pytest.raises(DubError, match="disk_full"):
            for _ in range(40):
                writer.write(BLOCK)
        assert writer.settle(whole=False).offset_bytes == CAPACITY - FLOOR
    assert shelf.free_bytes() == FLOOR


def test_one_upload_too_many_is_refused_until_another_has_ended(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, most_open=3)
    uploads = [shelf.make(10) for _ in range(3)]
    with pytest.raises(DubError) as refused:
        shelf.make(10)
    assert refused.value.problem.code == "too_many_uploads"
    assert (refused.value.problem.status, refused.value.headers["Retry-After"]) == (429, "30")
    shelf.open()
    assert code(lambda: shelf.make(10)) == "too_many_uploads"
    assert shelf.write(shelf.uploads.get(uploads[0].id), 10).complete
    shelf.make(10)
    shelf.uploads.delete(uploads[1].id)
    shelf.make(10)
    assert code(lambda: shelf.make(10)) == "too_many_uploads"


def test_announcements_beyond_the_floor_are_refused_before_and_after_a_restart(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    server = Server(
        tmp_path / "data", AUTODUBBER_MIN_FREE_BYTES=str(free // 2), AUTODUBBER_MAX_UPLOAD_BYTES=str(1 << 60)
    )
    announced = {**TUS, "Upload-Length": str(free // 7)}
    with server, httpx.Client(base_url=server.url) as client:
        answers = [client.post("/api/uploads", headers=announced) for _ in range(6)]
        assert [answer.status_code for answer in answers] == [201, 201, 201, 507, 507, 507]
        assert answers[-1].json()["code"] == "disk_full"
        assert "promised to others" in answers[-1].json()["detail"]
        server.kill()
        server.start()
        assert client.post("/api/uploads", headers=announced).status_code == 507
        assert client.delete(answers[0].headers["location"], headers=TUS).status_code == 204
        assert client.post("/api/uploads", headers=announced).status_code == 201


@pytest.mark.parametrize(
    "metadata",
    ["a " + "eHh4" * 5000, ",".join(f"k{n} eA==" for n in range(33)), "k" * 129 + " eA==", "filename " + "eHh4" * 1400],
    ids=["all", "values", "key", "value"],
)
def test_metadata_has_a_limit(metadata: str, shelf_server: Server) -> None:
    with httpx.Client(base_url=shelf_server.url) as client:
        answer = client.post("/api/uploads", headers={**TUS, "Upload-Length": "5", "Upload-Metadata": metadata})
        assert (answer.status_code, answer.json()["code"]) == (431, "metadata_too_large")


def test_long_names_are_taken(shelf_server: Server) -> None:
    with httpx.Client(base_url=shelf_server.url) as client:
        answer = client.post(
            "/api/uploads", headers={**TUS, "Upload-Length": "5", "Upload-Metadata": "filename " + "eHh4" * 1365}
        )
        assert answer.status_code == 201


@pytest.fixture(scope="module")
def shelf_server(tmp_path_factory: pytest.TempPathFactory) -> object:
    with Server(tmp_path_factory.mktemp("bounded") / "data") as server:
        yield server
