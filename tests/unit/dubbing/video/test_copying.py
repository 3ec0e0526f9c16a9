"""What is shown stays what is shown: cut, trimmed and changing pictures, copied where a copy can say so, else
encoded."""

from __future__ import annotations

import json
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest

from app.domain.dub_options import Container
from app.domain.errors import DubError
from app.domain.media import MediaInfo, Obstacle
from app.domain.problems.media import CONTAINER_UNSUITABLE
from app.dubbing.probe import probe_task
from app.dubbing.video import containers
from app.dubbing.video.burn import BurnRequest, burn
from app.dubbing.video.mux import CueTrack, DubbedTrack, MuxRequest, mux
from app.dubbing.worker.tasks import ProbeRequest
from tests.unit.dubbing.options import options
from tests.unit.dubbing.video.muxing import CUES
from tests.unit.media.edits import CUT, TRIMMED, edited, resized
from tests.unit.media.samples import FFMPEG, make, sample


def read(path: Path) -> MediaInfo:
    return probe_task(ProbeRequest(str(path), whole=True), lambda _: None)


def shown(path: Path) -> list[tuple[float, tuple[int, int], float]]:
    """(second, size, brightness) of every picture that is shown, in order, by FFmpeg's own word."""
    with av.open(str(path)) as container:
        start_s = (container.start_time or 0) / 1e6
        frames = list(container.decode(video=0))
        return [
            (
                round(f.time - start_s, 3),
                (f.width, f.height),
                float(f.to_ndarray(format="gray").astype(float)[:, : f.width].mean()),
            )
            for f in frames
        ]


def counting(path: Path, seconds: float = 4.0) -> Path:
    """A film in which every picture is a little brighter than the one before: each is known by itself."""
    grey = rf"color=black:s=160x120:r=25:d={seconds},format=yuv420p,geq=lum='16+N*2':cb=128:cr=128"
    coded = ("-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-g", "30", "-qp", "8", "-c:a", "aac")
    return make(path, "-f", "lavfi", "-i", grey, "-f", "lavfi", "-i", f"sine=d={seconds}:r=48000", *coded)


async def finished(source: Path, info: MediaInfo, out: Path, *, encode: bool) -> Path:
    work = out.parent / "work"
    work.mkdir(exist_ok=True)
    burned = None
    if encode:
        burned = work / "picture.mp4"
        await burn(
            BurnRequest(
                source=source, out=burned, info=info, duration_s=info.duration_s, cues=(), work=work, threads=1
            ),
            lambda _: None,
        )
    track = make(work / "track.m4a", "-f", "lavfi", "-i", f"sine=d={info.duration_s}:r=48000", "-c:a", "aac")
    request = MuxRequest(
        source=source,
        out=out,
        info=info,
        duration_s=info.duration_s,
        dubs=(DubbedTrack(track, "aac", "es"),),
        work=work,
        burned=burned,
        lines=(CueTrack(CUES, "es", "Dub"),),
    )
    await mux(request, lambda _: None)
    return out


def header_s(path: Path) -> tuple[float, float]:
    """How long the whole and the picture are, as the header says."""
    with av.open(str(path)) as container:
        picture = container.streams.video[0]
        return (container.duration or 0) / 1e6, float((picture.duration or 0) * (picture.time_base or Fraction(0)))


def same_pictures(
    before: list[tuple[float, tuple[int, int], float]], after: list[tuple[float, tuple[int, int], float]]
) -> None:
    """The same ones in the same order; where a cut leaves less than a picture's time to one, half of that may be given
    to it."""
    assert len(before) == len(after)
    late_s = np.abs(np.subtract([at for at, _, _ in before], [at for at, _, _ in after]))
    assert late_s.max() <= 0.021 and (late_s > 0.002).sum() <= 2
    assert np.abs(np.subtract([grey for _, _, grey in before], [grey for _, _, grey in after])).max() < 1.0


@pytest.mark.parametrize(
    "edits", [CUT, ((0.0, 1.0), (0.4, 1.0)), ((2.0, 1.0), (0.5, 1.0)), ((1.3, 0.7), (3.0, 0.5), (0.2, 0.6))]
)
async def test_what_was_cut_out_stays_out(tmp_path: Path, edits: tuple) -> None:
    source = edited(counting(tmp_path / "whole.mp4"), tmp_path / "film.mp4", edits)
    info = read(source)
    assert info.video is not None and containers.must_encode(info.video, Container.AUTO, is_opus=False)
    before = shown(source)
    assert len(before) == pytest.approx(25 * sum(length for _, length in edits), abs=len(edits))
    same_pictures(before, shown(await finished(source, info, tmp_path / "out.mp4", encode=True)))


