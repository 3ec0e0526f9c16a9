"""Files that want other files or servers to be read: refused by every door that media comes in by, and nothing is
touched."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.domain.dub_options import Background
from app.domain.errors import DubError
from app.domain.media import FORMAT_WHITELIST, MediaInfo
from app.domain.problems.lines import SUBTITLES_EMPTY, SUBTITLES_INVALID
from app.domain.problems.media import MEDIA_DAMAGED, MEDIA_TOOL_FAILED, NOT_MEDIA, PLAYLIST
from app.dubbing.ingest import ingest
from app.dubbing.mixing.mix import mixdown
from app.dubbing.probe import probe
from app.dubbing.subtitles.srt_vtt import parse
from app.dubbing.worker.client import run_task
from app.dubbing.worker.tasks import IngestRequest, MixRequest, ProbeRequest
from app.media import ffmpeg
from app.media.ffmpeg import Command, Input
from app.system.children import Limits
from tests.hostile.attacks import MEDIA, SCRIPTS, Trap
from tests.unit.media.samples import DURATION_S, FFMPEG, sample

REFUSED = (PLAYLIST, NOT_MEDIA, MEDIA_DAMAGED)


@pytest.fixture
def trap(tmp_path: Path) -> Iterator[Trap]:
    (tmp_path / "trap").mkdir()
    with Trap(tmp_path / "trap") as made:
        yield made


@pytest.fixture(params=["file", "server"])
def there(request: pytest.FixtureRequest, trap: Trap) -> str:
    """What the attack names: a file by its absolute path, or an address of a server that listens."""
    return str(trap.file) if request.param == "file" else trap.address


def written(folder: Path, name: str, there: str) -> Path:
    path = folder / name
    path.write_text(SCRIPTS[name].format(there=there))
    return path


def ingest_request(path: Path, out: Path) -> IngestRequest:
    return IngestRequest(
        path=str(path), out=str(out), audio_track=0, max_duration_s=3600, size_bytes=path.stat().st_size
    )


def mix_request(folder: Path, **inputs: str | None) -> MixRequest:
    values: dict[str, object] = {
        "source": str(sample("plain.mp4")),
        "source_id": "a",
        "audio_track": 0,
        "duration_s": 1.0,
        "clips": (),
    }
    values |= {
        "background": Background.KEEP,
        "energies": None,
        "chunk_cache": str(folder / "cache"),
        "out": str(folder / "out.m4a"),
        "threads": 1,
    }
    return MixRequest(**{**values, **inputs})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["dash.mp4", "hls.m3u8", "ffconcat.mp4"])
def test_the_attacks_are_real_and_the_trap_notices(tmp_path: Path, trap: Trap, name: str) -> None:
    """Opened as anyone would, they read the other file: what follows means something."""
    trap.touched()
    attack = written(tmp_path, name, str(trap.file))
    unsafe = ["-safe", "0"] if name == "ffconcat.mp4" else []
    subprocess.run(
        [FFMPEG, "-v", "quiet", *unsafe, "-i", str(attack), "-c", "copy", "-f", "null", "-"], timeout=30, check=False
    )
    assert trap.touched() == ["file"]


def test_the_trap_notices_a_question_to_its_server(tmp_path: Path, trap: Trap) -> None:
    attack = written(tmp_path, "hls.m3u8", trap.address)
    allowed = ["-protocol_whitelist", "file,http,tcp", "-rw_timeout", "300000"]
    with contextlib.suppress(subprocess.TimeoutExpired):
        subprocess.run([FFMPEG, "-v", "quiet", *allowed, "-i", str(attack), "-f", "null", "-"], timeout=5, check=False)
    assert "server" in trap.touched()


@pytest.mark.parametrize("name", SCRIPTS)
def test_probe_and_ingest_refuse_it(tmp_path: Path, trap: Trap, there: str, name: str) -> None:
    attack = written(tmp_path, name, there)
    with pytest.raises(DubError) as caught:
        probe(attack)
    assert caught.value.problem in REFUSED
    with pytest.raises(DubError) as caught:  # nobody comes here without having been probed; it holds all the same
        ingest(ingest_request(attack, tmp_path), lambda _: None)
    assert caught.value.problem in REFUSED
    assert trap.touched() == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_as_subtitles_it_is_text_and_never_opened(tmp_path: Path, trap: Trap, there: str, name: str) -> None:
    attack = written(tmp_path, name, there)
    try:
        cues = parse(attack.read_bytes())
        assert name == "ffconcat that starts like a cue.srt" and "file '" in cues[0].text  # said aloud, it does no harm
    except DubError as error:
        assert error.problem in (SUBTITLES_INVALID, SUBTITLES_EMPTY)
    assert trap.touched() == []


@pytest.mark.parametrize("part", ["source", "stem"])
@pytest.mark.parametrize("name", SCRIPTS)
def test_the_mix_refuses_it(tmp_path: Path, trap: Trap, there: str, name: str, part: str) -> None:
    attack = written(tmp_path, name, there)
    with pytest.raises(DubError) as caught:
        mixdown(mix_request(tmp_path, **{part: str(attack), f"{part}_id": "b"}), lambda _: None)
    assert caught.value.problem in REFUSED
    assert trap.touched() == []


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_ffmpeg_program_refuses_it(tmp_path: Path, trap: Trap, there: str, name: str) -> None:
    attack = written(tmp_path, name, there)
    options = ("-map", "0", "-c", "copy")

    async def tried(formats: str) -> None:
        command = Command(
            inputs=(Input(attack, formats=formats),),
            options=options,
            output=tmp_path / "out.mkv",
            muxer="matroska",
            duration_s=1,
        )
        with pytest.raises(DubError) as caught:
            await ffmpeg.run(command, lambda _: None)
        assert caught.value.problem is MEDIA_TOOL_FAILED

    async def all_tried() -> None:
        await asyncio.gather(
            *(tried(formats) for formats in (FORMAT_WHITELIST, "mov", *(["srt"] if "-->" not in SCRIPTS[name] else [])))
        )

    asyncio.run(all_tried())
    assert not (tmp_path / "out.mkv").exists()
    assert trap.touched() == []


@pytest.mark.parametrize("name", MEDIA)
def test_media_that_names_another_file_is_taken_for_itself(tmp_path: Path, trap: Trap, there: str, name: str) -> None:
    attack = tmp_path / name
    MEDIA[name](attack, there)
    trap.touched()
    before = set(tmp_path.iterdir())
    info = probe(attack)
    assert info.audio
    (tmp_path / "out").mkdir()
    with contextlib.suppress(DubError):  # where its samples are said to lie elsewhere there may be nothing to decode
        assert ingest(ingest_request(attack, tmp_path / "out"), lambda _: None).duration_s == pytest.approx(
            DURATION_S, abs=0.1
        )
        mixdown(mix_request(tmp_path / "out", stem=str(attack), stem_id="b"), lambda _: None)
    options = ("-map", "0:v?", "-map", "0:a?", "-c", "copy")
    command = Command(
        inputs=(Input(attack),), options=options, output=tmp_path / "out" / "o.mkv", muxer="matroska", duration_s=1
    )
    with contextlib.suppress(DubError):
        asyncio.run(ffmpeg.run(command, lambda _: None))
    assert trap.touched() == []
    assert set(tmp_path.iterdir()) - before == {tmp_path / "out"}


@pytest.mark.parametrize("name", ["dash.mp4", "hls.m3u8", "ffconcat.mp4"])
async def test_the_real_child_says_the_same(tmp_path: Path, trap: Trap, name: str) -> None:
    attack = written(tmp_path, name, trap.address)
    with pytest.raises(DubError) as caught:
        await run_task("probe", ProbeRequest(str(attack)), MediaInfo, report=lambda _: None, limits=Limits())
    assert caught.value.problem is PLAYLIST
    assert trap.touched() == []
