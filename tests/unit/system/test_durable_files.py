"""A file has its old content or its new one, whole: after a kill between any two steps, on a full disk, after an
error; and what is said to be on disk was synced."""

from __future__ import annotations

import ast
import errno
import os
import re
import signal
import stat
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import pytest

from app.system import durable_files
from app.system.disk_full import is_disk_full
from app.system.durable_files import Durable, create, move, replacing, write, writing
from tests.doubles.full_disk import full_disk

ROOT = Path(__file__).resolve().parents[3]
OLD, NEW = b"old" * 50_000, b"new!" * 60_000
# What has a rename or a sync of its own, and why it is not a file that is written to replace another.
ALLOWED = {
    ("app/api/health.py", "os.fdatasync"),  # a probe of the disk
    ("app/system/disk_full.py", "os.fsync"),  # a probe of the disk
    ("app/backup/swap.py", "rename"),  # whole folders change places
    ("app/dubbing/video/mux_append.py", "os.fdatasync"),  # a mark in a film that grows, and has its name afterwards
    ("app/media/mkv_join.py", "os.fdatasync"),  # the same
    ("app/media/mp4_join.py", "os.fdatasync"),  # the same
    ("app/observability/log_file.py", "replace"),  # rotation: the log is written to all the time
    ("app/retention/cleaner.py", "rename"),  # a folder leaves its name before it is deleted
    ("app/speech/download.py", "os.fsync"),  # the part that the next attempt goes on from
    ("app/speech/whisper/conversion.py", "rename"),  # a whole folder takes its name
    ("app/storage/concatenation.py", "os.fsync"),  # appended to a file that has its name
    ("app/storage/concatenation.py", "rename"),  # the first part becomes that file
    ("app/storage/disk_reserve.py", "os.fsync"),  # space, not content
    ("app/storage/shared_reservations.py", "rename"),  # a lock, which is held open from before it has its name
    ("app/storage/uploads.py", "os.link"),  # a second name for a whole file
    ("app/storage/upload_writer.py", "os.fdatasync"),  # appended to a file that has its name
}


def by_write(target: Path) -> None:
    write(target, NEW, durable=Durable.NAME, owner_of=target.parent)


def by_blocks(target: Path) -> None:
    with writing(target, durable=Durable.NAME) as file:
        for at in range(0, len(NEW), 40_000):
            file.write(NEW[at : at + 40_000])


def by_program(target: Path) -> None:
    with replacing(target, durable=Durable.CONTENT, temporary=target.with_suffix(".part")) as path:
        path.write_bytes(NEW[:100])
        path.write_bytes(NEW)


def by_move(target: Path) -> None:
    source = target.with_name("source")
    source.write_bytes(NEW)
    move(source, target, durable=Durable.NAME)


def by_copy(target: Path) -> None:
    """From another file system."""
    source = target.with_name("source")
    source.write_bytes(NEW)
    original = Path.replace

    def far(self: Path, to: Path) -> Path:
        if self == source:
            raise OSError(errno.EXDEV, os.strerror(errno.EXDEV))
        return original(self, to)

    Path.replace = far  # type: ignore[method-assign,assignment]
    try:
        move(source, target, durable=Durable.NAME)
    finally:
        Path.replace = original  # type: ignore[method-assign]


def by_create(target: Path) -> None:
    assert create(target, NEW, durable=Durable.NAME)


WAYS = (by_write, by_blocks, by_program, by_move, by_copy)


def killed(work: Callable[[Path], None], target: Path, line: int) -> bool:
    """Do the work in a child that dies by SIGKILL before a line that it comes to, counted in `durable_files` and in the
    caller's block. False when it came to its end before."""
    child = os.fork()
    if child == 0:
        left = line

        def trace(frame: FrameType, event: str, _: object) -> Any:
            nonlocal left
            if frame.f_code.co_filename not in (durable_files.__file__, __file__):
                return None
            if event == "line":
                if left == 0:
                    os.kill(os.getpid(), signal.SIGKILL)
                left -= 1
            return trace

        sys.settrace(trace)
        try:
            work(target)
        except BaseException:
            os._exit(1)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.WEXITSTATUS(status) == 0
    return False


@pytest.mark.parametrize("way", WAYS)
def test_a_kill_at_any_step_leaves_the_old_file_or_the_new_one(tmp_path: Path, way: Callable[[Path], None]) -> None:
    target, line, seen = tmp_path / "file", 0, set()
    target.write_bytes(OLD)
    while killed(way, target, line):
        found = target.read_bytes()
        assert found in (OLD, NEW), line
        seen.add(found)
        target.write_bytes(OLD)
        line += 1
    assert target.read_bytes() == NEW and seen == {OLD, NEW} and line > 8


def test_a_kill_at_any_step_leaves_no_new_file_or_a_whole_one(tmp_path: Path) -> None:
    target, line, seen = tmp_path / "file", 0, set()
    while killed(by_create, target, line):
        seen.add(target.exists())
        assert not target.exists() or target.read_bytes() == NEW, line
        target.unlink(missing_ok=True)
        line += 1
    assert target.read_bytes() == NEW and seen == {False, True}


@pytest.mark.parametrize("way", [*WAYS, by_create])
def test_what_a_killed_run_left_does_not_stop_the_next_one(tmp_path: Path, way: Callable[[Path], None]) -> None:
    target = tmp_path / "file"
    assert killed(way, target, 12)
    target.unlink(missing_ok=True)
    way(target)
    assert target.read_bytes() == NEW


