"""Which files may be named as a model: the folder's own by their names, the operator's choice, and no other file of the
machine."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import pytest

from app.domain.errors import DubError
from app.domain.problems.recognition import MODEL_UNKNOWN
from app.speech.whisper.models import Checkpoint, ModelStore


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A models folder with what may be named and what may not, beside files that exist."""
    models = tmp_path / "data" / "models"
    (models / "deeper").mkdir(parents=True)
    for name in ("mine.pt", "tiny.pt", "deeper/below.pt", ".hidden.pt", "base.pt.part", "notes.txt"):
        (models / name).write_bytes(b"x")
    (tmp_path / "upload.pt").write_bytes(b"x")
    (models / "leads-out.pt").symlink_to(tmp_path / "upload.pt")
    (models / "far-out.pt").symlink_to("/dev/zero")
    (models / "inside.pt").symlink_to("mine.pt")
    os.mkfifo(models / "pipe.pt")
    return models


def refusals(models: ModelStore, names: list[str]) -> set[str]:
    """What is answered, with the asked name put out of it."""
    answers = set()
    for name in names:
        with pytest.raises(DubError) as refused:
            models.find(name)
        assert refused.value.problem is MODEL_UNKNOWN
        answers.add(refused.value.message.replace(f'"{name[:200]}"', "NAME"))
    return answers


def test_the_folders_own_checkpoints_are_listed_and_found_by_name(folder: Path) -> None:
    models = ModelStore(folder)
    assert [info.id for info in models.infos() if info.id.endswith(".pt")] == ["inside.pt", "mine.pt"]
    assert models.find("mine.pt") == models.find("inside.pt") == folder / "mine.pt"
    official = models.find("tiny.pt")
    assert isinstance(official, Checkpoint) and official.name == "tiny", (
        "an official file is compared with its hash, by whatever name it is asked for"
    )


def test_every_other_text_is_answered_alike_and_nothing_is_opened(folder: Path) -> None:
    there = [
        str(folder / "mine.pt"),
        str(folder.parents[1] / "upload.pt"),
        "../../upload.pt",
        "./mine.pt",
        "deeper/below.pt",
        "leads-out.pt",
        "far-out.pt",
        "pipe.pt",
        ".hidden.pt",
        "base.pt.part",
        "notes.txt",
        "/proc/kmsg",
        "/etc/passwd",
        "/dev/stdin",
        "~/.bashrc",
        "..",
        "/",
    ]
    absent = ["/nowhere/mine.pt", "nowhere.pt", "", "mine.pt\x00", "mine", "MINE.PT", "\ud800.pt", "x" * 5000]
    opened: list[Any] = []
    watching = True
    sys.addaudithook(lambda event, arguments: opened.append(arguments[0]) if watching and event == "open" else None)
    answers = refusals(ModelStore(folder), there + absent)
    watching = False
    assert len(answers) == 1 and "file" not in answers.pop()
    assert opened == []


def test_the_operators_own_choice_may_be_a_path_and_only_that_one(folder: Path) -> None:
    chosen = folder.parents[1] / "upload.pt"
    models = ModelStore(folder, default=str(chosen))
    assert models.find(str(chosen)) == chosen
    refusals(models, [f"{chosen}/", f"/{chosen}", f"{folder}/../../upload.pt", str(folder / "mine.pt")])


def test_a_folder_that_is_not_there_has_no_own_checkpoints(tmp_path: Path) -> None:
    assert all(not info.id.endswith(".pt") for info in ModelStore(tmp_path / "none").infos())
    refusals(ModelStore(tmp_path / "none"), ["mine.pt"])
