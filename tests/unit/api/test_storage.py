"""What is kept, over HTTP, and the disk's floor at every door."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from app.domain.errors import DubError
from app.retention.usage import last_backup
from app.storage.blobs import FolderBlobs
from app.storage.database import migrate, open_database
from app.storage.disk_floor import Floor
from app.storage.disk_usage import DiskUsage, FolderUsage
from app.storage.uploads import UploadStore
from tests.unit.api.serving import Server
from tests.unit.retention.shelf import Shelf

TUS = {"Tus-Resumable": "1.0.0"}


class Full:
    """A server whose disk's floor is met, with one job to try everything on."""

    def __init__(self, folder: Path) -> None:
        shelf = Shelf(folder / "data")
        self.job_id = shelf.job()
        shelf.database.dispose()
        (shelf.data / "backup.json").write_text(
            json.dumps(
                {"at": time.time(), "to": "/b", "snapshot": "s", "bytes": 7, "seconds": 1.0, "ok": True, "error": None}
            )
        )
        self.server = Server(shelf.data, AUTODUBBER_MIN_FREE_BYTES=str(1 << 60))


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Full]:
    full = Full(tmp_path_factory.mktemp("full"))
    with full.server:
        yield full


def test_the_report_tells_kinds_disk_rules_and_the_last_backup(full: Full) -> None:
    told = httpx.get(f"{full.server.url}/api/storage").json()
    while not told["measured_at"]:
        told = httpx.get(f"{full.server.url}/api/storage").json()
    kinds = {kind["kind"]: (kind["count"], kind["bytes"]) for kind in told["kinds"]}
    assert kinds["sources"] == (1, 1000)
    assert kinds["clips"] == (4, 80)
    assert kinds["outputs"] == (4, 100 + 500 + 20 + 50)
    assert kinds["database"][1] > 10_000
    assert (told["jobs"], told["disk"]["full"], told["disk"]["floor_bytes"]) == (1, True, 1 << 60)
    rules = {rule["kind"]: rule for rule in told["rules"]}
    assert (rules["backups"]["keep_days"], rules["outputs"]["keep_days"]) == (30, 0)
    assert (rules["jobs"]["keep_variable"], rules["jobs"]["max_variable"]) == ("AUTODUBBER_KEEP_JOBS_DAYS", "")
    assert (told["last_backup"]["late"], told["last_backup"]["bytes"], told["backups_on"]) == (False, 7, False)


def test_a_dry_run_says_nothing_would_go_without_rules(full: Full) -> None:
    told = httpx.post(f"{full.server.url}/api/storage/clean", json={"dry_run": True}).json()
    assert (told["dry_run"], told["count"], told["deletions"]) == (True, 0, [])
    assert httpx.post(f"{full.server.url}/api/storage/clean", json={}).status_code == 400


@pytest.mark.parametrize("door", ["tus", "form", "render", "duplicate", "preview"])
def test_a_full_disk_is_said_at_every_door(door: str, full: Full) -> None:
    with httpx.Client(base_url=full.server.url) as client:
        job = f"/api/jobs/{full.job_id}"
        answers = {
            "tus": lambda: client.post("/api/uploads", headers=TUS | {"Upload-Length": "5"}),
            "form": lambda: client.post("/api/jobs", files={"file": b"video"}),
            "render": lambda: client.post(f"{job}/render"),
            "duplicate": lambda: client.post(f"{job}/duplicate", json={}),
            "preview": lambda: client.post(f"{job}/segments/{0:032x}/preview"),
        }
        answer = answers[door]()
    assert (answer.status_code, answer.json()["code"]) == (507, "disk_full")
    assert "must stay free" in answer.json()["detail"]


def test_readiness_says_that_the_disk_is_full(full: Full) -> None:
    told = httpx.get(f"{full.server.url}/health/ready")
    assert told.status_code == 503
    assert [check["name"] for check in told.json()["checks"] if not check["ok"]] == ["disk"]


def test_an_upload_stops_where_the_disk_gets_full_and_goes_on_from_there(tmp_path: Path) -> None:
    database = open_database(f"sqlite:///{tmp_path / 'app.sqlite3'}")
    migrate(database)
    free = [100 << 20]
    uploads = UploadStore(
        database,
        FolderBlobs(tmp_path / "blobs"),
        tmp_path / "uploads",
        expiry_s=60,
        floor=Floor(lambda: free[0], 50 << 20),
    )
    upload = uploads.create(filename="x", media_type="", length_bytes=40 << 20, metadata={})
    writer = uploads.writer(upload)
    block = bytes(8 << 20)
    writer.write(block)
    writer.write(block)
    free[0] = 49 << 20
    with pytest.raises(DubError, match="disk_full"):
        writer.write(block)
    assert writer.settle(whole=False).offset_bytes == 16 << 20
    free[0] = 100 << 20
    writer = uploads.writer(uploads.get(upload.id))
    for _ in range(3):
        writer.write(block)
    assert writer.settle(whole=True).complete


def test_room_is_made_before_anything_is_refused() -> None:
    free = [10]

    def make_room() -> None:
        free[0] = 100

    Floor(lambda: free[0], 50, make_room).check()
    with pytest.raises(DubError, match="disk_full"):
        Floor(lambda: free[0], 50, make_room).check(60)


def test_figures_follow_what_comes_and_goes(tmp_path: Path) -> None:
    room = DiskUsage()
    assert room.of(tmp_path / "none") == FolderUsage()
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "one").write_bytes(bytes(3))
    (tmp_path / "a" / "b" / "two").write_bytes(bytes(4))
    assert (room.of(tmp_path / "a").count, room.of(tmp_path / "a").bytes) == (2, 7)
    (tmp_path / "a" / "b" / "three").write_bytes(bytes(5))
    (tmp_path / "a" / "one").unlink()
    assert (room.of(tmp_path / "a").count, room.of(tmp_path / "a").bytes) == (2, 9)
    assert room.of(tmp_path / "a" / "b" / "two").bytes == 4


@pytest.mark.parametrize(
    ("every_h", "age_h", "ok", "late"),
    [
        (24, 1, True, False),
        (24, 35, True, False),
        (24, 37, True, True),
        (24, 1, False, True),
        (168, 48, True, False),
        (168, 251, True, False),
        (168, 253, True, True),
        (1, 12, True, False),
        (0, 5000, True, False),
    ],
)
def test_a_backup_that_is_late_or_failed_is_told(
    every_h: float, age_h: float, ok: bool, late: bool, tmp_path: Path
) -> None:
    path = tmp_path / "backup.json"
    path.write_text(
        json.dumps(
            {
                "at": time.time() - age_h * 3600,
                "to": "s3://b/p",
                "snapshot": None,
                "bytes": 1,
                "seconds": 2,
                "ok": ok,
                "error": "no",
            }
        )
    )
    found = last_backup(tmp_path, every_h * 3600)
    assert found is not None
    assert found.late == late


def test_what_the_last_backup_left_may_be_absent_or_broken(tmp_path: Path) -> None:
    assert last_backup(tmp_path, 0.0) is None
    (tmp_path / "backup.json").write_bytes(b'{"at": ')
    assert last_backup(tmp_path, 0.0) is None


def test_an_archive_of_a_job_that_is_not_there_is_not_found(full: Full) -> None:
    answer = httpx.get(f"{full.server.url}/api/jobs/{'0' * 32}/export")
    assert (answer.status_code, answer.json()["code"]) == (404, "job_not_found")
    assert httpx.get(f"{full.server.url}/api/jobs/{full.job_id}/export").content[:10] == b"README.txt"
