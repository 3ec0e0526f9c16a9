"""The log in a file: nothing is lost, not by a rotation, not by the other process."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from app.observability.log_file import LogFile, LogFileUnusable, opened

WRITER = """
import sys
from pathlib import Path
from app.observability.log_file import LogFile
name, path, lines, rotates = sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), sys.argv[4] == "rotates"
file = LogFile(path, most_bytes=20_000, keep=200, rotates=rotates)
sys.stdin.readline()
for number in range(lines):
    file.write(f"{name} {number} {'x' * (number % 300)}\\n")
"""


def whole(path: Path) -> list[str]:
    """Every line, the oldest file first."""
    files = sorted(path.parent.glob(f"{path.name}.*"), key=lambda p: -int(p.suffix[1:]))
    return [line for file in [*files, path] for line in file.read_text().splitlines()]


def test_it_is_rotated_at_its_size_and_the_newest_are_kept(tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = LogFile(path, most_bytes=100, keep=3, rotates=True)
    for number in range(20):
        file.write(f"{number:039}\n")  # two of them fill a file
    assert {p.name for p in tmp_path.iterdir()} == {"log", "log.1", "log.2", "log.3"}
    assert [int(line) for line in whole(path)] == list(range(12, 20))
    assert all(p.stat().st_size <= 100 for p in tmp_path.iterdir())


def test_fewer_files_are_kept_from_the_next_rotation_on(tmp_path: Path) -> None:
    path = tmp_path / "log"
    for number in range(1, 6):
        path.with_name(f"log.{number}").write_text("old\n")
    file = LogFile(path, most_bytes=10, keep=2, rotates=True)
    file.write("123456789\n")
    file.write("123456789\n")
    assert {p.name for p in tmp_path.iterdir()} == {"log", "log.1", "log.2"}


def test_a_line_larger_than_the_limit_is_written_whole(tmp_path: Path) -> None:
    file = LogFile(tmp_path / "log", most_bytes=10, keep=1, rotates=True)
    file.write("x" * 1000 + "\n")
    assert (tmp_path / "log").read_text() == "x" * 1000 + "\n"
    assert not (tmp_path / "log.1").exists()


def test_two_processes_write_one_rotates_and_no_line_is_lost_or_torn(tmp_path: Path) -> None:
    path, count = tmp_path / "log", 6000
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, name, str(path), str(count), role], stdin=subprocess.PIPE)
        for name, role in (("worker", "rotates"), ("parent", "watches"))
    ]
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write(b"go\n")
        writer.stdin.flush()
    assert [writer.wait(60) for writer in writers] == [0, 0]
    lines = whole(path)
    assert len(lines) == 2 * count and path.with_name("log.5").exists()
    for name in ("worker", "parent"):
        numbers = [line.split() for line in lines if line.startswith(name)]
        assert sorted(int(parts[1]) for parts in numbers) == list(range(count))
        assert all(len(parts[2] if len(parts) > 2 else "") == int(parts[1]) % 300 for parts in numbers)
    assert [int(line.split()[1]) for line in lines if line.startswith("worker")] == list(range(count))


def test_a_file_that_was_moved_or_deleted_is_made_again(tmp_path: Path) -> None:
    path = tmp_path / "log"
    file = LogFile(path, most_bytes=0, keep=1, rotates=False)
    file.write("one\n")
    path.rename(tmp_path / "moved")
    file.write("two\n")
    path.unlink()
    file.write("three\n")
    assert (tmp_path / "moved").read_text() == "one\n" and path.read_text() == "three\n"


def test_only_the_owner_writes_and_only_the_group_reads(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        LogFile(tmp_path / "log", most_bytes=0, keep=1, rotates=True).write("one\n")
    finally:
        os.umask(before)
    assert (tmp_path / "log").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("kind", ["folder", "pipe", "no folder", "device"])
def test_what_cannot_be_a_log_is_refused_in_one_line(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "log"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    elif kind == "device":
        path = Path("/dev/null")
    else:
        path = tmp_path / "missing" / "log"
    with pytest.raises(LogFileUnusable) as caught:
        opened(str(path), most_bytes=0, keep=1, rotates=True)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_no_file_is_wished_by_an_empty_name() -> None:
    assert opened("", most_bytes=0, keep=1, rotates=True) is None


def test_a_full_disk_stops_no_start_and_lines_come_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("app.observability.log_file.os.open", full)
        file = LogFile(tmp_path / "log", most_bytes=1000, keep=1, rotates=True)
        with pytest.raises(OSError, match="No space left"):
            file.write("lost\n")
    file.write("there\n")
    assert (tmp_path / "log").read_text() == "there\n"
