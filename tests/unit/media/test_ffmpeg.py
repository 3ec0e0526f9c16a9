"""The ffmpeg program: what it may read, how it reports, how it ends."""

import asyncio
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from app.domain.errors import DubError
from app.domain.problems.media import MEDIA_LIMIT, MEDIA_TOOL_FAILED
from app.media import ffmpeg
from app.media.ffmpeg import Command, Input
from app.system.children import Limits
from tests.unit.media.samples import DURATION_S, FFMPEG, sample

ENDLESS = ("-f", "lavfi", "-i", "testsrc2=s=1280x720", "-map", "1:v", "-c:v", "libx264", "-preset", "veryslow")


def copy(source: Path, out: Path, **more: object) -> Command:
    values = {
        "inputs": (Input(source),),
        "options": ("-map", "0", "-c", "copy"),
        "output": out,
        "muxer": "matroska",
        "duration_s": DURATION_S,
    }
    return Command(**{**values, **more})  # type: ignore[arg-type]


def silent(_: float) -> None:
    pass


def names(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def test_a_run_reports_to_the_end_and_leaves_a_whole_file(tmp_path: Path) -> None:
    heard: list[float] = []
    await ffmpeg.run(copy(sample("plain.mp4"), tmp_path / "out.mkv"), heard.append)
    assert heard == sorted(heard)
    assert heard[-1] == 1.0
    assert names(tmp_path) == ["out.mkv"]


@pytest.mark.parametrize(
    "name", ["-i.mp4", "a 'b\" $(touch x) é;.mp4", "file:..mp4", "%d%s\n.mp4", "$HOME|cat.mp4", "-y", "concat:a|b.mp4"]
)
async def test_a_file_name_is_never_more_than_a_name(tmp_path: Path, name: str) -> None:
    odd = tmp_path / name
    odd.write_bytes(sample("plain.mp4").read_bytes())
    await ffmpeg.run(copy(odd, tmp_path / ("out" + name)), silent)
    assert (tmp_path / ("out" + name)).stat().st_size > 10_000


HOSTILE = {
    "dash": '<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" '
    'profiles="urn:mpeg:dash:profile:isoff-on-demand:2011" '
    'type="static" mediaPresentationDuration="PT4S"><Period>'
    '<AdaptationSet mimeType="video/mp4"><Representation id="0" codecs="avc1" '
    'bandwidth="1"><BaseURL>{victim}</BaseURL></Representation>'
    "</AdaptationSet></Period></MPD>",
    "hls": "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{victim}\n#EXT-X-ENDLIST\n",
    "concat": "ffconcat version 1.0\nfile '{victim}'\n",
    "metadata": ";FFMETADATA1\ntitle={victim}\n",
}


@pytest.mark.parametrize("kind", HOSTILE)
@pytest.mark.parametrize("extension", ["mp4", "srt", "m3u8", "mpd", "txt"])
async def test_a_script_that_names_another_file_is_not_opened(tmp_path: Path, kind: str, extension: str) -> None:
    script = tmp_path / f"video.{extension}"
    script.write_text(HOSTILE[kind].format(victim=sample("offset.ts")))
    with pytest.raises(DubError) as caught:
        await ffmpeg.run(copy(script, tmp_path / "out.mkv"), silent)
    assert caught.value.problem is MEDIA_TOOL_FAILED
    assert not (tmp_path / "out.mkv").exists()


@pytest.mark.parametrize("kind", ["dash", "concat"])
def test_the_scripts_above_are_dangerous(tmp_path: Path, kind: str) -> None:
    """Opened as anyone would, they read the other file: the refusals above mean something."""
    (tmp_path / "victim.mp4").write_bytes(sample("fragmented.mp4").read_bytes())
    script = tmp_path / "video.mp4"
    script.write_text(HOSTILE[kind].format(victim="victim.mp4"))
    subprocess.run(
        [FFMPEG, "-v", "error", "-y", "-i", str(script), "-c", "copy", str(tmp_path / "stolen.mkv")], check=True
    )
    assert (tmp_path / "stolen.mkv").stat().st_size > 10_000


async def test_a_script_is_no_subtitle_file_either(tmp_path: Path) -> None:
    script = tmp_path / "lines.srt"
    script.write_text(HOSTILE["concat"].format(victim=sample("offset.ts")))
    with pytest.raises(DubError):
        await ffmpeg.run(copy(script, tmp_path / "out.mkv", inputs=(Input(script, formats="srt"),)), silent)


async def test_an_unknown_decoder_does_not_run(tmp_path: Path) -> None:
    encode = ("-map", "0:v", "-c:v", "libx264")
    await ffmpeg.run(copy(sample("plain.mp4"), tmp_path / "known.mkv", options=encode), silent)
    with pytest.raises(DubError):
        await ffmpeg.run(copy(sample("magicyuv.mkv"), tmp_path / "unknown.mkv", options=encode), silent)


async def test_a_failure_says_why_and_not_where(tmp_path: Path) -> None:
    broken = tmp_path / "secret-folder.mp4"
    broken.write_bytes(os.urandom(50_000))
    with pytest.raises(DubError) as caught:
        await ffmpeg.run(copy(broken, tmp_path / "out.mkv"), silent)
    assert caught.value.problem is MEDIA_TOOL_FAILED
    assert "Invalid data" in caught.value.detail
    assert "secret" not in caught.value.detail and str(tmp_path) not in caught.value.detail
    assert names(tmp_path) == ["secret-folder.mp4"]


async def test_cancelling_kills_the_child_and_leaves_nothing(
    tmp_path: Path, own_children: Callable[[], list[psutil.Process]]
) -> None:
    running = asyncio.Event()
    task = asyncio.create_task(
        ffmpeg.run(copy(sample("plain.mp4"), tmp_path / "out.mkv", options=ENDLESS), lambda _: running.set())
    )
    await asyncio.wait_for(running.wait(), 30)
    children = own_children()
    assert any("ffmpeg" in child.name() for child in children)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
    assert names(tmp_path) == []


async def test_a_run_that_gets_no_further_is_given_up(tmp_path: Path) -> None:
    fifo = tmp_path / "never.mp4"
    os.mkfifo(fifo)
    keep_open = os.open(fifo, os.O_RDWR)  # a writer that never writes
    try:
        with pytest.raises(DubError) as caught:
            await ffmpeg.run(copy(fifo, tmp_path / "out.mkv"), silent, stall_s=1.0)
    finally:
        os.close(keep_open)
    assert caught.value.problem is MEDIA_LIMIT


async def test_a_run_over_its_limits_is_named(tmp_path: Path) -> None:
    with pytest.raises(DubError) as caught:
        await ffmpeg.run(
            copy(sample("plain.mp4"), tmp_path / "out.mkv", options=ENDLESS), silent, limits=Limits(cpu_s=1)
        )
    assert caught.value.problem is MEDIA_LIMIT


def test_a_metadata_value_stays_one_argument() -> None:
    assert ffmpeg.metadata("s:a:0", "title", "-y evil\n=\0x") == ("-metadata:s:a:0", "title=-y evil=x")


def test_what_ffmpeg_says_is_told_without_paths() -> None:
    said = "[mov @ 0x55d0] moov atom not found\n[in#0] Error opening input: /home/me/x.mp4: No such file"
    assert (
        ffmpeg.sanitise(said, Path("/data/out.mp4"))
        == "[mov] moov atom not found | [in#0] Error opening input: ...: No such file"
    )


async def test_a_question_is_answered_with_both_channels_and_the_status() -> None:
    answer = await ffmpeg.ask(["-encoders"])
    assert answer.code == 0 and "libx264" in answer.stdout
    described = await ffmpeg.ask([], inputs=(Input(sample("plain.mp4")),))
    # it wants an output, and has told what we asked for
    assert described.code != 0 and "Video: h264" in described.stderr


@pytest.mark.parametrize("kind", HOSTILE)
async def test_a_script_is_not_opened_for_a_question_either(tmp_path: Path, kind: str) -> None:
    script = tmp_path / "video.mp4"
    script.write_text(HOSTILE[kind].format(victim=sample("offset.ts")))
    assert "Video:" not in (await ffmpeg.ask([], inputs=(Input(script),))).stderr


async def test_a_question_that_is_not_answered_is_given_up(own_children: Callable[[], list[psutil.Process]]) -> None:
    with pytest.raises(DubError) as caught:
        await ffmpeg.ask(["-f", "lavfi", "-i", "testsrc2", "-f", "null", "-"], timeout_s=0.5)
    assert caught.value.problem is MEDIA_LIMIT
    assert not own_children()
