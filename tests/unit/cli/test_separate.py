"""`autodubber dub --separate`: the old voice is taken out of the background, the new one is heard over the music."""

from __future__ import annotations

import argparse
import json
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soxr  # type: ignore[import-untyped]

from app.media.ffmpeg import tool
from app.system import exit_status
from bench.recognition import apart, words_of, write, wrong_words
from bench.sentences import SENTENCES
from bench.separate import KINDS, RATE_HZ, VOICES, kokoro, left_db, speech_at
from tests.unit.cli.test_dub import run
from tests.unit.dubbing.sounds import decode, movie, noise, write_wav
from tests.unit.separation.checkpoints import layers
from tests.unit.separation.checkpoints import write as write_model

LINES = "1\n00:00:01,000 --> 00:00:02,500\nNow turn the table.\n"
NEW_VOICE = "bm_george"


def dub(data: Path, film: Path, subtitles: Path, *more: str, **settings: str) -> dict[str, Any]:
    asked = ("--subtitles", subtitles, "--json", "-o", data / "out", "--audio-format", "wav", *more)
    done = run(data, "dub", film, *asked, AUTODUBBER_MIN_FREE_BYTES="0", **settings)
    answer: dict[str, Any] = json.loads(done.stdout)
    return {**answer, "status": done.returncode, "stderr": done.stderr}


@pytest.fixture
def film(ffmpeg: str, tmp_path: Path) -> Path:
    return movie(ffmpeg, tmp_path / "film.mp4", noise(6.0, level=0.1))


@pytest.fixture
def subtitles(tmp_path: Path) -> Path:
    path = tmp_path / "lines.srt"
    path.write_text(LINES)
    return path


def test_a_model_that_cannot_be_had_is_said_before_anything_is_decoded(
    film: Path, subtitles: Path, tmp_path: Path
) -> None:
    nowhere = {"AUTODUBBER_SEPARATION_MODEL_URL": "http://127.0.0.1:9/{file}"}
    asked = ("--voice", "espeak:en", "--separate")
    failed = dub(tmp_path / "data", film, subtitles, *asked, "on", **nowhere)
    assert failed["status"] == exit_status.ENVIRONMENT and failed["error"]["code"] == "model_download"
    assert "put 2stems.tar.gz into" in json.dumps(failed["error"]) and "decoding" not in failed["stderr"]
    assert dub(tmp_path / "data", film, subtitles, *asked, "auto", **nowhere)["ok"], "as before there was a model"


def test_a_second_dub_of_a_file_separates_nothing_and_the_first_is_another_sound_than_without(
    film: Path, subtitles: Path, tmp_path: Path, ffmpeg: str
) -> None:
    data = tmp_path / "data"
    (data / "models" / "spleeter" / "2stems").mkdir(parents=True)
    write_model(data / "models" / "spleeter" / "2stems" / "model", layers())
    heard = []
    for voice, separate in (("espeak:en", "auto"), ("espeak:en-gb", "on"), ("espeak:en", "off")):
        done = dub(data, film, subtitles, "--voice", voice, "--separate", separate)
        assert done["ok"], done["stderr"]
        heard.append(decode(ffmpeg, Path(done["outputs"]["audio"])))
        [kept] = data.glob("cli/separated/*/background.flac")
        heard.append(kept.stat().st_mtime_ns)
    assert heard[1] == heard[3], "made once"
    quiet = slice(4 * 48_000, 5 * 48_000)
    assert np.abs(heard[0][quiet] - heard[4][quiet]).max() > 0.01


@pytest.mark.real
def test_the_new_words_are_heard_over_the_music_and_the_old_ones_are_gone(
    weights: Path, tmp_path: Path, ffmpeg: str
) -> None:
    """A Kokoro voice over music, dubbed by another one with other words, and read back by Whisper base."""
    data = tmp_path / "data"
    (data / "models").mkdir(parents=True)
    for name in ("kokoro", "spleeter"):
        (data / "models" / name).symlink_to(weights / name)
    texts = [text.replace(" |", "") for text in SENTENCES["en"]]
    old, new = texts[:5], texts[5:10]
    voice, spans = speech_at(kokoro(weights), VOICES["kokoro"][0], old)
    music = KINDS["beat"](len(voice))
    music *= np.sqrt(np.mean(voice**2) / np.mean(music**2)) * np.float32(10 ** (-5 / 20))
    original = write_wav(tmp_path / "original.wav", voice + music)
    film = tmp_path / "film.mkv"
    picture = ["-f", "lavfi", "-i", f"testsrc2=size=64x48:rate=5:duration={len(voice) / RATE_HZ}"]
    coded = ["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "flac"]
    subprocess.run([tool(), "-v", "error", *picture, "-i", original, *coded, film], check=True)
    subtitles = tmp_path / "lines.srt"
    subtitles.write_text(
        "\n".join(
            f"{number}\n{_clock(start_s)} --> {_clock(end_s)}\n{text}\n"
            for number, ((start_s, end_s), text) in enumerate(zip(spans, new, strict=True), 1)
        )
    )
    done = dub(data, film, subtitles, "--voice", f"neural:{NEW_VOICE}", "--separate", "on", "--language", "en")
    assert done["ok"], done["stderr"]
    [kept] = data.glob("cli/separated/*/background.flac")
    background, dubbed = decode(ffmpeg, kept), decode(ffmpeg, Path(done["outputs"]["audio"]))

    said_before, said_after = (words_of(" ".join(each)) for each in (old, new))
    heard = {
        name: heard_words(weights, tmp_path / f"{name}.wav", sound)
        for name, sound in (("mixture", voice + music), ("background", background), ("dub", dubbed))
    }
    residual_db = left_db(voice, music, background[: len(voice)])
    print(f"residual speech {residual_db:.1f} dB; heard in the background: {' '.join(heard['background'])!r}")
    print(f"words heard wrongly in the dub: {wrong_words(said_after, heard['dub']):.1%}")
    assert wrong_words(said_before, heard["mixture"]) < 0.2, "Whisper understands the old words where they are"
    rare = {word for word in said_before if len(word) > 4} - set(said_after)
    assert len(rare & set(heard["mixture"])) > 0.8 * len(rare)
    assert len(rare & set(heard["background"])) < 0.1 * len(rare), "the old words are gone"
    assert not rare & set(heard["dub"])
    assert wrong_words(said_after, heard["dub"]) <= 0.1, "the new words are heard"
    assert residual_db < -15


def _clock(second: float) -> str:
    milliseconds = round(second * 1000)
    return f"00:{milliseconds // 60_000:02}:{milliseconds // 1000 % 60:02},{milliseconds % 1000:03}"


def heard_words(weights: Path, path: Path, sound: np.ndarray, language: str = "en") -> list[str]:
    mono = soxr.resample(sound.mean(axis=1).astype(np.float32), RATE_HZ, 16_000)
    asked = argparse.Namespace(model=weights / "whisper-base.pt", models=weights, threads=2, language=language)
    return words_of(" ".join(apart(asked, "faster-whisper", write(path, mono))["texts"]))
