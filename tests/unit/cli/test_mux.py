"""`autodubber mux`: several dubs of one video in one file, read back with PyAV."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from app.cli import main as cli
from app.dubbing.probe import probe
from app.dubbing.subtitles.cues import Cue
from app.dubbing.subtitles.srt_vtt import write_srt
from app.system.exit_status import BAD_INPUT, INTERRUPTED, OK
from tests.unit.dubbing.video.muxing import labels, picture_hash, shown, sound_of, track_of
from tests.unit.media.samples import DURATION_S, FFMPEG, lag_ms, make, sample

N = round(DURATION_S * 48_000)


@pytest.fixture
def sounds() -> dict[str, np.ndarray]:
    """Noise of its own for every language."""
    random = np.random.default_rng(1)
    return {language: (random.standard_normal((N, 2)) * 0.1).astype(np.float32) for language in ("de", "fr", "es")}


@pytest.fixture
def folder(tmp_path: Path, sounds: dict[str, np.ndarray], monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a dub for every language, in different clothes, and subtitles; the working directory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AUTODUBBER_DATA", str(tmp_path / "data"))
    track_of(sounds["de"], tmp_path / "de.m4a")
    track_of(sounds["fr"], tmp_path / "fr.opus")
    make(tmp_path / "es:1.wav", "-i", str(track_of(sounds["es"], tmp_path / "es.m4a")))
    (tmp_path / "de.srt").write_text(write_srt((Cue(0.5, 2.0, "Grüß Gott"),)), encoding="utf-8")
    (tmp_path / "fr.ass").write_text(
        "[Events]\nDialogue: 0,0:00:01.00,0:00:02.00,Default,,0,0,0,,{\\an8}Ça va ?\n", encoding="utf-8"
    )
    return tmp_path


def mux(capsys: pytest.CaptureFixture[str], *words: str) -> tuple[int, dict[str, object], str]:
    """(exit status, the JSON object, standard error)."""
    status = cli.main(["mux", *words, "--json"])
    said = capsys.readouterr()
    return status, json.loads(said.out) if said.out else {}, said.err


DE, FR, ES = "de=de.m4a:Deutsch", "fr=fr.opus", "es=es:1.wav"


@pytest.mark.parametrize("out", ["out.mp4", "OUT.MKV"])
def test_several_dubs_become_tracks_of_one_file(
    folder: Path, sounds: dict[str, np.ndarray], capsys: pytest.CaptureFixture[str], out: str
) -> None:
    dubs = ["--track", DE, "--track", FR, "--track", ES, "--default", "fr"]
    lines = ["--subtitles", "de=de.srt:Deutsch", "--subtitles", "fr=fr.ass"]
    video = sample("plain.mp4")
    status, said, _ = mux(
        capsys, str(video), *dubs, *lines, "--keep-original-track", "--original-language", "en", "-o", out
    )
    assert status == OK
    assert labels(folder / out)[1:] == [
        ("audio", "deu", "Deutsch", False),
        ("audio", "fra", "Dub (fr)", True),
        ("audio", "spa", "Dub (es)", False),
        ("audio", "eng", "Original", False),
        ("subtitle", "deu", "Deutsch", False),
        ("subtitle", "fra", "Dub (fr)", False),
    ]
    for track, sound in enumerate(sounds.values()):
        assert lag_ms(sound[:, 0], sound_of(folder / out, track)[:, 0]) == pytest.approx(0, abs=1.0)
    assert picture_hash(folder / out) == picture_hash(video)
    assert "Grüß Gott" in shown(folder, folder / out, 0) and "Ça va ?" in shown(folder, folder / out, 1)
    made = probe(folder / out)
    assert [stream.codec for stream in made.audio] == ["aac", "opus", "aac" if "mp4" in out else "pcm_s16le", "aac"]
    assert made.duration_s == said["duration_s"] == pytest.approx(DURATION_S, abs=0.05)
    assert said["ok"] and said["output"] == out
    tracks = said["tracks"]
    assert isinstance(tracks, list)
    assert [(track["kind"], track["language"], track["default"]) for track in tracks] == [
        ("audio", "deu", False),
        ("audio", "fra", True),
        ("audio", "spa", False),
        ("audio", "eng", False),
        ("subtitles", "deu", False),
        ("subtitles", "fra", False),
    ]


def test_webm_gets_opus_whatever_was_brought(
    folder: Path, sounds: dict[str, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    status, _, _ = mux(
        capsys, str(sample("vp9.webm")), "--track", DE, "--track", FR, "--subtitles", "de=de.srt", "-o", "out.webm"
    )
    assert status == OK
    assert [stream.codec for stream in probe(folder / "out.webm").audio] == ["opus", "opus"]
    assert picture_hash(folder / "out.webm") == picture_hash(sample("vp9.webm"))
    assert lag_ms(sounds["de"][:, 0], sound_of(folder / "out.webm", 0)[:, 0]) == pytest.approx(0, abs=1.0)


def test_a_finished_video_is_a_track_too(
    folder: Path, sounds: dict[str, np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    """What `autodubber dub` has made of it in each language may be given as it is."""
    make(
        folder / "german.mkv",
        "-i",
        str(sample("plain.mp4")),
        "-i",
        str(folder / "de.m4a"),
        "-map",
        "0:v",
        "-map",
        "1:a",
        "-c",
        "copy",
    )
    assert mux(capsys, str(sample("plain.mp4")), "--track", "de=german.mkv", "-o", "out.mp4")[0] == OK
    assert len(probe(folder / "out.mp4").audio) == 1
    assert lag_ms(sounds["de"][:, 0], sound_of(folder / "out.mp4")[:, 0]) == pytest.approx(0, abs=1.0)


def test_the_length_must_be_the_videos(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    make(folder / "short.m4a", "-i", str(folder / "de.m4a"), "-t", "2", "-c", "copy")
    words = [str(sample("plain.mp4")), "--track", "de=short.m4a", "-o", "out.mp4"]
    status, said, told = mux(capsys, *words)
    assert status == BAD_INPUT
    assert said["error"]["code"] == "track_length"  # type: ignore[index]
    assert "short.m4a lasts 2.0 s, 2.0 s shorter than the video's 4.0 s." in told
    assert not (folder / "out.mp4").exists()
    assert mux(capsys, *words, "--any-length")[0] == OK


@pytest.mark.parametrize(
    ("video", "words", "code"),
    [
        ("plain.mp4", ["--track", DE, "-o", "out.webm"], "container_unsuitable"),
        ("plain.mp3", ["--track", DE, "-o", "out.mp4"], "not_media"),
        ("plain.mp4", ["--track", "xx=de.m4a", "-o", "out.mp4"], "language_unknown"),
        ("plain.mp4", ["--track", "de=silent.mp4", "-o", "out.mp4"], "no_audio"),
        ("plain.mp4", ["--track", "de=list.m4a", "-o", "out.mp4"], "playlist_refused"),
        ("plain.mp4", ["--track", DE, "--subtitles", "de=list.m4a", "-o", "out.mp4"], "subtitles_invalid"),
        ("plain.mp4", ["--track", "de=noise.m4a", "-o", "out.mp4"], "not_media"),
        (
            "plain.mp4",
            ["--track", DE, "--keep-original-track", "--audio-track", "3", "-o", "out.mp4"],
            "audio_track_missing",
        ),
    ],
)
def test_what_cannot_be_muxed_is_told_in_the_catalogues_words(
    folder: Path, capsys: pytest.CaptureFixture[str], video: str, words: list[str], code: str
) -> None:
    (folder / "silent.mp4").write_bytes(sample("silent.mp4").read_bytes())
    (folder / "list.m4a").write_text("ffconcat version 1.0\nfile de.m4a\n")
    (folder / "noise.m4a").write_bytes(np.random.default_rng(0).bytes(20_000))
    status, said, told = mux(capsys, str(sample(video)), *words)
    assert status == BAD_INPUT
    assert said["error"]["code"] == code  # type: ignore[index]
    assert said["error"]["message"] in told  # type: ignore[index]
    assert not list(folder.glob("o*"))


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--track", "de.m4a", "-o", "out.mp4"], "it looks like de=dub.m4a"),
        (["--track", "de=none.m4a", "-o", "out.mp4"], "there is no file none.m4a"),
        (["--track", DE, "-o", "out.avi"], "its name ends with .mp4, .mkv or .webm"),
        (["--track", DE, "-o", "no/out.mp4"], "there is no folder"),
        (["--track", DE, "--default", "fr", "-o", "out.mp4"], "there is no --track fr="),
        (["--track", "de=copy.mp4", "-o", "copy.mp4"], "would overwrite"),
        (["--track", DE, "--audio-track", "-1", "-o", "out.mp4"], "counts from 0"),
    ],
)
def test_wrong_usage_is_told_in_one_line(
    folder: Path, capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    (folder / "copy.mp4").write_bytes(sample("plain.mp4").read_bytes())
    assert cli.main(["mux", str(sample("plain.mp4")), *words]) == 2
    told = capsys.readouterr().err
    assert says in told and told.count("\n") == 1
    assert (folder / "copy.mp4").read_bytes() == sample("plain.mp4").read_bytes()


def test_an_interrupted_run_leaves_nothing(folder: Path) -> None:
    """A track that must be encoded, of a quarter of an hour: there is time to stop it."""
    long = ["-f", "lavfi", "-i", "anoisesrc=d=900:r=48000", "-ac", "2"]
    picture = ["-f", "lavfi", "-i", "color=s=32x32:r=1:d=900", "-c:v", "libx264", "-preset", "ultrafast"]
    subprocess.run([FFMPEG, "-v", "error", *picture, "video.mp4"], check=True)
    subprocess.run([FFMPEG, "-v", "error", *long, "long.wav"], check=True)
    words = [sys.executable, "-m", "app", "mux", "video.mp4", "--track", "de=long.wav", "-o", "out.mp4"]
    root = Path(cli.__file__).parents[2]
    environment = {"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin", "AUTODUBBER_DATA": str(folder / "data")}
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        while not (folder / "out.mp4.part").exists():
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == INTERRUPTED
        assert process.stderr is not None and b"interrupted" in process.stderr.read()
    assert not list(folder.glob("out*"))
