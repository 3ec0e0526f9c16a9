"""How burned subtitles look, who draws them, and what happens when that is stopped or fails."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import numpy as np
import psutil
import pytest

from app.domain.dub_options import BurnPosition, BurnSize
from app.domain.errors import DubError
from app.domain.problems.media import MEDIA_TOOL_FAILED
from app.dubbing.probe import probe
from app.dubbing.subtitles.ass_writer import Style
from app.dubbing.subtitles.cues import Cue
from app.dubbing.video.burn import BurnRequest, burn, is_hdr
from tests.unit.dubbing.video.test_burn import frames, request_for
from tests.unit.media.samples import make, sample
from tests.unit.media.test_video_encoders import NVENC, fake

TEXT = "Two lines of text that are long enough to be broken, as they should be."


async def look(folder: Path, style: Style, size: str = "640x360") -> np.ndarray:
    """A blue picture with two lines of text, as grey."""
    plain = make(folder / "plain.mp4", "-f", "lavfi", "-i", f"color=0x2060a0:s={size}:r=2:d=1", "-c:v", "libx264")
    await burn(
        msgspec.structs.replace(request_for(plain, folder, (Cue(0.0, 1.0, TEXT),), 1.0), style=style), lambda _: None
    )
    return frames(folder / "burned.mp4")[0.5]


def rows(picture: np.ndarray) -> np.ndarray:
    """The rows in which something bright is drawn."""
    return np.flatnonzero((picture > 200).any(axis=1))


async def test_letters_are_small_medium_or_large(tmp_path: Path) -> None:
    heights = [
        np.ptp(rows(await look(tmp_path, Style(size=size))))
        for size in (BurnSize.SMALL, BurnSize.MEDIUM, BurnSize.LARGE)
    ]
    assert heights[0] * 1.15 < heights[1] and heights[1] * 1.15 < heights[2]


@pytest.mark.parametrize("size", ["640x360", "270x480", "480x480"])
async def test_they_stand_at_the_top_or_at_the_bottom_and_within_the_picture(tmp_path: Path, size: str) -> None:
    for position in BurnPosition:
        picture = await look(tmp_path, Style(BurnSize.LARGE, position), size)
        height, width = picture.shape
        lit = rows(picture)
        assert lit.max() < height * 0.3 if position is BurnPosition.TOP else lit.min() > height * 0.7
        columns = np.flatnonzero((picture > 200).any(axis=0))
        assert width * 0.03 < columns.min() and columns.max() < width * 0.97


async def test_a_box_is_black_behind_the_letters_and_nowhere_else(tmp_path: Path) -> None:
    boxed, bare = await look(tmp_path, Style(box=True)), await look(tmp_path, Style())
    assert (boxed < 30).sum() > 4 * (bare < 30).sum()
    assert (np.abs(boxed[: boxed.shape[0] // 2] - np.median(boxed)) < 10).all()


async def test_the_encoder_that_drew_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    request = request_for(sample("plain.mp4"), tmp_path, (Cue(0.0, 4.0, "HERE"),))
    assert await burn(request, lambda _: None) == "libx264"
    fake(tmp_path, monkeypatch, listed=[NVENC], works=[NVENC])
    assert await burn(msgspec.structs.replace(request, hardware=True), lambda _: None) == NVENC
    assert (np.stack(list(frames(request.out).values()))[:, 100:] > 200).any()


async def test_an_encoder_that_fails_is_followed_by_libx264(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It passed its trial and finds no session left when it is needed."""
    fake(tmp_path, monkeypatch, listed=[NVENC], works=[NVENC], breaks=True)
    request = msgspec.structs.replace(
        request_for(sample("plain.mp4"), tmp_path, (Cue(0.0, 4.0, "HERE"),)), hardware=True
    )
    heard: list[float] = []
    assert await burn(request, heard.append) == "libx264"
    assert heard == sorted(heard) and heard[-1] == 1.0
    assert len(frames(request.out)) == 100


