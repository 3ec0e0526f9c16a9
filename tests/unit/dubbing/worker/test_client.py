"""Tasks in a child process: results, errors by their code, and ends that nobody planned."""

from __future__ import annotations

import asyncio
import math
import subprocess
import wave
from collections.abc import Callable
from pathlib import Path

import msgspec
import psutil
import pytest

from app.config.settings import Settings
from app.domain.dub_options import Background
from app.domain.errors import DubError
from app.domain.media import MediaInfo
from app.domain.problems.media import MEDIA_LIMIT, NOT_MEDIA
from app.dubbing.worker.client import limits_of as limits_for
from app.dubbing.worker.client import run_task
from app.dubbing.worker.tasks import Ingested, IngestRequest, MixReport, MixRequest, ProbeRequest
from app.server.engines import limits_of
from app.system.children import Limits

MIX = MixRequest(
    source="x",
    source_id="tone",
    audio_track=0,
    duration_s=2.0,
    clips=(),
    background=Background.KEEP,
    energies=None,
    chunk_cache="y",
    out="out.m4a",
    threads=1,
)


def silent(_: float) -> None:
    return None


@pytest.fixture
def tone(tmp_path: Path) -> Path:
    path = tmp_path / "tone.wav"
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(48_000)
        file.writeframes(b"\x00\x10" * 48_000 * 2)
    return path


async def test_a_task_gives_its_result(tone: Path) -> None:
    info = await run_task("probe", ProbeRequest(str(tone)), MediaInfo, report=silent, limits=Limits())
    assert (info.format, info.duration_s, len(info.audio)) == ("wav", 2.0, 1)


async def test_an_error_comes_back_as_it_was_raised(tmp_path: Path) -> None:
    (tmp_path / "x.mp4").write_bytes(b"no media at all")
    with pytest.raises(DubError) as caught:
        await run_task("probe", ProbeRequest(str(tmp_path / "x.mp4")), MediaInfo, report=silent, limits=Limits())
    assert caught.value.problem is NOT_MEDIA


async def test_progress_is_reported_and_a_cancelled_task_is_gone_at_once(
    tmp_path: Path, ffmpeg: str, own_children: Callable[[], list[psutil.Process]]
) -> None:
    long = tmp_path / "long.flac"
    subprocess.run([ffmpeg, "-v", "error", "-f", "lavfi", "-i", "anoisesrc=d=900:r=8000", str(long)], check=True)
    started = asyncio.Event()
    loop = asyncio.get_running_loop()
    request = IngestRequest(
        path=str(long), out=str(tmp_path), audio_track=0, max_duration_s=3600, size_bytes=long.stat().st_size
    )
    task = asyncio.create_task(
        run_task(
            "ingest",
            request,
            Ingested,
            report=lambda done: loop.call_soon_threadsafe(started.set) if done > 0 else None,
            limits=Limits(),
        )
    )
    await asyncio.wait_for(started.wait(), 30)
    at_work = own_children()
    assert at_work
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    _, alive = psutil.wait_procs(at_work, timeout=2)
    assert alive == []


async def test_a_file_that_grows_beyond_its_limit_is_told(tone: Path, tmp_path: Path) -> None:
    request = msgspec.structs.replace(MIX, source=str(tone), chunk_cache=str(tmp_path), out=str(tmp_path / "out.m4a"))
    with pytest.raises(DubError) as caught:
        await run_task("mix", request, MixReport, report=silent, limits=Limits(output_bytes=1000))
    assert caught.value.problem is MEDIA_LIMIT


async def test_a_task_that_computes_for_ever_is_ended(tone: Path, tmp_path: Path, ffmpeg: str) -> None:
    long = tmp_path / "long.flac"
    subprocess.run([ffmpeg, "-v", "error", "-f", "lavfi", "-i", "anoisesrc=d=3000:r=8000", str(long)], check=True)
    request = IngestRequest(
        path=str(long), out=str(tmp_path), audio_track=0, max_duration_s=3600, size_bytes=long.stat().st_size
    )
    with pytest.raises(DubError) as caught:
        await run_task("ingest", request, Ingested, report=silent, limits=Limits(cpu_s=2))
    assert caught.value.problem is MEDIA_LIMIT


@pytest.mark.parametrize("given", [Limits(), Limits(memory_bytes=8 << 30), limits_of(Settings())])
def test_no_child_that_reads_a_strangers_file_is_unbounded(given: Limits) -> None:
    probing = limits_for(ProbeRequest("x"), given)
    ingesting = limits_for(IngestRequest("x", "y", 0, 6 * 3600.0, 1), given)
    for limits in (probing, ingesting):
        assert 0 < limits.memory_bytes <= 1 << 30
        assert limits.output_bytes
    assert 0 < probing.cpu_s <= 30 and 0 < ingesting.cpu_s <= 3600
    mixing = limits_for(msgspec.structs.replace(MIX, threads=2), given)
    assert 0 < mixing.memory_bytes < 1.2 * (1 << 30) and mixing.cpu_s


@pytest.mark.parametrize("max_duration_s", [6 * 3600.0, math.inf])
def test_the_default_settings_limit_every_child(max_duration_s: float) -> None:
    limits = limits_of(Settings(max_duration_s=max_duration_s))
    assert limits.memory_bytes and 0 < limits.cpu_s < 1 << 31 and limits.output_bytes


def test_a_tighter_limit_of_the_operator_holds() -> None:
    assert limits_for(ProbeRequest("x"), Limits(memory_bytes=5, cpu_s=1, output_bytes=3)) == Limits(5, 1, 3)
    assert limits_for(IngestRequest("x", "y", 0, math.inf, 1), Limits()).cpu_s < 1 << 31
