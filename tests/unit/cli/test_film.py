"""A whole dub with real models and no network: a Spanish film of two speakers over music becomes an English one.

Two neural voices say Spanish sentences in turns, over chords and a beat. Whisper recognises and translates, the
speakers are told apart, each gets an English voice, the music stays; then Whisper reads the dub. `make film` makes
three minutes of it and leaves film, sound, subtitles and report in build/film, for listening.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any, Final

import numpy as np
import pytest

from app.media.ffmpeg import tool
from bench.recognition import words_of, wrong_words
from bench.sentences import SENTENCES
from bench.separate import KINDS, RATE_HZ, Mono, Stereo, kokoro, resampled
from tests.unit.cli.test_dub import run
from tests.unit.cli.test_separate import heard_words
from tests.unit.dubbing.sounds import decode

SPOKEN: Final = ("ef_dora", "em_alex")
ENGLISH: Final = ("neural:af_heart", "neural:bm_george")
MUSIC_DB: Final = -8.0  # beside the speech
PAUSES_S: Final = (0.5, 1.1, 0.8, 1.5)
Turn = tuple[float, float, int]  # start, end, voice


def dialogue(weights: Path, seconds: float) -> tuple[Stereo, list[Turn]]:
    """The sentences in turns of two, each voice on its side of the middle, as many as there is time for."""
    speak, spoken = kokoro(weights), dict[tuple[int, str], Mono]()
    texts = [text.replace(" |", "") for text in SENTENCES["es"] if len(text) > 20]
    whole, turns = np.zeros((round(seconds * RATE_HZ), 2), np.float32), list[Turn]()
    at = RATE_HZ // 2
    for number in range(1000):
        voice, text = number // 2 % 2, texts[(number + number // len(texts)) % len(texts)]
        if (voice, text) not in spoken:
            spoken[voice, text] = resampled(*speak(SPOKEN[voice], text))
        sound = spoken[voice, text] * np.float32(0.1 / np.sqrt(np.mean(spoken[voice, text] ** 2)))
        if at + len(sound) > len(whole) - RATE_HZ // 2:
            break
        turns.append((at / RATE_HZ, (at + len(sound)) / RATE_HZ, voice))
        whole[at : at + len(sound)] += sound[:, None] * np.array(((1.0, 0.7), (0.7, 1.0))[voice], np.float32)
        at += len(sound) + round(PAUSES_S[number % len(PAUSES_S)] * RATE_HZ)
    return whole, turns


def film(weights: Path, seconds: float, out: Path) -> list[Turn]:
    """Write the film; returns who speaks when."""
    voices, turns = dialogue(weights, seconds)
    music = KINDS["beat"](len(voices))
    music *= np.sqrt(np.mean(voices**2) / np.mean(music**2)) * np.float32(10 ** (MUSIC_DB / 20))
    picture = ("-f", "lavfi", "-i", f"testsrc2=size=640x360:rate=25:duration={seconds}")
    sound = ("-f", "f32le", "-ar", str(RATE_HZ), "-ac", "2", "-i", "-")
    coded = ("-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-b:a", "192k")
    command = [tool(), "-v", "error", "-y", *picture, *sound, *coded, str(out)]
    subprocess.run(command, input=(voices + music).astype("<f4").tobytes(), check=True)
    return turns


@pytest.mark.real
def test_a_spanish_film_of_two_speakers_over_music_becomes_an_english_one(
    weights: Path, tmp_path: Path, ffmpeg: str
) -> None:
    out = Path(os.environ.get("AUTODUBBER_TEST_FILM", tmp_path / "film"))
    seconds = float(os.environ.get("AUTODUBBER_TEST_FILM_S", "40"))
    out.mkdir(parents=True, exist_ok=True)
    turns = film(weights, seconds, out / "spanish.mp4")
    data = tmp_path / "data"
    (data / "models" / "speakers").mkdir(parents=True)
    for name in ("kokoro", "spleeter"):
        (data / "models" / name).symlink_to(weights / name)
    (data / "models" / "speakers" / "ge2e.pt").symlink_to(weights / "speaker" / "pretrained.pt")
    voices = [word for number, voice in enumerate(ENGLISH, 1) for word in ("--speaker-voice", f"{number}={voice}")]
    asked = ("--language", "es", "--task", "translate", "--model", weights / "whisper-base.pt", "--speakers", "2")
    done = run(
        data,
        *("dub", out / "spanish.mp4", *asked, *voices, "--separate", "on"),
        *("--audio-format", "wav", "--json", "-o", out),
        within_s=60 + 8 * seconds,
        AUTODUBBER_MIN_FREE_BYTES="0",
    )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    report, lines = told["report"], told["report"]["lines"]

    right = speakers_right(turns, lines)
    dubbed = decode(ffmpeg, Path(told["outputs"]["audio"]))
    words = heard_words(weights, tmp_path / "dub.wav", dubbed)
    said = words_of(" ".join(line["text"] for line in lines))
    wrong = wrong_words(spelled(said), spelled(words))
    print(f"{len(turns)} sentences, {len(lines)} lines; right speaker: {right:.0%}; words wrong: {wrong:.1%}")
    print(f"{report['loudness_lufs']} LUFS, {report['true_peak_db']} dBTP, rate at most {report['highest_rate']}")
    print(f"took {sum(told['stages_s'].values()):.0f} s: {told['stages_s']}")
    assert right >= 0.9
    assert wrong <= 0.1
    assert abs(report["loudness_lufs"] + 16) < 0.5 and report["true_peak_db"] <= -1
    assert abs(report["duration_difference_s"]) < 0.1
    assert report["share_over_125"] <= 0.1
    assert all("shorten" in line["flags"] for line in lines if line["rate"] > 1.25), "what is hurried is told"
    in_pauses = np.concatenate([dubbed[round(a * RATE_HZ) : round(b * RATE_HZ)] for a, b in pauses(lines, seconds)])
    assert 20 * np.log10(np.sqrt(np.mean(in_pauses**2))) > -45, "the music is there"


def speakers_right(turns: list[Turn], lines: list[dict[str, Any]]) -> float:
    """The share of lines that have the speaker of the sentence that was heard then, by the better of both names."""
    pairs = []
    for line in lines:
        middle = line["start_s"] + 0.3
        voice = min(turns, key=lambda turn: max(turn[0] - middle, middle - turn[1], 0))[2]
        pairs.append((voice, line["speaker"]))
    first = pairs[0][1]
    same = sum((speaker == first) == (voice == pairs[0][0]) for voice, speaker in pairs)
    return same / len(pairs)


def spelled(words: list[str]) -> list[str]:
    """Numbers as Whisper may write them, as words; compound words in parts."""
    names = {"2": "two", "10": "ten", "9": "nine", "o'clock": "am", "mr": "mister"}
    return [names.get(part, part) for word in words for part in re.split(r"[-.]", word) if part]


def pauses(lines: list[dict[str, Any]], seconds: float) -> list[tuple[float, float]]:
    ends = [0.0, *(line["placed_s"] + line["duration_s"] for line in lines)]
    starts = [*(line["placed_s"] for line in lines), seconds]
    return [(a, b) for a, b in zip(ends, starts, strict=True) if b - a > 0.2]
