"""The command line and a video with several sound tracks."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from app.media.ffmpeg import tool
from app.system import exit_status
from tests.unit.cli.test_dub import FIXTURES, run


@pytest.fixture(scope="module")
def several(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A commentary that is silent and marked as default, and the film's own sound."""
    path = tmp_path_factory.mktemp("video") / "several.mkv"
    sources = [
        "-f",
        "lavfi",
        "-i",
        "anullsrc=r=48000:cl=stereo:d=10",
        "-f",
        "lavfi",
        "-i",
        "testsrc2=size=160x120:rate=10:duration=10",
    ]
    maps = [
        "-map",
        "1:v",
        "-map",
        "0:a",
        "-map",
        "2:a",
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-c:a",
        "aac",
        "-t",
        "10",
    ]
    words = [
        "-metadata:s:a:0",
        "title=Commentary",
        "-metadata:s:a:1",
        "language=eng",
        "-disposition:a:0",
        "default",
        "-disposition:a:1",
        "0",
    ]
    subprocess.run(
        [tool(), "-v", "error", *sources, "-i", FIXTURES / "clips" / "en_short.flac", *maps, *words, path], check=True
    )
    return path


def test_the_track_with_the_speech_is_heard_and_all_are_named(
    several: Path, whisper_checkpoint: Path, tmp_path: Path
) -> None:
    lines = tmp_path / "lines.srt"
    done = run(
        tmp_path / "data",
        "dub",
        several,
        "--model",
        whisper_checkpoint,
        "--language",
        "en",
        "--review",
        lines,
        "--json",
    )
    assert done.returncode == exit_status.OK, done.stderr
    assert "This is how it looks from above." in lines.read_text()
    named = ["0: Commentary, stereo, aac, default, silent", "1: eng, mono, aac"]
    said = json.loads(done.stdout)
    assert (said["audio_track"], said["audio_tracks"]) == (1, named)
    assert f"  {named[0]}\n* {named[1]}\n" in done.stderr


def test_a_track_without_speech_names_the_others(several: Path, whisper_checkpoint: Path, tmp_path: Path) -> None:
    lines = tmp_path / "lines.srt"
    done = run(
        tmp_path / "data",
        "dub",
        several,
        "--model",
        whisper_checkpoint,
        "--audio-track",
        "0",
        "--review",
        lines,
        "--json",
    )
    assert done.returncode == exit_status.BAD_INPUT and not lines.exists()
    error = json.loads(done.stdout)["error"]
    assert (
        error["code"] == "no_speech" and "Track 0 was heard. Another is chosen with --audio-track" in error["message"]
    )
    assert "1: eng, mono, aac" in error["message"]
    none = run(tmp_path / "data", "dub", several, "--audio-track", "2", "--json")
    error = json.loads(none.stdout)["error"]
    assert error["code"] == "audio_track_missing" and "1: eng, mono, aac" in error["message"]