async def test_a_file_that_no_encoder_can_draw_fails_once_and_for_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake(tmp_path, monkeypatch, listed=[NVENC], works=[NVENC])
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(b"x" * 5000)
    info = probe(sample("plain.mp4"))
    work = tmp_path / "work"
    work.mkdir()
    request = BurnRequest(
        source=broken, out=tmp_path / "b.mp4", info=info, duration_s=4.0, cues=(), work=work, threads=1, hardware=True
    )
    with pytest.raises(DubError) as caught:
        await burn(request, lambda _: None)
    assert caught.value.problem is MEDIA_TOOL_FAILED
    assert not request.out.exists()


async def test_cancelling_ends_ffmpeg_and_leaves_nothing(
    tmp_path: Path, own_children: Callable[[], list[psutil.Process]]
) -> None:
    long = make(
        tmp_path / "long.mp4",
        "-f",
        "lavfi",
        "-i",
        "testsrc2=s=1280x720:r=30:d=30",
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
    )
    request = request_for(long, tmp_path, (Cue(0.0, 30.0, "HERE"),), 30.0)
    running = asyncio.Event()
    task = asyncio.create_task(burn(request, lambda done: running.set() if done < 0.5 else None))
    await asyncio.wait_for(running.wait(), 60)
    children = own_children()
    assert any("ffmpeg" in child.name() for child in children)
    for child in children:
        child.suspend()  # by itself it never ends now: whoever waits for it waits for ever
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        async with asyncio.timeout(60):
            await task
    assert not any(child.is_running() and child.status() != psutil.STATUS_ZOMBIE for child in children)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["long.mp4", "work"]


HDR = {"PQ": "smpte2084", "HLG": "arib-std-b67"}


@pytest.mark.parametrize("kind", HDR)
async def test_an_hdr_film_keeps_its_colours(tmp_path: Path, kind: str) -> None:
    """Drawn as it is, it would be grey: red, green and blue come out near where they were before they were made HDR."""
    bars = ["-f", "lavfi", "-i", "smptehdbars=s=320x180:r=2:d=1", "-vf"]
    tagged = "format=yuv444p,setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=tv"
    plain = make(tmp_path / "plain.mkv", *bars, f"{tagged},format=yuv420p", "-c:v", "libx264")
    to_hdr = f"zscale=t={HDR[kind]}:m=bt2020nc:p=bt2020:r=tv:npl=203,format=yuv420p10le"
    bright = make(
        tmp_path / "bright.mkv", *bars, f"{tagged},{to_hdr}", "-c:v", "libx265", "-x265-params", "log-level=error"
    )
    request = request_for(bright, tmp_path, (), 1.0)
    assert request.info.video is not None
    assert await is_hdr(bright, request.info.video)
    await burn(request, lambda _: None)
    made = probe(request.out).video
    assert made is not None and not await is_hdr(request.out, made)
    before, after = colours(plain), colours(request.out)
    assert np.abs(before - after).max() < 35
    assert np.abs(before - colours(bright)).max() > 60  # without that it is another picture


def colours(path: Path) -> np.ndarray:
    """The middle of the seven bars, as RGB."""
    import av

    with av.open(str(path)) as container:
        picture = next(container.decode(video=0)).to_ndarray(format="rgb24").astype(float)
    width = picture.shape[1]
    return np.stack([picture[30:60, round(width * (0.125 + 0.75 * (bar + 0.5) / 7))].mean(axis=0) for bar in range(7)])


async def test_an_ordinary_film_is_not_taken_for_hdr(tmp_path: Path) -> None:
    named = make(
        tmp_path / "s.mkv",
        "-i",
        str(sample("plain.mp4")),
        "-c",
        "copy",
        "-metadata:s:v",
        "title=smpte2084",
        "-metadata",
        "title=arib-std-b67",
    )
    info = probe(named)
    assert info.video is not None
    assert not await is_hdr(named, info.video)
