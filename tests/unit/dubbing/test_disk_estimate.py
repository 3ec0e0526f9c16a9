"""Room for a stage's work: refused before it begins, asked for anew when it was thought too small, given back at its
end."""

from __future__ import annotations

import asyncio
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest

from app.domain.dub_options import AudioFormat, DubOptions, changed
from app.domain.errors import DubError
from app.domain.media import MediaInfo, VideoStream
from app.domain.segment import Clip, Placement, Segment
from app.dubbing.casting import VoiceChoice
from app.dubbing.context import Context
from app.dubbing.disk_estimate import finish_bytes, ingest_bytes, line_bytes, mix_bytes, scratch
from app.dubbing.ingest import ingest
from app.dubbing.mixing.mix import mixdown
from app.dubbing.synthesize import synthesize
from app.dubbing.worker.tasks import IngestRequest
from app.speech.ports import SpeechRequest, SpeedLimits, Spoken
from app.storage import disk_following
from app.storage.blobs import FolderBlobs
from app.storage.disk_floor import Floor
from app.storage.disk_floors import Disks
from app.storage.workspace import Workspace
from app.system.children import Limits
from tests.unit.dubbing.mixing.mixes import DURATION_S, bursts, request
from tests.unit.dubbing.sounds import noise, write_wav

OPTIONS = changed(DubOptions(), recognizer="subtitles", model="tiny", voice="stub:a", audio_track=0)
CAPACITY, FLOOR = 100 << 20, 10 << 20


class OneDisk(Disks):
    """A disk of 100 MB of which 10 must stay free; what is in the folder lies on it, and `other` bytes besides."""

    def __init__(self, folder: Path) -> None:
        super().__init__(FLOOR)
        self.other = 0
        self.folder = folder
        self.floor = Floor(self.free, FLOOR)

    def free(self) -> int:
        return CAPACITY - self.other - sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())

    def at(self, place: Path) -> Floor:
        return self.floor


def kit_on(folder: Path, engines: Any = None) -> tuple[Context, OneDisk]:
    disk = OneDisk(folder)
    return Context(
        FolderBlobs(folder / "blobs"),
        Workspace(folder / "scratch"),
        folder / "cache",
        engines,
        1,
        Limits(),
        3600.0,
        disk,
        (folder / "blobs",),
    ), disk


async def test_work_without_room_does_not_begin(tmp_path: Path) -> None:
    context, disk = kit_on(tmp_path)
    disk.other = 80 << 20
    with pytest.raises(DubError, match="disk_full"):
        async with scratch(context, "mux", 11 << 20):
            raise AssertionError("it began")
    assert list((tmp_path / "scratch").iterdir()) == [] and disk.floor.reserved_bytes() == 0


async def test_work_has_its_room_until_it_ends_however_that_is(tmp_path: Path) -> None:
    context, disk = kit_on(tmp_path)
    async with scratch(context, "mux", 50 << 20):
        with pytest.raises(DubError, match="disk_full"):
            disk.floor.reserve(41 << 20)
    assert disk.floor.reserved_bytes() == 0
    with pytest.raises(ZeroDivisionError):
        async with scratch(context, "mux", 50 << 20):
            raise ZeroDivisionError
    assert disk.floor.reserved_bytes() == 0


async def test_what_has_been_written_is_promised_no_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(disk_following, "_LOOK_S", 0.01)
    context, disk = kit_on(tmp_path)
    async with scratch(context, "mux", 50 << 20) as folder:
        await asyncio.to_thread((folder / "a").write_bytes, bytes(30 << 20))
        async with asyncio.timeout(10):
            while disk.floor.reserved_bytes() != 20 << 20:
                await asyncio.sleep(0.01)


async def test_work_that_outgrows_its_room_gets_more_or_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(disk_following, "_LOOK_S", 0.01)
    context, disk = kit_on(tmp_path)
    with pytest.raises(DubError, match="disk_full"):
        async with asyncio.timeout(30), scratch(context, "mux", 1 << 20) as folder:
            with (folder / "a").open("wb") as file:
                while True:
                    await asyncio.to_thread(file.write, bytes(1 << 20))
                    size = file.tell()
                    file.flush()
                    while disk.floor.reserved_bytes() + size < 2 << 20:
                        await asyncio.sleep(0.01)
                    await asyncio.sleep(0.05)
    task = asyncio.current_task()
    assert task is not None and task.cancelling() == 0
    assert size > 16 << 20, "it got more first"
    assert CAPACITY - size >= FLOOR


async def test_a_cancelled_stage_is_cancelled_not_full(tmp_path: Path) -> None:
    context, disk = kit_on(tmp_path)
    began = asyncio.Event()

    async def work() -> None:
        async with scratch(context, "mux", 1 << 20):
            began.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert disk.floor.reserved_bytes() == 0