async def test_a_trimmed_film_is_copied_and_its_header_tells_the_truth(tmp_path: Path) -> None:
    source = edited(counting(tmp_path / "whole.mp4"), tmp_path / "film.mp4", TRIMMED)
    info = read(source)
    assert info.video is not None and not containers.must_encode(info.video, Container.AUTO, is_opus=False)
    out = await finished(source, info, tmp_path / "out.mp4", encode=False)
    same_pictures(shown(source), shown(out))
    assert header_s(out) == pytest.approx((2.0, 2.0), abs=0.001)
    assert info.duration_s == pytest.approx(2.0, abs=0.001)


async def test_a_trimmed_film_becomes_a_matroska_that_begins_where_it_began(tmp_path: Path) -> None:
    """Matroska cannot say that the first pictures are only there to be decoded."""
    source = edited(counting(tmp_path / "whole.mp4"), tmp_path / "film.mp4", TRIMMED)
    info = read(source)
    assert info.video is not None and containers.must_encode(info.video, Container.MKV, is_opus=False)
    same_pictures(shown(source), shown(await finished(source, info, tmp_path / "out.mkv", encode=True)))


@pytest.mark.parametrize("name", ["out.mp4", "out.mkv"])
async def test_a_film_that_changes_its_size_is_copied_with_what_a_decoder_needs(tmp_path: Path, name: str) -> None:
    source = resized(tmp_path, "160x120", "90x160")
    info = read(source)
    assert info.video is not None and info.video.obstacle is Obstacle.SIZES
    assert not containers.must_encode(info.video, Container.AUTO, is_opus=False)
    before, after = shown(source), shown(await finished(source, info, tmp_path / name, encode=False))
    assert [size for _, size, _ in after] == [size for _, size, _ in before] and {size for _, size, _ in after} == {
        (160, 120),
        (90, 160),
    }
    same_pictures(before, after)


async def test_a_film_that_changes_its_size_is_burned_in_one_size(tmp_path: Path) -> None:
    source = resized(tmp_path, "90x160", "160x120")
    info = read(source)
    after = shown(await finished(source, info, tmp_path / "out.mp4", encode=True))
    assert {size for _, size, _ in after} == {(160, 120)} and len(after) == len(shown(source))
    upright = next(grey for at, _, grey in after if 1.2 < at < 1.8)
    assert 235 * 0.35 < upright < 235 * 0.55, "white, whole, and black on both sides"


def test_a_container_for_a_picture_that_must_be_encoded_takes_h264(tmp_path: Path) -> None:
    info = read(edited(sample("plain.mp4"), tmp_path / "film.mp4", CUT))
    assert containers.output_extension(info, options()) == "mp4"
    with pytest.raises(DubError) as caught:
        containers.output_extension(info, options(container=Container.WEBM))
    assert (
        caught.value.problem is CONTAINER_UNSUITABLE
        and "has to be encoded (burned subtitles, cuts, or a size that changes), which makes the picture H.264"
        in caught.value.message
    )


def test_the_commands_say_that_a_cut_picture_was_encoded(tmp_path: Path) -> None:
    source = edited(sample("plain.mp4"), tmp_path / "film.mp4", CUT)
    (tmp_path / "lines.srt").write_text("1\n00:00:00,200 --> 00:00:01,500\nHello.\n")

    def run(*words: object) -> dict:
        command = [sys.executable, "-m", "app", *map(str, words), "--data", str(tmp_path / "data"), "--json"]
        done = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[4])
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) | {"said": done.stderr}

    made = run("dub", source, "--subtitles", tmp_path / "lines.srt", "-o", tmp_path)
    assert (made["report"]["picture"], made["report"]["encoded_for"]) == ("libx264", "edits")
    assert len(shown(Path(made["outputs"]["video"]))) == len(shown(source))
    subprocess.run([FFMPEG, "-v", "error", "-f", "lavfi", "-i", "sine=d=2.5", str(tmp_path / "dub.m4a")], check=True)
    command = [
        sys.executable,
        "-m",
        "app",
        "mux",
        str(source),
        "--track",
        f"de={tmp_path / 'dub.m4a'}",
        "-o",
        str(tmp_path / "all.mp4"),
        "--json",
    ]
    muxed = subprocess.run(command, capture_output=True, text=True, cwd=Path(__file__).parents[4])
    assert muxed.returncode == 0, muxed.stderr
    assert json.loads(muxed.stdout)["picture"] == "libx264"
    assert len(shown(tmp_path / "all.mp4")) == len(shown(source))
