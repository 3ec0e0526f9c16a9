"""A small upright picture of a film."""

from pathlib import Path

import av
import numpy as np
import pytest

from app.media.thumbnail import write_thumbnail
from tests.unit.media.samples import DURATION_S, FFMPEG, make, sample


def pixels(path: Path) -> np.ndarray:
    with av.open(str(path)) as container:
        return next(container.decode(video=0)).to_ndarray(format="rgb24").astype(float)


def test_a_wide_picture_is_made_small(tmp_path: Path) -> None:
    wide = make(
        tmp_path / "wide.mp4", "-f", "lavfi", "-i", "testsrc=s=1280x720:d=1", "-c:v", "libx264", "-preset", "ultrafast"
    )
    assert write_thumbnail(wide, 0, 1.0, tmp_path / "t.jpg")
    assert pixels(tmp_path / "t.jpg").shape == (270, 480, 3)
    assert (tmp_path / "t.jpg").stat().st_size < 60_000


@pytest.mark.parametrize("degrees", ["90", "180", "-90"])
def test_a_turned_film_has_an_upright_picture(tmp_path: Path, degrees: str) -> None:
    turned = make(
        tmp_path / "turned.mp4",
        "-display_rotation",
        degrees,
        "-i",
        str(sample("plain.mp4")),
        "-map",
        "0:v",
        "-c",
        "copy",
    )
    assert write_thumbnail(turned, 0, DURATION_S, tmp_path / "t.jpg")
    as_played = make(tmp_path / "played.png", "-i", str(turned), "-frames:v", "1")  # ffmpeg turns it as a player does
    ours, theirs = pixels(tmp_path / "t.jpg"), pixels(as_played)
    assert ours.shape == theirs.shape
    assert np.abs(ours - theirs).mean() < 12


def test_a_black_beginning_is_skipped(tmp_path: Path) -> None:
    faded = make(
        tmp_path / "faded.mp4",
        "-f",
        "lavfi",
        "-i",
        "color=black:s=64x64:d=2",
        "-f",
        "lavfi",
        "-i",
        "color=white:s=64x64:d=8",
        "-filter_complex",
        "[0][1]concat",
        "-g",
        "25",
        "-c:v",
        "libx264",
    )
    assert write_thumbnail(faded, 0, 10.0, tmp_path / "t.jpg")
    assert pixels(tmp_path / "t.jpg").mean() > 200


def test_a_film_that_cannot_be_decoded_has_none(tmp_path: Path) -> None:
    assert not write_thumbnail(sample("magicyuv.mkv"), 0, DURATION_S, tmp_path / "t.jpg")
    assert not (tmp_path / "t.jpg").exists()


def test_the_program_under_test_is_the_shipped_one() -> None:
    from app.media.ffmpeg import tool

    assert Path(tool()) == Path(FFMPEG).resolve()