class Stub:
    """A voice that counts what it speaks, a second of 22 kHz for each line."""

    name = "stub"
    speeds = SpeedLimits(0.5, 2.0)
    cost_unit = None

    def __init__(self) -> None:
        self.spoken = 0

    def fingerprint(self, request: SpeechRequest) -> str:
        return request.text

    async def check(self, request: SpeechRequest) -> None: ...

    async def prepare(self, request: SpeechRequest, on_progress: Any) -> None:
        pass

    async def limit(self, request: SpeechRequest) -> int:
        return 2

    async def speak(self, request: SpeechRequest, *_: object) -> Spoken:
        self.spoken += 1
        return Spoken(bytes(44_100), 22_050, 1.0, 0.0)


async def test_no_line_is_bought_that_would_have_no_room(tmp_path: Path) -> None:
    voice = Stub()
    context, disk = kit_on(tmp_path, SimpleNamespace(voice=lambda name: (voice, "a")))
    lines = [Segment(f"s{n}", n, n + 0.9, f"Line number {n}.", f"Line number {n}.", "", False, ()) for n in range(5)]
    choice = VoiceChoice("stub:a", "", 1.0, "en")

    async def speak() -> tuple[Clip, ...]:
        return await synthesize(context, lines, choice, on_clip=lambda _: None, report=lambda *_: None)

    disk.other = CAPACITY - FLOOR - 1000
    with pytest.raises(DubError, match="disk_full"):
        await speak()
    assert voice.spoken == 0
    disk.other = 0
    assert len(await speak()) == voice.spoken == 5
    disk.other = disk.free() - FLOOR  # they are there: nothing is written, nothing is wanted
    assert len(await speak()) == voice.spoken == 5
    assert disk.floor.reserved_bytes() == 0


def size_of(*places: Path) -> int:
    return sum(
        path.stat().st_size
        for place in places
        for path in (place.rglob("*") if place.is_dir() else [place])
        if path.is_file()
    )


def test_ingest_writes_no_more_than_was_thought(tmp_path: Path) -> None:
    source, out, kept = write_wav(tmp_path / "a.wav", noise(60.0)), tmp_path / "out", tmp_path / "kept"
    out.mkdir()
    done = ingest(IngestRequest(str(source), str(out), 0, 3600.0, source.stat().st_size, str(kept)), lambda _: None)
    thought = ingest_bytes(MediaInfo("wav", done.duration_s, 0.0, source.stat().st_size, None, ()))
    assert 120 * 32_000 < size_of(out, kept) <= thought < size_of(out, kept) + (5 << 20)


def test_a_mix_writes_no_more_than_was_thought(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("app.dubbing.mixing.mix._forget", lambda *_: None)  # what it takes before it tidies up
    source, alone = write_wav(tmp_path / "a.wav", noise(DURATION_S)), tmp_path / "audio.wav"
    clips = bursts(tmp_path)
    mixdown(request(tmp_path, source, clips, audio_out=str(alone), audio_format=AudioFormat.WAV), lambda _: None)
    written = size_of(tmp_path / "cache", tmp_path / "out.m4a", alone)
    placed = [Placement("s", clip.start_s, clip.duration_s, 1.0, 0.0, 0.0, ()) for clip in clips]
    thought = mix_bytes(changed(OPTIONS, audio_format=AudioFormat.WAV), DURATION_S, placed)
    assert 192_000 * DURATION_S < written <= thought < written + (5 << 20)


def test_what_takes_more_is_estimated_higher() -> None:
    info = MediaInfo("mov", 100.0, 0.0, 50 << 20, VideoStream(0, "h264", 1920, 1080, 25.0, 0), ())
    burned = changed(OPTIONS, burn_subtitles=True)
    assert 50 << 20 < finish_bytes(info, OPTIONS, 100.0) < 70 << 20 < finish_bytes(info, burned, 100.0)
    placed = [Placement("s", 0.0, 50.0, 1.0, 0.0, 0.0, ())]
    wav = changed(OPTIONS, audio_format=AudioFormat.WAV)
    assert 100 * 48_000 < mix_bytes(OPTIONS, 100.0, placed) < mix_bytes(wav, 100.0, placed)
    assert mix_bytes(OPTIONS, 100.0, []) < mix_bytes(OPTIONS, 100.0, placed)
    line = SpeechRequest("a", "", "Hello everybody.", "en", 1.0, "", "", None)
    assert line_bytes(line) > 2 * 88_200 * 0.5
    assert line_bytes(msgspec.structs.replace(line, text="皆さん、こんにちは、今日は。")) > line_bytes(line)