@pytest.mark.parametrize("way", [by_write, by_blocks, by_program])
def test_a_full_disk_leaves_the_old_file_and_nothing_else(tmp_path: Path, way: Callable[[Path], None]) -> None:
    target = tmp_path / "file"
    target.write_bytes(OLD)
    with full_disk(), pytest.raises(OSError) as caught:
        way(target)
    assert is_disk_full(caught.value)
    assert target.read_bytes() == OLD and list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("way", [*WAYS, by_create])
@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EIO])
def test_a_disk_that_gives_up_only_at_the_sync_leaves_the_old_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: Callable[[Path], None], number: int
) -> None:
    """As with delayed allocation and over NFS."""

    def fail(_: int) -> None:
        raise OSError(number, os.strerror(number))

    target = tmp_path / "file"
    target.write_bytes(OLD)
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError) as caught:
        way(target)
    assert is_disk_full(caught.value) == (number != errno.EIO)
    assert target.read_bytes() == OLD
    assert {path.name for path in tmp_path.iterdir()} <= {"file", "source"}, "a file that could not move stays"


def test_an_error_of_the_caller_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "file"
    target.write_bytes(OLD)
    with pytest.raises(KeyboardInterrupt), writing(target, durable=Durable.NAME) as file:
        file.write(NEW[:100_000])
        raise KeyboardInterrupt
    assert target.read_bytes() == OLD and list(tmp_path.iterdir()) == [target]


def test_an_existing_file_stays_where_a_new_one_is_made(tmp_path: Path) -> None:
    target = tmp_path / "file"
    assert create(target, OLD, durable=Durable.NAME) and not create(target, NEW, durable=Durable.NAME)
    assert target.read_bytes() == OLD and list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize("way", [*WAYS, by_create])
def test_bytes_are_on_disk_before_the_name_and_the_name_before_the_return(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: Callable[[Path], None]
) -> None:
    """What no kill shows, and a loss of power does."""
    steps: list[str] = []

    def noted(module: Any, name: str, what: Callable[..., str]) -> None:
        real = getattr(module, name)

        def call(*arguments: Any) -> Any:
            result = real(*arguments)
            steps.append(what(*arguments))
            return result

        monkeypatch.setattr(module, name, call)

    noted(
        os, "fsync", lambda fd: "sync folder" if stat.S_ISDIR(os.fstat(fd).st_mode) else f"sync {os.fstat(fd).st_size}"
    )
    noted(Path, "replace", lambda *_: "name")
    noted(os, "link", lambda *_: "name")
    way(tmp_path / "file")
    if way is by_copy:
        assert steps.pop(0) == f"sync {len(NEW)}"
    expected = [f"sync {len(NEW)}", "name", "sync folder"]
    assert steps == (expected[:2] if way is by_program else expected)


@pytest.mark.parametrize(("durable", "syncs"), [(Durable.NO, 0), (Durable.CONTENT, 1), (Durable.NAME, 2)])
def test_no_more_is_synced_than_is_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: Durable, syncs: int
) -> None:
    synced: list[int] = []
    monkeypatch.setattr(os, "fsync", synced.append)
    write(tmp_path / "a", NEW, durable=durable)
    assert len(synced) == syncs
    create(tmp_path / "b", NEW, durable=durable)
    assert len(synced) == 2 * syncs
    move(tmp_path / "a", tmp_path / "c", durable=durable)
    assert len(synced) == 3 * syncs


def test_a_file_system_that_cannot_sync_a_folder_is_no_obstacle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        real(descriptor)

    monkeypatch.setattr(os, "fsync", fsync)
    write(tmp_path / "file", NEW, durable=Durable.NAME)
    assert (tmp_path / "file").read_bytes() == NEW


def test_it_is_the_owners_alone_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        write(tmp_path / "file", NEW, durable=Durable.NO)
        create(tmp_path / "key", NEW, durable=Durable.NO)
    finally:
        os.umask(before)
    assert [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("file", "key")] == [0o600, 0o600]


@pytest.mark.parametrize("user", [0, 1000])
def test_what_root_writes_gets_the_owner_of_the_folder_before_it_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: int
) -> None:
    given: list[tuple[int, int, bool]] = []
    monkeypatch.setattr(os, "geteuid", lambda: user)
    monkeypatch.setattr(os, "fchown", lambda _, uid, gid: given.append((uid, gid, (tmp_path / "file").exists())))
    write(tmp_path / "file", NEW, durable=Durable.NO, owner_of=tmp_path)
    owner = tmp_path.stat()
    assert given == ([(owner.st_uid, owner.st_gid, False)] if user == 0 else [])


def test_nobody_else_writes_files_by_a_rename_or_knows_a_full_disk() -> None:
    """A rename, a sync, or a look for a full disk outside the two modules for them is a second copy of what they do."""
    found: set[tuple[str, str]] = set()
    for path in sorted((ROOT / "app").rglob("*.py")):
        name, text = path.relative_to(ROOT).as_posix(), path.read_text(encoding="utf-8")
        if name != "app/system/disk_full.py":
            assert not re.search(r"\b(ENOSPC|EDQUOT|No space left|quota exceeded)\b", text), name
        if name != "app/system/durable_files.py":
            found |= {(name, what) for node in ast.walk(ast.parse(text)) if (what := _step(node))}
    assert found == ALLOWED


def _step(node: ast.AST) -> str | None:
    """What a call does of the work of writing a file durably."""
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute | ast.Name):
        if isinstance(node, ast.Attribute) and ast.unparse(node) == "os.fsync":
            return "os.fsync"  # handed on, to a thread
        return None
    name = ast.unparse(node.func)
    if name in ("os.fsync", "os.fdatasync", "os.replace", "os.rename", "os.renames", "os.link"):
        return name
    if name.endswith(".rename"):
        return "rename"
    if name.endswith(".replace") and len(node.args) == 1 and not node.keywords:  # not of a string or a struct
        return "replace"
    return None
