"""A service takes the voice out: in pieces, in step, none bought twice; what is left is the background."""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from app.domain.dub_options import Background, DubOptions, Separate, changed
from app.domain.errors import DubError
from app.domain.media import AudioStream, MediaInfo
from app.domain.secret_names import Keys
from app.domain.spending import Ceiling
from app.dubbing.context import Context
from app.dubbing.separation import stage
from app.dubbing.separation.isolation import Recording, isolated
from app.jobs import costs
from app.media.decode import audio_blocks
from app.separation.isolated import late_by
from app.separation.spleeter.engine import SpleeterEngine
from app.speech.elevenlabs.isolation import Isolation
from app.speech.model_files import ModelFiles
from app.speech.registry import Registry
from app.spending.paying import MemoryLedger, paid_by
from app.storage.blobs import FolderBlobs
from app.storage.workspace import Workspace
from app.system.children import Limits
from tests.doubles.elevenlabs import KEY, Double
from tests.doubles.elevenlabs.calls import Fault
from tests.doubles.elevenlabs.isolation import LATE_N
from tests.unit.dubbing.sounds import RATE_HZ, write_wav

SECONDS = 15.0
MEDIA = MediaInfo("wav", SECONDS, 0.0, 5, None, (AudioStream(0, 0, "pcm_s16le", 48_000, 2, None, None),), heard=0)
OPTIONS = changed(DubOptions(), separate=Separate.ON, separator=Isolation.name)


def music() -> np.ndarray:
    """Chords at the sides."""
    at = np.arange(round(SECONDS * RATE_HZ)) / RATE_HZ
    chord = sum(np.sin(2 * np.pi * hz * (1 + 0.2 * np.floor(at % 8)) * at) for hz in (220.0, 277.2, 329.6))
    return np.stack([0.06 * chord, -0.06 * chord], axis=1).astype(np.float32)


