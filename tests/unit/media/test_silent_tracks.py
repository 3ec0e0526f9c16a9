"""Which tracks of a file have no sound."""

from __future__ import annotations

from pathlib import Path

import pytest

from app.dubbing.probe import probe
from app.media.silent_tracks import silent_tracks
from tests.unit.media.samples import make, sample

SPOKEN = r"aevalsrc=0.3*sin(2*PI*440*t):d=20"
LATE = r"aevalsrc=0.3*sin(2*PI*440*t)*gt(t\,14)*lt(t\,16):d=20"
QUIET = r"aevalsrc=0.001*sin(2*PI*440*t):d=20"
HISS = r"aevalsrc=0.0015*(random(0)-0.5):d=20"
NOTHING = r"anullsrc=d=20"


def tracks(path: Path, *sounds: str, codec: str = "pcm_s16le") -> Path:
    inputs = [word for sound in sounds for word in ("-f", "lavfi", "-i", sound)]
    maps = [word for number in range(len(sounds)) for word in ("-map", f"{number}:a")]
    return make(path, *inputs, *maps, "-c:a", codec, "-ac", "1", "-shortest")


@pytest.mark.parametrize(
    ("name", "codec"), [("t.mov", "pcm_s16le"), ("t.mkv", "aac"), ("t.ts", "mp2"), ("t.mxf", "pcm_s24le")]
)
@pytest.mark.parametrize("empty", [NOTHING, HISS])
def test_a_track_without_sound_is_found(tmp_path: Path, name: str, codec: str, empty: str) -> None:
    inputs = [
        word for sound in (empty, SPOKEN, empty, "color=s=64x64:r=25:d=20") for word in ("-f", "lavfi", "-i", sound)
    ]
    maps = [word for number in (3, 0, 1, 2) for word in ("-map", str(number))]
    path = make(
        tmp_path / name, *inputs, *maps, "-c:v", "mpeg2video", "-c:a", codec, "-ar", "48000", "-ac", "1", "-t", "20"
    )
    assert silent_tracks(path) == {0, 2}


def test_a_track_that_speaks_late_and_shortly_is_not_silent(tmp_path: Path) -> None:
    assert silent_tracks(tracks(tmp_path / "late.mov", LATE, SPOKEN)) == set()


def test_a_quiet_recording_is_no_silence(tmp_path: Path) -> None:
    assert silent_tracks(tracks(tmp_path / "quiet.mov", QUIET, QUIET)) == set()
    assert silent_tracks(tracks(tmp_path / "both.mov", NOTHING, QUIET)) == {0}


def test_where_nothing_sounds_none_is_singled_out(tmp_path: Path) -> None:
    assert silent_tracks(tracks(tmp_path / "nothing.mov", NOTHING, NOTHING)) == set()


def test_a_cut_file_is_listened_to_as_far_as_it_goes(tmp_path: Path) -> None:
    whole = tracks(tmp_path / "whole.mkv", NOTHING, SPOKEN, codec="aac").read_bytes()
    (tmp_path / "cut.mkv").write_bytes(whole[: len(whole) // 3])
    assert silent_tracks(tmp_path / "cut.mkv") == {0}


def test_tracks_are_told_with_what_the_file_says_of_them(tmp_path: Path) -> None:
    path = make(
        tmp_path / "film.mkv",
        "-i",
        str(sample("two_languages.mkv")),
        "-map",
        "0:v",
        "-map",
        "0:a",
        "-map",
        "0:a:0",
        "-c",
        "copy",
        "-disposition:a:0",
        "comment",
        "-disposition:a:1",
        "default",
        "-disposition:a:2",
        "visual_impaired",
    )
    assert [(track.default, track.purpose, track.silent) for track in probe(path).audio] == [
        (False, "commentary", False),
        (True, None, False),
        (False, "description", False),
    ]


@pytest.mark.parametrize("channels", [6, 8, 16])
def test_a_track_of_many_channels_is_listened_to(tmp_path: Path, channels: int) -> None:
    """Of 8 channels in planes PyAV reads a ninth from nowhere."""
    many = f"aevalsrc={'|'.join(['0'] * (channels - 1))}|0.3*sin(2*PI*440*t):d=2:s=48000"
    codec = ["-c:a", "libopus", "-mapping_family", "255", "-b:a", "512k"]
    inputs = ["-f", "lavfi", "-i", "anullsrc=d=2:r=48000", "-f", "lavfi", "-i", many]
    path = make(tmp_path / "many.mkv", *inputs, "-map", "0", "-map", "1", *codec)
    assert silent_tracks(path) == {0}
