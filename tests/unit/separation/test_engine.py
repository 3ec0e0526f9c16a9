"""Spleeter's model is found, or downloaded, checked and unpacked; what is wrong has a name before any work."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from app.domain.errors import DubError
from app.domain.problems.recognition import MODEL_DAMAGED, MODEL_DOWNLOAD
from app.domain.problems.voices import ENGINE_UNAVAILABLE
from app.separation.loading import load
from app.separation.spleeter import engine as module
from app.separation.spleeter.engine import SpleeterEngine
from app.speech import download
from app.speech.model_files import ModelFile, ModelFiles
from tests.doubles.models import ModelServer
from tests.unit.separation.checkpoints import archive, layers, write


class Published:
    """A server of a small model, and engines that know its hashes."""

    def __init__(self, server: ModelServer, packed: bytes, files: dict[str, str]) -> None:
        self.server, self.packed, self.files = server, packed, files
        self.file = ModelFile("spleeter/2stems.tar.gz", "", hashlib.sha256(packed).hexdigest(), len(packed))

    def engine(self, folder: Path) -> SpleeterEngine:
        store = ModelFiles(folder, stall_s=2.0)
        return SpleeterEngine(store, self.server.template, archive=self.file, files=self.files)


@pytest.fixture
async def published(tmp_path: Path) -> AsyncIterator[Published]:
    packed, files = archive(tmp_path / "packed")
    async with ModelServer({"2stems.tar.gz": packed}) as server:
        yield Published(server, packed, files)


def ignored(message: str) -> None:
    """Nobody reads it."""


async def problem_of(engine: SpleeterEngine) -> DubError:
    with pytest.raises(DubError) as error:
        await engine.fetch(ignored)
    return error.value


async def test_the_model_is_downloaded_once_checked_unpacked_and_loads(published: Published, tmp_path: Path) -> None:
    engine, told = published.engine(tmp_path / "models"), list[str]()
    assert not engine.ready()
    before = engine.fingerprint()
    paths = await asyncio.gather(engine.fetch(told.append), engine.fetch(told.append))
    assert paths[0] == paths[1] and len(published.server.ranges) == 1, "two who want it share one download"
    assert "MB (licence MIT)" in told[-1]
    assert engine.ready() and engine.fingerprint() == before, "what was expected has come"
    assert load("spleeter", paths[0], 1).window_n == 512 * 1024
    left = sorted(path.name for path in (tmp_path / "models" / "spleeter").rglob("*") if path.is_file())
    assert [name for name in left if not name.startswith(".")] == sorted(published.files), "the archive is gone"
    [model] = (await engine.info()).models
    assert model.ready and "MIT" in model.name


async def test_a_cut_download_goes_on_where_it_stopped(published: Published, tmp_path: Path) -> None:
    published.server.faults = ["cut 1000"]
    await published.engine(tmp_path / "models").fetch(ignored)
    assert published.server.ranges == ["", "bytes=1000-"]


async def test_something_else_than_the_model_is_refused_and_nothing_is_left(
    published: Published, tmp_path: Path
) -> None:
    published.server.faults = ["html"]
    engine = published.engine(tmp_path / "models")
    assert (await problem_of(engine)).problem is MODEL_DAMAGED
    assert not engine.ready() and not list((tmp_path / "models" / "spleeter").glob("*.part"))


async def test_without_a_network_the_error_says_what_to_do_and_where(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "_PAUSE_S", 0.01)
    engine = SpleeterEngine(ModelFiles(tmp_path, stall_s=1.0), "http://127.0.0.1:9/{file}")
    error = await problem_of(engine)
    assert error.problem is MODEL_DOWNLOAD
    assert "put 2stems.tar.gz into" in error.detail and str(tmp_path / "spleeter") in error.detail


async def test_an_archive_that_was_put_there_by_hand_is_unpacked_without_a_network(
    published: Published, tmp_path: Path
) -> None:
    (tmp_path / "models" / "spleeter").mkdir(parents=True)
    (tmp_path / "models" / "spleeter" / "2stems.tar.gz").write_bytes(published.packed)
    await published.engine(tmp_path / "models").fetch(ignored)
    assert published.server.ranges == []


async def test_files_that_were_put_there_by_hand_are_taken_and_have_a_name_of_their_own(tmp_path: Path) -> None:
    folder = tmp_path / "spleeter" / "2stems"
    folder.mkdir(parents=True)
    write(folder / "model", layers())
    engine = SpleeterEngine(ModelFiles(tmp_path), "http://127.0.0.1:9/")
    assert engine.ready() and await engine.fetch(ignored) == folder / "model"
    first = engine.fingerprint()
    write(folder / "model", layers(seed=2))
    assert engine.fingerprint() != first, "another model, another background"


def test_a_damaged_model_is_named(tmp_path: Path) -> None:
    write(tmp_path / "model", layers())
    (tmp_path / "model.data-00000-of-00001").write_bytes(b"")
    with pytest.raises(DubError, match="separation model") as error:
        load("spleeter", tmp_path / "model", 1)
    assert error.value.problem is MODEL_DAMAGED


async def test_without_torch_it_is_not_available(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    engine = SpleeterEngine(ModelFiles(tmp_path))
    assert not engine.ready() and not (await engine.info()).availability.available
    assert (await problem_of(engine)).problem is ENGINE_UNAVAILABLE


@pytest.mark.real
def test_the_files_of_the_published_model_have_the_hashes_that_are_known(weights: Path) -> None:
    for name, sha256 in module.FILES.items():
        assert hashlib.sha256((weights / "spleeter" / "2stems" / name).read_bytes()).hexdigest() == sha256