def speech() -> np.ndarray:
    """In the middle: syllables of a buzz, with pauses."""
    random = np.random.default_rng(4)
    out = np.zeros(round(SECONDS * RATE_HZ), np.float32)
    for begin_n in range(RATE_HZ, len(out) - RATE_HZ, RATE_HZ // 3):
        if random.random() < 0.7:
            hz, count_n = random.uniform(100, 220), RATE_HZ // 4
            at = np.arange(count_n) / RATE_HZ
            buzz = sum(np.sin(2 * np.pi * hz * n * at + n) / n for n in range(1, 25))
            out[begin_n : begin_n + count_n] += 0.15 * buzz * np.hanning(count_n)
    return np.repeat(out[:, None], 2, axis=1)


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_wav(tmp_path_factory.mktemp("film") / "film.wav", music() + speech())


@pytest.fixture
async def double() -> AsyncIterator[Double]:
    async with Double() as running:
        yield running
        assert running.violations == []


def service(url: str, key: str | None = KEY) -> Isolation:
    engine = Isolation(lambda: key, base_url=url, pause_s=0.01)
    engine.piece_s = 8.0
    return engine


def context_of(folder: Path, engine: Isolation) -> Context:
    (folder / "cache").mkdir(parents=True, exist_ok=True)
    blobs, registry = FolderBlobs(folder / "blobs"), Registry((), (), separators=(engine,))
    return Context(blobs, Workspace(folder / "work"), folder / "cache", registry, 1, Limits(), 3600.0)


async def separated(folder: Path, film: Path, engine: Isolation) -> np.ndarray:
    """The background."""
    context = context_of(folder, engine)
    key = await stage.separate(
        context, engine, film, "digest", MEDIA, SECONDS, OPTIONS, context.cache, lambda fraction, message: None
    )
    await engine.close()
    with context.blobs.local_copy(key) as path:
        return np.concatenate(list(audio_blocks(path, 0)))


async def bought(folder: Path, film: Path, engine: Isolation) -> list[str]:
    """Only the voices; their files."""
    context, kept = context_of(folder, engine), folder / "kept"
    kept.mkdir(exist_ok=True)
    recording = Recording(film, "digest", 0, SECONDS, context.cache)
    try:
        found = await isolated(context, engine, recording, kept, context.cache, None, lambda fraction, message: None)
    finally:
        await engine.close()
    return [piece.path for piece in found]


def sdr_db(truth: np.ndarray, made: np.ndarray) -> float:
    return float(10 * np.log10(np.sum(truth**2) / np.sum((truth - made) ** 2)))


@pytest.mark.parametrize(("made_anew", "better_db"), [(False, 15.0), (True, 5.0)])
async def test_the_music_is_left_whether_the_voice_is_a_part_of_the_recording_or_made_anew(
    made_anew: bool, better_db: float, double: Double, film: Path, tmp_path: Path
) -> None:
    double.makes_anew = made_anew
    made = await separated(tmp_path, film, service(double.url))
    assert len(made) == round(SECONDS * RATE_HZ)
    assert sdr_db(music(), made) - sdr_db(music(), music() + speech()) > better_db
    assert double.isolated == pytest.approx([11.0, 13.0], abs=0.1), "pieces with 3 s on both sides"
    assert made[: RATE_HZ // 2] == pytest.approx(music()[: RATE_HZ // 2], abs=0.02), (
        "where nobody speaks it is as it was"
    )


def test_the_step_of_a_voice_is_found_to_the_sample() -> None:
    recording, voice = (music() + speech())[: 8 * RATE_HZ], speech()[: 8 * RATE_HZ]
    for late_n in (0, LATE_N, -500):
        assert late_by(recording, np.roll(voice, late_n, axis=0) * 0.5, RATE_HZ // 2) == late_n


async def test_a_killed_run_buys_only_the_pieces_that_had_not_come(double: Double, film: Path, tmp_path: Path) -> None:
    double.called.clear()
    run = f"bought(Path({str(tmp_path)!r}), Path({str(film)!r}), service({double.url!r}))"
    here = "tests.unit.dubbing.separation.test_isolation"
    code = f"import asyncio; from pathlib import Path; from {here} import *; asyncio.run({run})"
    process = await asyncio.to_thread(
        subprocess.Popen, [sys.executable, "-c", code], cwd=Path(__file__).parents[4], stderr=subprocess.PIPE
    )
    while len(double.isolated) < 2:
        double.called.clear()
        await asyncio.wait_for(double.called.wait(), 60)
    process.kill()
    await asyncio.to_thread(process.communicate)
    came, asked = list((tmp_path / "kept").glob("voice-*.mp3")), len(double.isolated)
    files = await bought(tmp_path, film, service(double.url))
    assert came, "the first was kept before the second was asked for"
    assert len(double.isolated) == asked + 2 - len(came) and len(files) == 2


async def test_what_is_no_voice_of_the_piece_is_asked_for_once_more(double: Double, film: Path, tmp_path: Path) -> None:
    double.faults = [Fault("html", 1, "isolation"), Fault("truncated", 1, "isolation")]
    await bought(tmp_path, film, service(double.url))
    assert len(double.isolated) == 3  # one was half as long
    double.faults = [Fault("truncated", 9, "isolation")]
    with pytest.raises(DubError) as error:
        await bought(tmp_path / "other", film, service(double.url))
    assert error.value.problem.code == "separation_failed"
    assert not list((tmp_path / "other").rglob("voice-*.mp3"))


async def test_without_credits_the_pieces_that_came_are_kept(double: Double, film: Path, tmp_path: Path) -> None:
    double.limit = 300
    with pytest.raises(DubError) as error:
        await bought(tmp_path, film, service(double.url))
    assert error.value.problem.code == "quota_exceeded" and len(double.isolated) == 1
    double.limit = 100_000
    await bought(tmp_path, film, service(double.url))
    assert len(double.isolated) == 2


async def test_a_cancelled_run_ends_at_once_and_keeps_what_came(double: Double, film: Path, tmp_path: Path) -> None:
    double.called.clear()
    running = asyncio.create_task(separated(tmp_path, film, service(double.url)))
    await asyncio.wait_for(double.called.wait(), 60)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, 5)
    assert not list((tmp_path / "work").iterdir())


async def test_it_is_used_only_where_it_is_asked_for_and_has_a_key(double: Double, tmp_path: Path) -> None:
    engines = Registry((), (), separators=(SpleeterEngine(ModelFiles(tmp_path)), service(double.url, None)))
    assert stage.chosen(engines, OPTIONS, has_stem=False) is engines.separator(Isolation.name)
    automatic = changed(OPTIONS, separate=Separate.AUTO)
    assert stage.chosen(engines, automatic, has_stem=False) is None, "nothing is spent by itself"
    with pytest.raises(DubError) as error:
        await stage.prepare(engines, OPTIONS, print, has_stem=False)
    assert error.value.problem.code == "key_missing"
    await stage.prepare(engines, OPTIONS, print, has_stem=False, keys=Keys({"elevenlabs": KEY}))
    told = {one.name: one for one in await engines.infos()}[Isolation.name]
    assert not told.availability.available and told.kind == "separator" and told.cost_unit is not None
    assert (await service(double.url).info(KEY)).availability.available


async def test_its_credits_are_counted_and_a_ceiling_stops_it_before_it_is_passed(
    double: Double, film: Path, tmp_path: Path
) -> None:
    ledger = MemoryLedger(Ceiling(credits=350.0))  # the pieces take 184 and 217
    with paid_by(ledger), pytest.raises(DubError) as error:
        await bought(tmp_path, film, service(double.url))
    assert error.value.problem.code == "ceiling_reached"
    assert double.isolated == pytest.approx([11.0], abs=0.1)
    assert (ledger.spent().credits, ledger.spent().open_credits) == (184, 0.0)


def test_its_credits_are_foreseen_where_it_is_asked_for(tmp_path: Path) -> None:
    engines = Registry((), (), separators=(SpleeterEngine(ModelFiles(tmp_path)), service("http://127.0.0.1:9")))
    context = SimpleNamespace(engines=engines)

    def foreseen(options: DubOptions, stem: str | None = None) -> list[tuple[str, str, float]]:
        row = SimpleNamespace(job=SimpleNamespace(media=MEDIA, options=options), stem_key=stem)
        return [(each.engine, each.unit, each.amount) for each in costs.separation(context, row, 90.0)]  # type: ignore[arg-type]

    assert foreseen(OPTIONS) == [("elevenlabs", "credit", 1500)]
    assert foreseen(OPTIONS, "uploads/stem") == foreseen(changed(OPTIONS, separate=Separate.AUTO)) == []
    assert foreseen(changed(OPTIONS, separator="spleeter", background=Background.REPLACE)) == []
