"""Whole dubs with real models and no network: a Spanish film of two speakers over music becomes an English one, and an
English one gets a Spanish and a French track.

Two neural voices say Spanish sentences in turns, over chords and a beat. Whisper recognises and translates, the
speakers are told apart, each gets an English voice, the music stays; then Whisper reads the dub. The other way, a
double of a chat service translates what Whisper recognised, and one file has all tracks. `make film` makes three
minutes of each and leaves film, sound, subtitles and report in build/film, for listening.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import av
import httpx
import numpy as np
import pytest
from av.stream import Disposition

from app.media.ffmpeg import tool
from bench.recognition import words_of, wrong_words
from bench.sentences import SENTENCES
from bench.separate import KINDS, RATE_HZ, Mono, Stereo, kokoro, resampled
from tests.doubles import translators
from tests.unit.cli.test_dub import run
from tests.unit.cli.test_separate import heard_words
from tests.unit.dubbing.sounds import decode

SPOKEN: Final = ("ef_dora", "em_alex")
ENGLISH: Final = ("neural:af_heart", "neural:bm_george")
MUSIC_DB: Final = -8.0  # beside the speech
PAUSES_S: Final = (0.5, 1.1, 0.8, 1.5)
Turn = tuple[float, float, int]  # start, end, voice


def dialogue(weights: Path, seconds: float, texts: Sequence[str], voices: Sequence[str]) -> tuple[Stereo, list[Turn]]:
    """The sentences in turns of two, each voice on its side of the middle, as many as there is time for."""
    speak, spoken = kokoro(weights), dict[tuple[int, str], Mono]()
    whole, turns = np.zeros((round(seconds * RATE_HZ), 2), np.float32), list[Turn]()
    at = RATE_HZ // 2
    for number in range(1000):
        voice, text = number // 2 % 2, texts[(number + number // len(texts)) % len(texts)]
        if (voice, text) not in spoken:
            spoken[voice, text] = resampled(*speak(voices[voice], text))
        sound = spoken[voice, text] * np.float32(0.1 / np.sqrt(np.mean(spoken[voice, text] ** 2)))
        if at + len(sound) > len(whole) - RATE_HZ // 2:
            break
        turns.append((at / RATE_HZ, (at + len(sound)) / RATE_HZ, voice))
        whole[at : at + len(sound)] += sound[:, None] * np.array(((1.0, 0.7), (0.7, 1.0))[voice], np.float32)
        at += len(sound) + round(PAUSES_S[number % len(PAUSES_S)] * RATE_HZ)
    return whole, turns


def film(weights: Path, seconds: float, out: Path, texts: Sequence[str], speakers: Sequence[str]) -> list[Turn]:
    """Write the film; returns who speaks when."""
    voices, turns = dialogue(weights, seconds, texts, speakers)
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
    texts = [text.replace(" |", "") for text in SENTENCES["es"] if len(text) > 20]
    turns = film(weights, seconds, out / "spanish.mp4", texts, SPOKEN)
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


# a film in English, and what the double of the chat service makes of it
LINES: Final = {
    "We meet in front of the old museum tomorrow morning.": (
        "Nos vemos mañana por la mañana delante del viejo museo.",
        "Nous nous retrouvons demain matin devant le vieux musée.",
    ),
    "Please bring the green umbrella and the small camera.": (
        "Trae el paraguas verde y la cámara pequeña, por favor.",
        "Apporte le parapluie vert et le petit appareil photo.",
    ),
    "My brother wants to buy fresh bread and some cheese.": (
        "Mi hermano quiere comprar pan fresco y un poco de queso.",
        "Mon frère veut acheter du pain frais et un peu de fromage.",
    ),
    "The train to the mountains leaves in the evening.": (
        "El tren a las montañas sale por la noche.",
        "Le train pour les montagnes part dans la soirée.",
    ),
    "Then we can have dinner together near the river.": (
        "Luego podemos cenar juntos cerca del río.",
        "Ensuite nous pouvons dîner ensemble près de la rivière.",
    ),
    "I hope that the weather stays warm and dry.": (
        "Espero que el tiempo siga cálido y seco.",
        "J'espère que le temps restera chaud et sec.",
    ),
}
VOICES: Final = {"es": "neural:ef_dora", "fr": "neural:ff_siwis"}


@pytest.mark.real
def test_an_english_film_gets_a_spanish_and_a_french_track_in_one_file(
    weights: Path, tmp_path: Path, ffmpeg: str
) -> None:
    out = Path(os.environ.get("AUTODUBBER_TEST_FILM", tmp_path / "film"))
    seconds = float(os.environ.get("AUTODUBBER_TEST_FILM_S", "15"))
    out.mkdir(parents=True, exist_ok=True)
    film(weights, seconds, out / "english.mp4", list(LINES), ("af_heart", "bm_george"))
    data = tmp_path / "data"
    (data / "models").mkdir(parents=True)
    (data / "models" / "kokoro").symlink_to(weights / "kokoro")
    with translators.running() as url:
        phrases = {
            language: {text: told[number] for text, told in LINES.items()} for number, language in enumerate(VOICES)
        }
        httpx.post(f"{url}/_phrases", json=phrases)
        done = run(
            data,
            *("dub", out / "english.mp4", "--language", "en", "--model", weights / "whisper-base.pt"),
            *("--to", "es,fr", "--translator", "chat", "--voice", VOICES["es"], "--voice-for", f"fr={VOICES['fr']}"),
            *("--keep-original-track", "--audio-format", "wav", "--json", "-o", out),
            within_s=60 + 8 * seconds,
            AUTODUBBER_MIN_FREE_BYTES="0",
            AUTODUBBER_CHAT_URL=f"{url}/v1",
            AUTODUBBER_CHAT_MODEL=translators.MODEL,
            AUTODUBBER_CHAT_KEY=translators.KEY,
        )
    assert done.returncode == 0, done.stderr
    told: dict[str, Any] = json.loads(done.stdout)
    with av.open(told["outputs"]["video"]) as video:
        sounds = [(each.language, each.metadata.get("handler_name")) for each in video.streams.audio]
        shown = [each.language for each in video.streams if each.type == "subtitle"]
        defaults = [bool(each.disposition & Disposition.default) for each in video.streams.audio]
    print(f"sounds: {sounds}, subtitles: {shown}; took {sum(told['stages_s'].values()):.0f} s: {told['stages_s']}")
    assert sounds == [("spa", "Spanish"), ("fra", "French"), ("eng", "Original")]
    assert shown == ["spa", "fra", "eng"] and defaults == [True, False, False]
    (french,) = told["languages"]
    for number, (language, report) in enumerate((("es", told["report"]), ("fr", french["report"]))):
        path = tmp_path / f"{language}.wav"
        command = [ffmpeg, "-v", "error", "-y", "-i", told["outputs"]["video"], "-map", f"0:a:{number}", str(path)]
        subprocess.run(command, check=True)  # that track, as a player plays it
        said = words_of(" ".join(line["text"] for line in report["lines"]))
        words = heard_words(weights, tmp_path / f"{language}-heard.wav", decode(ffmpeg, path), language)
        wrong = wrong_words(said, words)
        print(f"{language}: {len(report['lines'])} lines, words wrong: {wrong:.1%}, {report['loudness_lufs']} LUFS")
        assert wrong <= 0.1
        assert abs(report["loudness_lufs"] + 16) < 0.5 and abs(report["duration_difference_s"]) < 0.1


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
