"""The data folder is its owner's alone; what the person gets is the person's."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.system import file_modes


@pytest.fixture(autouse=True)
def umask(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """As a shell with umask 022 starts it; the tests' own comes back."""
    before = os.umask(0o022)
    monkeypatch.setattr(file_modes, "_persons", None)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def filled(data: Path, *names: str) -> Path:
    for name in names:
        path = data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return data


def test_what_an_earlier_version_left_open_is_closed(tmp_path: Path) -> None:
    outside = filled(tmp_path / "outside", "file")
    data = filled(
        tmp_path / "data",
        "app.sqlite3",
        "app.sqlite3-wal",
        "blobs/uploads/ab",
        "models/tiny.pt",
        "secret.key",
        ".lock",
        "log/a.log",
    )
    (data / "blobs" / "link").symlink_to(outside / "file")
    (data / "cache").symlink_to(outside)
    (data / "blobs" / "tool").write_bytes(b"x")
    (data / "blobs" / "tool").chmod(0o755)
    file_modes.close(data)
    found = {path: mode(path) for path in (data, *data.rglob("*")) if not path.is_symlink()}
    assert len(found) == 13
    tool = found.pop(data / "blobs" / "tool")
    assert tool == 0o700
    assert {value for path, value in found.items() if path.is_dir()} == {0o700}
    assert {value for path, value in found.items() if path.is_file()} == {0o600}
    assert (mode(outside), mode(outside / "file")) == (0o755, 0o644)


def test_a_folder_with_other_things_keeps_its_mode_and_they_theirs(tmp_path: Path) -> None:
    home = filled(tmp_path / "home", "letters/one.txt", "photo.jpg", "cli/clips/ab.wav", "app.sqlite3")
    file_modes.close(home)
    assert [mode(home / name) for name in (".", "letters", "letters/one.txt", "photo.jpg")] == [
        0o755,
        0o755,
        0o644,
        0o644,
    ]
    assert [mode(home / name) for name in ("cli", "cli/clips", "cli/clips/ab.wav", "app.sqlite3")] == [
        0o700,
        0o700,
        0o600,
        0o600,
    ]


def test_a_closed_folder_is_not_looked_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = filled(tmp_path / "data", "blobs/uploads/ab")
    file_modes.close(data)
    monkeypatch.setattr(file_modes, "_close", lambda entry: pytest.fail(entry.path))
    file_modes.close(data)


def test_a_close_that_was_killed_is_done_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = filled(tmp_path / "data", "blobs/a", "blobs/b", "cache/c")
    real, left = Path.chmod, [2]

    def chmod(path: Path, wanted: int) -> None:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        real(path, wanted)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "chmod", chmod)
        with pytest.raises(KeyboardInterrupt):
            file_modes.close(data)
    file_modes.close(data)
    assert not any(mode(path) & 0o077 for path in (data, *data.rglob("*")))


def test_a_disk_without_modes_is_asked_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, asked = filled(tmp_path / "data", "blobs/a", "blobs/b", "cache/c"), []
    monkeypatch.setattr(Path, "chmod", lambda path, wanted: asked.append(path))
    file_modes.close(data)
    assert len(asked) < 3


def test_a_folder_that_is_not_there_is_no_fault(tmp_path: Path) -> None:
    file_modes.private(tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_what_is_made_is_private_and_what_the_person_gets_is_not(tmp_path: Path) -> None:
    file_modes.private(tmp_path)
    filled(tmp_path, "ours/file")
    with file_modes.as_the_person():
        filled(tmp_path, "theirs/file")
    file_modes.private(tmp_path)  # again, as in a worker: the person's umask is still known
    assert file_modes.persons_umask() == 0o022
    assert [mode(tmp_path / name) for name in ("ours", "ours/file", "theirs", "theirs/file")] == [
        0o700,
        0o600,
        0o755,
        0o644,
    ]
