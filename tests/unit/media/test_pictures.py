"""Which of a file's pictures is the film."""

from pathlib import Path

import pytest

from app.dubbing.probe import probe
from tests.unit.media.samples import make, sample

COVER = ("-i", str(sample("cover.png")))
COUNTED = ("-metadata:s:v:0", "NUMBER_OF_FRAMES=1")  # as Matroska's muxers note it; MP4 counts by itself
FILM = ("-i", str(sample("plain.mp4")))


@pytest.mark.parametrize("name", ["film.mp4", "film.mkv", "film.mov"])
@pytest.mark.parametrize("codec", ["mjpeg", "png", "libx264"])
def test_a_still_before_the_film_is_not_the_film(tmp_path: Path, name: str, codec: str) -> None:
    """No flag says that it is a cover."""
    coded = ("-map", "0:v", "-map", "1", "-c", "copy", "-c:v:0", codec, "-pix_fmt:v:0", "yuvj420p" if codec == "mjpeg" else "rgb24")
    if codec == "libx264":
        coded = (*coded[:-1], "yuv420p")
    path = make(tmp_path / name, *COVER, *FILM, *coded, "-disposition:v", "0", "-strict", "-2", *COUNTED)
    video = probe(path).video
    assert video is not None and (video.index, video.codec) == (1, "h264")


def test_a_preview_of_jpegs_before_the_film_is_not_the_film(tmp_path: Path) -> None:
    """As action cameras write it: as long as the film, and smaller."""
    path = make(tmp_path / "camera.mov", *FILM, *FILM, "-map", "0:v", "-map", "1", "-c", "copy", "-c:v:0", "mjpeg", "-disposition:v", "0")
    video = probe(path).video
    assert video is not None and (video.index, video.codec) == (1, "h264")


def test_of_two_films_the_first_is_taken(tmp_path: Path) -> None:
    path = make(tmp_path / "angles.mkv", *FILM, "-f", "lavfi", "-i", "testsrc=s=320x240:r=25:d=4", "-map", "0", "-map", "1", "-c:v", "libx264")
    video = probe(path).video
    assert video is not None and video.width == 160


def test_a_single_still_with_sound_is_a_film_of_one_picture(tmp_path: Path) -> None:
    path = make(tmp_path / "podcast.mkv", *COVER, *FILM, "-map", "0:v", "-map", "1:a", "-c", "copy", "-c:v", "mjpeg", "-disposition:v", "0")
    video = probe(path).video
    assert video is not None and video.codec == "mjpeg"
