"""Which of a file's pictures is the film."""

from pathlib import Path

import pytest

from app.domain.media import Obstacle
from app.dubbing.probe import probe
from app.media.picture_stream import watch
from tests.unit.media.edits import CUT, TRIMMED, edited, resized
from tests.unit.media.samples import DURATION_S, make, sample

COVER = ("-i", str(sample("cover.png")))
COUNTED = ("-metadata:s:v:0", "NUMBER_OF_FRAMES=1")  # as Matroska's muxers note it; MP4 counts by itself
FILM = ("-i", str(sample("plain.mp4")))


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.mov"])
@pytest.mark.parametrize("codec", ["mjpeg", "png", "libx264"])
def test_a_still_before_the_film_is_not_the_film(tmp_path: Path, name: str, codec: str) -> None:
    """No flag says that it is a cover."""
    coded = (
        "-map",
        "0:v",
        "-map",
        "1",
        "-c",
        "copy",
        "-c:v:0",
        codec,
        "-pix_fmt:v:0",
        "yuvj420p" if codec == "mjpeg" else "rgb24",
    )
    if codec == "libx264":
        coded = (*coded[:-1], "yuv420p")
    path = make(tmp_path / name, *COVER, *FILM, *coded, "-disposition:v", "0", "-strict", "-2", *COUNTED)
    video = probe(path).video
    assert video is not None and (video.index, video.codec) == (1, "h264")


def test_a_preview_of_jpegs_before_the_film_is_not_the_film(tmp_path: Path) -> None:
    """As action cameras write it: as long as the film, and smaller."""
    path = make(
        tmp_path / "camera.mov",
        *FILM,
        *FILM,
        "-map",
        "0:v",
        "-map",
        "1",
        "-c",
        "copy",
        "-c:v:0",
        "mjpeg",
        "-disposition:v",
        "0",
    )
    video = probe(path).video
    assert video is not None and (video.index, video.codec) == (1, "h264")


def test_of_two_films_the_first_is_taken(tmp_path: Path) -> None:
    path = make(
        tmp_path / "angles.mkv",
        *FILM,
        "-f",
        "lavfi",
        "-i",
        "testsrc=s=320x240:r=25:d=4",
        "-map",
        "0",
        "-map",
        "1",
        "-c:v",
        "libx264",
    )
    video = probe(path).video
    assert video is not None and video.width == 160


def test_a_single_still_with_sound_is_a_film_of_one_picture(tmp_path: Path) -> None:
    path = make(
        tmp_path / "podcast.mkv",
        *COVER,
        *FILM,
        "-map",
        "0:v",
        "-map",
        "1:a",
        "-c",
        "copy",
        "-c:v",
        "mjpeg",
        "-disposition:v",
        "0",
    )
    video = probe(path).video
    assert video is not None and video.codec == "mjpeg"


@pytest.mark.parametrize(
    ("edits", "obstacle"),
    [
        (CUT, Obstacle.EDITS),
        (((0.0, 1.0), (0.0, 1.0)), Obstacle.EDITS),  # the same twice
        (((2.0, 1.0), (0.5, 1.0)), Obstacle.EDITS),  # the end before the beginning
        (TRIMMED, Obstacle.START),
        (((0.0, 2.0),), None),  # the end is cut off: nothing is shown that was not
        # nothing is cut out, but FFmpeg reads what leads to the second edit twice
        (((0.0, 1.5), (1.5, 2.5)), Obstacle.EDITS),
        (((None, 0.5), (0.0, 4.0)), None),  # a late start
    ],
)
@pytest.mark.parametrize("name", ["plain.mp4", "front.mp4"])
def test_what_an_edit_list_does_to_the_picture_is_seen(
    tmp_path: Path, name: str, edits: tuple, obstacle: Obstacle | None
) -> None:
    pictures = watch(edited(sample(name), tmp_path / name, edits))
    assert pictures.obstacle is obstacle
    assert pictures.end_s == pytest.approx(sum(length for at, length in edits if at is not None), abs=0.1)


def test_a_change_of_size_is_seen(tmp_path: Path) -> None:
    pictures = watch(resized(tmp_path, "160x120", "90x160"))
    assert (pictures.obstacle, pictures.sizes, pictures.largest) == (
        Obstacle.SIZES,
        [(160, 120), (90, 160)],
        (160, 120),
    )


def test_a_change_of_parameters_alone_is_seen(tmp_path: Path) -> None:
    pictures = watch(resized(tmp_path, "160x120", "160x120", "-profile:v", "baseline"))
    assert pictures.obstacle is Obstacle.PARAMETERS


@pytest.mark.parametrize(
    "name",
    [
        "plain.mp4",
        "fragmented.mp4",
        "pcm.mov",
        "vfr.mp4",
        "late_sound.mp4",
        "late_picture.mp4",
        "h264.flv",
        "plain.mkv",
        "plain.ts",
    ],
)
def test_in_the_way_of_a_usual_film_stands_nothing(name: str) -> None:
    pictures = watch(sample(name))
    assert pictures.obstacle is None and pictures.end_s >= DURATION_S - 0.05
