"""A file's hash taken in steps is its hash, wherever a run was killed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from app.storage import hashing
from app.storage.hashing import sha256_in_steps

STEP = 1 << 20


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "film"
    path.write_bytes(os.urandom(5 * STEP + 12_345))
    return path


def right(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def killed_at(monkeypatch: pytest.MonkeyPatch, step: int) -> None:
    """The run ends when it has kept so many steps."""
    store, kept = hashing._store, []

    def storing(*given: object) -> None:
        store(*given)  # type: ignore[arg-type]
        kept.append(given)
        if len(kept) == step:
            raise KeyboardInterrupt

    monkeypatch.setattr(hashing, "_store", storing)


def test_hashing_goes_on_behind_the_last_step(tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = tmp_path / "job" / "steps"
    with monkeypatch.context() as patch:
        killed_at(patch, 3)
        with pytest.raises(KeyboardInterrupt):
            sha256_in_steps(file, kept, step_bytes=STEP)
    read: list[int] = []
    update = hashing._Hashing.update
    monkeypatch.setattr(
        hashing._Hashing, "update", lambda self, block, count: (read.append(count), update(self, block, count))
    )
    assert sha256_in_steps(file, kept, step_bytes=STEP) == right(file)
    assert sum(read) == file.stat().st_size - 3 * STEP


@pytest.mark.parametrize("damage", ["cut", "a bit", "another file"])
def test_steps_that_do_not_belong_to_the_file_are_not_believed(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    kept = tmp_path / "steps"
    with monkeypatch.context() as patch:
        killed_at(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            sha256_in_steps(file, kept, step_bytes=STEP)
    data = bytearray(kept.read_bytes())
    if damage == "cut":
        kept.write_bytes(data[: len(data) // 2])
    elif damage == "a bit":
        data[-100] ^= 1
        kept.write_bytes(data)
    else:
        file.write_bytes(os.urandom(5 * STEP))
    assert sha256_in_steps(file, kept, step_bytes=STEP) == right(file)


def test_without_the_library_a_file_is_hashed_in_one_go(
    tmp_path: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hashing, "_library", lambda: None)
    assert sha256_in_steps(file, tmp_path / "steps", step_bytes=STEP) == right(file)
    assert not (tmp_path / "steps").exists()


def test_this_machine_has_the_library() -> None:
    assert hashing._library() is not None
