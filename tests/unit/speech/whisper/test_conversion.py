"""A checkpoint is converted once, whole or not at all, and again when it is another one."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import psutil
import pytest

from app.domain.errors import DubError
from app.domain.problems.recognition import MODEL_DAMAGED
from app.domain.problems.uploads import DISK_FULL
from app.speech.model_files import unbounded
from app.speech.ports import Place
from app.speech.whisper.conversion import FLOAT16, INT8, Converter


@pytest.fixture
def checkpoint(whisper_checkpoint: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "somewhere"
    folder.mkdir()
    return Path(shutil.copy(whisper_checkpoint, folder / "own [1].pt"))


async def converted(folder: Path, checkpoint: Path, quantization: str = INT8) -> Path:
    return await Converter(folder, unbounded).converted(
        checkpoint, quantization, name="", sha256="", while_waiting=lambda: None
    )


async def test_it_is_made_once_beside_the_checkpoint_for_everybody_who_waits(checkpoint: Path, tmp_path: Path) -> None:
    told: list[int] = []
    converter = Converter(tmp_path / "models", unbounded)

    async def one() -> Path:
        return await converter.converted(checkpoint, INT8, name="", sha256="", while_waiting=lambda: told.append(1))

    first, second = await asyncio.gather(one(), one())
    assert first == second and first.parent == checkpoint.parent and told
    names = {"model.bin", "config.json", "vocabulary.json", "tokenizer.json", "preprocessor_config.json", "source.json"}
    assert {path.name for path in first.iterdir()} == names
    before = (first / "model.bin").stat()
    assert await converted(tmp_path, checkpoint) == first and (first / "model.bin").stat() == before
    assert {path.name for path in checkpoint.parent.iterdir() if not path.name.startswith(".")} == {
        checkpoint.name,
        first.name,
    }


async def test_another_checkpoint_of_the_same_name_takes_its_place(
    checkpoint: Path, whisper_checkpoint: Path, tmp_path: Path
) -> None:
    old = await converted(tmp_path, checkpoint)
    half = await converted(tmp_path, checkpoint, FLOAT16)
    checkpoint.write_bytes(whisper_checkpoint.read_bytes() + b"\0")  # a zip with a tail: the same weights, another hash
    new = await converted(tmp_path, checkpoint)
    assert new != old and not old.exists() and half.exists()


async def test_a_folder_that_cannot_be_written_leaves_it_to_the_models_folder(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.speech.whisper.conversion.os.access", lambda folder, _mode: folder != checkpoint.parent)
    found = await converted(tmp_path / "models", checkpoint)
    assert found.parent == tmp_path / "models"


async def test_a_cancelled_conversion_leaves_nothing_and_is_begun_again(
    checkpoint: Path, tmp_path: Path, own_children: Callable[[], list[psutil.Process]]
) -> None:
    task = asyncio.create_task(converted(tmp_path, checkpoint))
    while not own_children():
        await asyncio.sleep(0.01)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not own_children()
    assert [path.name for path in checkpoint.parent.iterdir() if path.is_dir()] == []
    assert (await converted(tmp_path, checkpoint)).is_dir()


async def test_what_a_killed_program_left_is_written_over(checkpoint: Path, tmp_path: Path) -> None:
    whole = await converted(tmp_path, checkpoint)
    part = whole.with_name(f".{whole.name}.part")
    whole.rename(part)
    (part / "model.bin").write_bytes(b"half")
    assert await converted(tmp_path, checkpoint) == whole
    assert (whole / "model.bin").stat().st_size > 1000 and not part.exists()


async def test_a_file_that_is_no_checkpoint_is_named_damaged(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.pt"
    wrong.write_bytes(b"<html>not a model</html>")
    with pytest.raises(DubError) as caught:
        await converted(tmp_path, wrong)
    assert caught.value.problem is MODEL_DAMAGED and str(tmp_path) not in caught.value.message
    assert not list(tmp_path.glob("*.ct2"))


async def test_room_is_asked_for_before_anything_is_written(checkpoint: Path, tmp_path: Path) -> None:
    asked: list[int] = []

    @contextlib.asynccontextmanager
    async def full(size_bytes: int, _folder: Path) -> AsyncIterator[Place]:
        asked.append(size_bytes)
        raise DubError(DISK_FULL)
        yield

    with pytest.raises(DubError) as caught:
        await Converter(tmp_path, full).converted(checkpoint, INT8, name="", sha256="", while_waiting=lambda: None)
    assert caught.value.problem is DISK_FULL and asked[0] > checkpoint.stat().st_size / 2
    assert not list(checkpoint.parent.glob("*.ct2"))
