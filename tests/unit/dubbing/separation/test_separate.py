"""The original's sound without speech: whole, on the mix's timeline, the same after a kill, and made once."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import signal
import sys
from pathlib import Path

import msgspec
import numpy as np
import pytest

from app.domain.dub_options import Background, DubOptions, Separate, changed
from app.domain.errors import DubError
from app.domain.media import AudioStream, MediaInfo
from app.domain.problems.media import MEDIA_LIMIT
from app.domain.problems.recognition import OUT_OF_MEMORY
from app.domain.problems.uploads import DISK_FULL
from app.domain.problems.voices import ENGINE_UNAVAILABLE
from app.dubbing.context import Context
from app.dubbing.separation import stage
from app.dubbing.separation.kept_pieces import KeptPieces
from app.dubbing.worker.client import run_task
from app.dubbing.worker.tasks import SeparatedSound, SeparateRequest
from app.media.decode import audio_blocks
from app.media.lossless import packed, rounded, unpacked
from app.separation.spleeter.engine import SpleeterEngine
from app.speech.model_files import ModelFiles
from app.speech.registry import Registry, build_registry
from app.storage.blobs import FolderBlobs
from app.storage.disk_floors import Disks
from app.storage.workspace import Workspace
from app.system.children import NO_LIMITS, Limits, child
from tests.unit.dubbing.sounds import RATE_HZ, movie
from tests.unit.separation.checkpoints import layers, write

SECONDS = 40.0  # five pieces
MEDIA = MediaInfo("mp4", SECONDS, 0.0, 5, None, (AudioStream(0, 0, "aac", 48_000, 2, None, None),), heard=0)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("models")
    (folder / "spleeter" / "2stems").mkdir(parents=True)
    write(folder / "spleeter" / "2stems" / "model", layers())
    return folder


@pytest.fixture(scope="module")
def film(ffmpeg: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    noise = np.random.default_rng(6).uniform(-0.3, 0.3, (round(SECONDS * RATE_HZ), 2)).astype(np.float32)
    return movie(ffmpeg, tmp_path_factory.mktemp("film") / "film.mp4", noise)


def request(film: Path, models: Path, folder: Path) -> SeparateRequest:
    folder.mkdir(exist_ok=True)
    return SeparateRequest(
        path=str(film),
        source_id="s",
        audio_track=0,
        duration_s=SECONDS,
        engine="spleeter",
        model=str(models / "spleeter" / "2stems" / "model"),
        resume_folder=str(folder / "kept"),
        spans=str(folder),
        out=str(folder / "background.flac"),
        threads=1,
    )


async def run(asked: SeparateRequest, progress: list[float]) -> SeparatedSound:
    return await run_task("separate", asked, SeparatedSound, report=progress.append, limits=NO_LIMITS)


async def killed_after_a_piece(asked: SeparateRequest) -> None:
    """kill -9 as soon as it has said that a piece is done."""
    argv = [sys.executable, "-m", "app.dubbing.worker.child"]
    async with child(argv, stdin=asyncio.subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps({"task": "separate", "request": msgspec.to_builtins(asked)}).encode() + b"\n")
        async for line in process.stdout:
            if json.loads(line).get("progress", 0) > 0.1:
                os.kill(process.pid, signal.SIGKILL)
                break
        await process.wait()


async def test_a_killed_run_goes_on_after_its_last_piece_and_gives_the_same_bytes(
    film: Path, models: Path, tmp_path: Path
) -> None:
    whole = request(film, models, tmp_path / "whole")
    assert await run(whole, []) == SeparatedSound(5, 0)
    broken, progress = request(film, models, tmp_path / "broken"), list[float]()
    await killed_after_a_piece(broken)
    there = len(list(Path(broken.resume_folder).glob("*.piece")))
    assert 1 <= there < 5 and not Path(broken.out).exists()
    assert await run(broken, progress) == SeparatedSound(5 - there, there)
    assert progress[0] > 0.15 and progress == sorted(progress), "what was left is told first"
    assert Path(broken.out).read_bytes() == Path(whole.out).read_bytes()

    heard = np.concatenate([*audio_blocks(Path(whole.out), 0)])
    assert len(heard) == round(SECONDS * RATE_HZ)
    original = np.concatenate([*audio_blocks(film, 0)])[: len(heard)]
    gone = original - heard[: len(original)]
    assert 0.005 < np.mean(gone**2) / np.mean(original**2) < 0.99, "something was taken out, and not all"


def test_a_damaged_piece_is_made_again(tmp_path: Path) -> None:
    sound = rounded(np.random.default_rng(1).uniform(-1.2, 1.2, (50_000, 2)).astype(np.float32))
    assert np.array_equal(unpacked(packed(sound)), sound) and sound.max() == 32_767
    kept = KeptPieces(tmp_path, 3)
    assert kept.found == 0
    for number in range(3):
        kept.keep(number, sound)
    assert KeptPieces(tmp_path, 3).found == 3
    file = tmp_path / "000001.piece"
    file.write_bytes(file.read_bytes()[:-1])
    assert KeptPieces(tmp_path, 3).found == 1


def context_of(folder: Path, models: Path, limits: Limits = NO_LIMITS) -> tuple[Context, SpleeterEngine]:
    engine = SpleeterEngine(ModelFiles(models))
    registry = build_registry(models=models, separators=(engine,))
    blobs = FolderBlobs(folder / "blobs")
    return Context(blobs, Workspace(folder / "work"), folder / "cache", registry, 1, limits, 3600.0), engine


async def separated(context: Context, engine: SpleeterEngine, film: Path, job: str) -> str:
    cache = context.cache / job
    cache.mkdir(parents=True, exist_ok=True)
    return await stage.separate(
        context, engine, film, "digest", MEDIA, SECONDS, DubOptions(), cache, lambda fraction, message: None
    )


async def test_another_dub_of_the_same_source_separates_nothing(
    film: Path, models: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    context, engine = context_of(tmp_path, models)
    key = await separated(context, engine, film, "one")
    assert context.blobs.size_bytes(key) > 100_000
    stage.forget_separated(context.cache / "one")
    assert not list((context.cache / "one").glob("separation-*"))
    monkeypatch.setattr(stage, "run_task", None)
    assert await separated(context, engine, film, "two") == key
    shutil.rmtree(tmp_path / "blobs")
    with pytest.raises(TypeError):  # it would have to
        await separated(context, engine, film, "two")


async def test_a_disk_that_fills_while_it_works_is_said_and_what_was_done_is_kept(
    film: Path, models: Path, tmp_path: Path
) -> None:
    """A piece fits on the disk, the whole does not."""
    context, engine = context_of(tmp_path, models, Limits(output_bytes=3_000_000))
    with pytest.raises(DubError) as error:
        await separated(context, engine, film, "one")
    assert error.value.problem is MEDIA_LIMIT
    assert len(list((context.cache / "one").glob("separation-*/*.piece"))) == 5
    assert not list((tmp_path / "work").iterdir()), "no half file is left"


async def test_too_little_memory_is_said(film: Path, models: Path, tmp_path: Path) -> None:
    asked = request(film, models, tmp_path / "small")
    with pytest.raises(DubError) as error:
        await run_task("separate", asked, SeparatedSound, report=lambda _: None, limits=Limits(memory_bytes=500 << 20))
    assert error.value.problem is OUT_OF_MEMORY


async def test_without_room_on_the_disk_it_does_not_begin(film: Path, models: Path, tmp_path: Path) -> None:
    context, engine = context_of(tmp_path, models)
    context = msgspec.structs.replace(context, disks=Disks(1 << 60))
    (tmp_path / "cache").mkdir()
    with pytest.raises(DubError) as error:
        await separated(context, engine, film, "one")
    assert error.value.problem is DISK_FULL


def engines(*, ready: bool) -> Registry:
    class Engine(SpleeterEngine):
        def ready(self) -> bool:
            return ready

    return build_registry(models=Path(), separators=(Engine(ModelFiles(Path("nowhere"))),))


@pytest.mark.parametrize(
    ("separate", "background", "ready", "has_stem", "done"),
    [
        (Separate.AUTO, Background.DUCK, True, False, True),
        (Separate.AUTO, Background.DUCK, False, False, False),
        (Separate.AUTO, Background.KEEP, True, False, False),
        (Separate.ON, Background.KEEP, False, False, True),
        (Separate.ON, Background.DUCK, False, False, True),
        (Separate.ON, Background.REPLACE, True, False, False),
        (Separate.ON, Background.DUCK, True, True, False),
        (Separate.OFF, Background.DUCK, True, False, False),
    ],
)
def test_it_is_done_where_it_is_wished_and_would_be_heard(
    separate: Separate, background: Background, ready: bool, has_stem: bool, done: bool
) -> None:
    options = changed(DubOptions(), separate=separate, background=background)
    assert (stage.chosen(engines(ready=ready), options, has_stem=has_stem) is not None) == done


def test_a_silent_track_is_not_worth_it_and_without_an_engine_it_is_refused() -> None:
    silent = msgspec.structs.replace(MEDIA, audio=(msgspec.structs.replace(MEDIA.audio[0], silent=True),))
    assert stage.worth_it(MEDIA, DubOptions()) and not stage.worth_it(silent, DubOptions())
    assert not stage.worth_it(msgspec.structs.replace(MEDIA, audio=()), DubOptions())
    none = build_registry(models=Path())
    assert stage.chosen(none, DubOptions(), has_stem=False) is None
    with pytest.raises(DubError) as error:
        stage.chosen(none, changed(DubOptions(), separate=Separate.ON), has_stem=False)
    assert error.value.problem is ENGINE_UNAVAILABLE
