"""What a backup, an export and other processes reserve on the disk that a server writes to."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from app.backup.backend import FolderBackend
from app.cli import export
from app.storage.disk_floors import Disks, Reservation
from tests.unit.storage.test_disk_floor import Disk, refused


def test_a_backup_on_the_same_disk_leaves_free_what_must_stay_free(tmp_path: Path) -> None:
    disk = Disk(100, 50)
    place = FolderBackend(tmp_path / "backups", disk.floor)
    place.prepare()
    refused(lambda: place.put("objects/ab/abc", [bytes(51)], 51))
    assert [path for path in (tmp_path / "backups").rglob("*") if path.is_file()] == []
    place.put("objects/ab/abc", [bytes(30), bytes(20)], 50)
    assert disk.floor.reserved_bytes() == 0
    assert b"".join(place.get("objects/ab/abc")) == bytes(50)


OTHER = """
import sys
from pathlib import Path
from app.storage.disk_floors import Disks
room = Disks.of(Path(sys.argv[1]), 0).reserve(int(sys.argv[2]), Path(sys.argv[1]))
print("reserved", flush=True)
sys.stdin.readline()
room.landed(int(sys.argv[2]) // 2)
print("landed", flush=True)
sys.stdin.read()
"""


def test_what_another_process_has_reserved_counts_until_it_ends_however_that_is(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    floor = Disks.of(tmp_path, free // 2).at(tmp_path)
    floor.reserve(free // 4).release()
    argv = [sys.executable, "-c", OTHER, str(tmp_path), str(free // 3)]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdin is not None and other.stdout is not None
        assert other.stdout.readline() == "reserved\n"
        refused(lambda: floor.reserve(free // 4))
        other.stdin.write("go on\n")
        other.stdin.flush()
        assert other.stdout.readline() == "landed\n"
        floor.reserve(free // 4).release()
        refused(lambda: floor.reserve(2 * free // 5))
        other.kill()
        other.wait()
    floor.reserve(2 * free // 5).release()
    left = [path.name for path in (tmp_path / ".room").iterdir()]
    assert len(left) == 2 and "lock" in left, "the ended process's file is gone"


def test_processes_that_reserve_at_once_do_not_both_get_the_last_of_it(tmp_path: Path) -> None:
    free = shutil.disk_usage(tmp_path).free
    ask = f"""
import sys
from pathlib import Path
from app.cli import export
from app.domain.errors import DubError
from app.storage.disk_floors import Disks
disks = Disks.of(Path({str(tmp_path)!r}), {free // 2})
sys.stdin.readline()
try:
    room = disks.reserve({free // 5}, Path({str(tmp_path)!r}))
    print("reserved", flush=True)
except DubError as error:
    print(error.problem.code, flush=True)
sys.stdin.read()
"""
    others = [
        subprocess.Popen([sys.executable, "-c", ask], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    try:
        for other in others:
            assert other.stdin is not None
            other.stdin.write("now\n")
            other.stdin.flush()
        said = sorted(other.stdout.readline().strip() for other in others if other.stdout is not None)
        assert said == ["disk_full", "disk_full", "reserved", "reserved"]
    finally:
        for other in others:
            other.kill()
            other.communicate()


def test_what_an_export_has_written_is_promised_no_more(tmp_path: Path) -> None:
    disk = Disk(100, 20)
    seen: list[int] = []

    def blocks() -> Iterator[bytes]:
        for _ in range(5):
            seen.append(disk.floor.reserved_bytes())
            yield bytes(10)

    with Reservation([disk.floor.reserve(40)]) as room:
        assert export._write(tmp_path / "jobs.tar", room, blocks()) == 50
    assert (seen, disk.floor.reserved_bytes()) == ([40, 30, 20, 10, 0], 0), "the last block is more than was thought"
