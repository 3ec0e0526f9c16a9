"""A repository in a bucket, on a server that checks every signature and fails on purpose."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from app.backup import s3 as buckets
from app.backup.pruning import prune
from app.backup.repository import open_or_make, open_repository
from app.backup.restoring import restore
from app.backup.s3 import S3, S3Backend
from app.backup.snapshot import back_up
from app.backup.verifying import verify
from app.domain.problems.backups import BACKUP_BUSY, BACKUP_NOT_FOUND, BACKUP_PLACE
from tests.doubles import s3 as double
from tests.doubles.s3_bucket import BUCKET, Bucket, Fault
from tests.doubles.s3_signature import ACCESS_KEY, REGION, SECRET_KEY
from tests.unit.backup.folders import DataFolder, blobs_of, raises, rows_of, take


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[str, Bucket]]:
    with double.running(tmp_path / "s3") as (url, bucket):
        yield url, bucket
        assert bucket.violations == []


@pytest.fixture
def data(tmp_path: Path) -> Iterator[DataFolder]:
    folder = DataFolder(tmp_path / "data")
    folder.job("a")
    folder.job("b")
    yield folder
    folder.close()


def place_of(url: str, prefix: str = "home/dub", **changed: str) -> S3Backend:
    keys = {"access_key": ACCESS_KEY, "secret_key": SECRET_KEY, "region": REGION} | changed
    return S3Backend(keys.pop("bucket", BUCKET), prefix, S3(endpoint=url, patience_s=10.0, **keys))


@pytest.mark.parametrize("password", ["", "correct horse"], ids=["plain", "encrypted"])
def test_what_comes_back_from_a_bucket_is_what_was_kept(
    data: DataFolder, served: tuple[str, Bucket], tmp_path: Path, password: str
) -> None:
    url, bucket = served
    bucket.page = 7  # the list comes in pages
    data.job("long", source_bytes=21 << 20)  # in parts
    place = place_of(url)
    repository, first = take(data.root, place, password)
    assert any("uploadId" in line for line in bucket.requests)
    assert all(key.startswith("home/dub/") for key in bucket.objects)
    assert not [key for key in bucket.objects if "/locks/" in key], "the lock is gone"
    _, second = take(data.root, place, password)
    assert second.new_bytes == 0
    assert verify(repository, repository.ids(), tmp_path)[0].whole
    restore(open_repository(place_of(url), password), second, tmp_path / "new", replace=False)
    assert blobs_of(tmp_path / "new") == blobs_of(data.root)
    assert rows_of(tmp_path / "new" / "app.sqlite3") == rows_of(data.root / "app.sqlite3")
    assert first.bytes == second.bytes


def test_errors_slowness_and_cut_connections_are_survived(
    data: DataFolder, served: tuple[str, Bucket], tmp_path: Path
) -> None:
    url, bucket = served
    data.job("long", source_bytes=18 << 20)
    place = place_of(url)
    bucket.faults = [
        Fault("500", "PUT", 3),
        Fault("503", "PUT", 2),
        Fault("drop", "PUT", 2),
        Fault("slow", "PUT", 1, 0.2),
        Fault("500", "POST", 1),
    ]
    repository, snapshot = take(data.root, place)
    assert all(fault.times == 0 for fault in bucket.faults)
    bucket.faults = [Fault("cut", "GET /backups/home/dub/objects", 4), Fault("500", "GET", 2), Fault("drop", "GET", 2)]
    restore(repository, snapshot, tmp_path / "new", replace=False)
    assert all(fault.times == 0 for fault in bucket.faults)
    assert blobs_of(tmp_path / "new") == blobs_of(data.root)


def test_an_upload_that_fails_for_good_leaves_no_snapshot(
    data: DataFolder, served: tuple[str, Bucket], monkeypatch: pytest.MonkeyPatch
) -> None:
    url, bucket = served
    place = place_of(url)
    bucket.faults = [Fault("500", "PUT /backups/home/dub/objects", 10_000)]
    error = raises(BACKUP_PLACE, lambda: take(data.root, place))
    assert "500" in error.message or "InternalError" in error.message
    bucket.faults = []
    assert open_repository(place, "").ids() == []
    assert not [key for key in bucket.objects if "/locks/" in key]
    take(data.root, place)


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"access_key": "AKIAWRONG"}, "The access key is not known there."),
        ({"secret_key": "wrong and very secret"}, "The secret key is not right."),
        ({"region": "us-east-1"}, "set AWS_REGION"),
        ({"bucket": "nobodys"}, "There is no such bucket."),
    ],
)
def test_what_is_wrong_is_said_without_a_secret(
    data: DataFolder, tmp_path: Path, changed: dict[str, str], says: str
) -> None:
    with double.running(tmp_path / "s3") as (url, _):
        error = raises(BACKUP_PLACE, lambda: take(data.root, place_of(url, **changed)))
        assert says in error.message
        assert (
            "AKIA" not in str(error)
            and "secret/of" not in str(error)
            and "very secret" not in str(error)
            and "Signature=" not in str(error)
        )
        assert error.__cause__ is None


def test_a_server_that_does_not_answer_is_named(data: DataFolder, tmp_path: Path) -> None:
    with double.running(tmp_path / "s3") as (url, _):
        pass
    place = S3Backend("b", "", S3(access_key="a", secret_key="s", region="r", endpoint=url, patience_s=0.5))
    assert "cannot be reached" in raises(BACKUP_PLACE, lambda: take(data.root, place)).message
    raises(BACKUP_PLACE, lambda: S3Backend("b", "", S3(access_key="", secret_key="", region="r", endpoint=url)))


def test_an_empty_bucket_has_no_backup(served: tuple[str, Bucket]) -> None:
    raises(BACKUP_NOT_FOUND, lambda: open_repository(place_of(served[0]), ""))


def test_two_do_not_write_at_once_and_a_killed_ones_lock_ends(data: DataFolder, served: tuple[str, Bucket]) -> None:
    url, bucket = served
    place = place_of(url)
    with place.lock(alone=True):
        raises(BACKUP_BUSY, lambda: take(data.root, place_of(url)))
        raises(BACKUP_BUSY, lambda: place_of(url).lock(alone=False).__enter__())
    with place.lock(alone=False), place_of(url).lock(alone=False):
        raises(BACKUP_BUSY, lambda: take(data.root, place_of(url)))
    left = place_of(url).lock(alone=True)
    left.__enter__()
    key = next(key for key in bucket.objects if "/locks/" in key)
    file, etag, at = bucket.objects[key]
    bucket.objects[key] = (file, etag, at - buckets._LOCK_LIFE_S - 1)
    take(data.root, place_of(url))
    assert not [key for key in bucket.objects if "/locks/" in key]


def test_a_lock_that_could_not_be_renewed_keeps_no_snapshot(
    data: DataFolder, served: tuple[str, Bucket], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = place_of(served[0])
    with place.lock(alone=True) as check:
        repository = open_or_make(place, "")
        monkeypatch.setattr(buckets, "_LOCK_LIFE_S", buckets._LOCK_EVERY_S)  # as if the machine had slept
        raises(BACKUP_BUSY, lambda: back_up(data.root, repository, check, app_version="1"))
    assert repository.ids() == []


def test_a_key_that_may_only_read_can_restore(data: DataFolder, served: tuple[str, Bucket], tmp_path: Path) -> None:
    url, bucket = served
    _, snapshot = take(data.root, place_of(url))
    bucket.denied = {"PUT", "POST", "DELETE"}
    place = place_of(url)
    with place.lock(alone=False):
        restore(open_repository(place, ""), snapshot, tmp_path / "new", replace=False)
    assert blobs_of(tmp_path / "new") == blobs_of(data.root)
    assert "may not" in raises(BACKUP_PLACE, lambda: take(data.root, place)).message


def test_ages_in_a_bucket_are_measured_by_its_clock(data: DataFolder, served: tuple[str, Bucket]) -> None:
    url, bucket = served
    bucket.ahead_s = -30 * 24 * 3600.0  # its clock is a month late: by ours, everything there is old
    place = place_of(url)
    repository, _ = take(data.root, place)
    repository.put("0" * 64, [b"of a backup that was interrupted"], 32)
    with place.lock(alone=True) as check:
        assert prune(repository, check, keep_s=0, max_bytes=0, now=0.0).objects == 0
    bucket.ahead_s = 0.0
    with place.lock(alone=True) as check:
        assert prune(repository, check, keep_s=0, max_bytes=0, now=0.0).objects == 1
