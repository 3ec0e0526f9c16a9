"""What is measured with: videos made by ffmpeg, and subtitles."""

from __future__ import annotations

import asyncio
import multiprocessing
import subprocess
import wave
from pathlib import Path
from typing import Any

import numpy as np

from app.media.ffmpeg import tool
from app.speech.espeak.voice import EspeakVoice
from app.speech.ports import SpeechRequest

CLIP = Path(__file__).resolve().parents[1] / "tests" / "fixtures" / "clips" / "en_60s.flac"
RATE_HZ = 48_000
SENTENCES = (
    "Now turn the table upside down.",
    "This is how it looks from above.",
    "First, measure the length of the board.",
    "It is strong enough for two people.",
    "Cut it where the pencil line is.",
)
WORDS = (
    "the",
    "river",
    "runs",
    "slowly",
    "under",
    "old",
    "bridges",
    "while",
    "small",
    "boats",
    "carry",
    "bread",
    "and",
    "letters",
    "home",
)
_UNIT_S = 120
_MINUTE_S = 60
# Hz, phase, seconds of a swell
_PARTIALS = ((110, 0, 3.1), (164.8, 1, 4.7), (220, 2, 2.3), (329.6, 0.3, 5.9), (440, 0.7, 7.1), (880, 0.1, 1.7))


def video(path: Path, seconds: int, size: str = "1280x720") -> Path:
    """A moving picture with speech under it."""
    picture = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate=25:duration={seconds}"]
    codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-c:a", "aac", "-t", str(seconds)]
    subprocess.run(
        [tool(), "-v", "error", "-y", *picture, "-stream_loop", "-1", "-i", str(CLIP), *codecs, str(path)], check=True
    )
    return path


def long_video(path: Path, seconds: int, size: str) -> Path:
    """The same, a minute of it repeated without encoding it again, with a key frame every ten seconds, as most films
    have."""
    unit = path.with_name(f"unit-{path.name}")
    picture = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate=25:duration={_MINUTE_S}"]
    codecs = [
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-g",
        "250",
        "-keyint_min",
        "250",
        "-c:a",
        "aac",
        "-t",
        str(min(seconds, _MINUTE_S)),
    ]
    subprocess.run(
        [tool(), "-v", "error", "-y", *picture, "-stream_loop", "-1", "-i", str(CLIP), *codecs, str(unit)], check=True
    )
    loops = ["-stream_loop", str(seconds // _MINUTE_S), "-i", str(unit), "-c", "copy", "-t", str(seconds)]
    subprocess.run([tool(), "-v", "error", "-y", *loops, str(path)], check=True)
    unit.unlink()
    return path


def film(folder: Path, seconds: float) -> Path:
    """A 720p30 H.264 video with speech over music and noise, AAC at 160 kb/s: at most two minutes, looped without
    encoding them again."""
    unit, source = folder / "unit.mp4", folder / "source.mp4"
    picture = ["-f", "lavfi", "-i", f"testsrc2=s=1280x720:r=30:d={min(_UNIT_S, seconds)}"]
    sound = ["-f", "f32le", "-ar", str(RATE_HZ), "-ac", "2", "-i", "-"]
    codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-crf", "30", "-c:a", "aac", "-b:a", "160k"]
    argv = [
        tool(),
        "-v",
        "error",
        "-y",
        *sound,
        *picture,
        "-map",
        "1:v",
        "-map",
        "0:a",
        *codecs,
        "-t",
        str(min(_UNIT_S, seconds)),
        str(unit),
    ]
    # a child's peak memory begins with its parent's: this one must stay small
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        pool.apply(_pipe_bed, (argv,))
    loops = ["-stream_loop", str(int(seconds // _UNIT_S)), "-i", str(unit)]
    subprocess.run([tool(), "-v", "error", "-y", *loops, "-c", "copy", "-t", str(seconds), str(source)], check=True)
    unit.unlink()
    return source


def _pipe_bed(argv: list[str]) -> None:
    subprocess.run(argv, input=_bed().astype("<f4").tobytes(), check=True)


def _bed() -> np.ndarray:
    """Float (n, 2): a chord that swells, pink noise, and a voice with pauses."""
    count_n = _UNIT_S * RATE_HZ
    t = np.arange(count_n) / RATE_HZ
    spectrum = np.fft.rfft(np.random.default_rng(0).standard_normal(count_n))
    spectrum[1:] /= np.sqrt(np.arange(1, len(spectrum)))
    pink = np.fft.irfft(spectrum, count_n)
    pink /= np.abs(pink).max()
    music = sum(
        np.sin(2 * np.pi * hz * t + phase) * (0.5 + 0.5 * np.sin(2 * np.pi * t / swell_s))
        for hz, phase, swell_s in _PARTIALS
    ) / len(_PARTIALS)
    argv = [
        tool(),
        "-v",
        "error",
        "-stream_loop",
        "-1",
        "-i",
        str(CLIP),
        "-t",
        str(_UNIT_S),
        "-f",
        "f32le",
        "-ac",
        "1",
        "-ar",
        str(RATE_HZ),
        "-",
    ]
    speech = np.frombuffer(subprocess.run(argv, capture_output=True, check=True).stdout, "<f4")[:count_n]
    left = 0.05 * music + 0.02 * pink
    right = 0.05 * np.roll(music, 400) + 0.02 * np.roll(pink, 999)
    return np.stack([left, right], axis=1) + 0.7 * np.pad(speech, (0, count_n - len(speech)))[:, None]


def lines(folder: Path, count: int, seconds: float) -> list[dict[str, Any]]:
    """Lines spread over the video as the fit takes them, spoken by espeak-ng; some of the clips are too long for their
    slots."""
    random = np.random.default_rng(0)
    slot_s = seconds / count
    made, texts = [], {}
    for index in range(count):
        clip = folder / f"line{index}.wav"
        texts[clip] = " ".join(random.choice(WORDS, max(2, round(slot_s * random.uniform(1.5, 3.2)))))
        start_s = index * slot_s + 0.1
        line = {
            "segment_id": f"{index}",
            "start_s": start_s,
            "end_s": start_s + slot_s * 0.85,
            "speaker": "",
            "clip": str(clip),
            "speed": 1.0,
        }
        made.append(line)
    asyncio.run(_speak(texts, "en"))
    return made


def speak(path: Path, text: str, voice: str = "en") -> Path:
    """A WAV of the text, spoken by the espeak-ng that the program brings: none has to be installed."""
    asyncio.run(_speak({path: text}, voice))
    return path


async def _speak(texts: dict[Path, str], voice: str) -> None:
    """As many at once as there are processors; a clip is written as soon as it is there."""
    engine = EspeakVoice()

    async def one(path: Path, text: str) -> None:
        spoken = await engine.speak(SpeechRequest(voice, "", text, None, 1.0, "", "", None))
        with wave.open(str(path), "wb") as file:
            file.setparams((1, 2, spoken.sample_rate_hz, 0, "NONE", "not compressed"))
            file.writeframes(spoken.pcm)

    async with asyncio.TaskGroup() as group:
        for path, text in texts.items():
            group.create_task(one(path, text))


def sound(path: Path, seconds: int) -> Path:
    subprocess.run([tool(), "-v", "error", "-y", "-i", str(CLIP), "-t", str(seconds), str(path)], check=True)
    return path


def _time(at_s: float) -> str:
    ms = round(at_s * 1000)
    return f"{ms // 3600000:02}:{ms // 60000 % 60:02}:{ms // 1000 % 60:02},{ms % 1000:03}"


def subtitles(path: Path, seconds: int, lines: int) -> Path:
    """`lines` different sentences, evenly spread."""
    slot = seconds / lines
    cues = [
        (
            f"{n + 1}\n{_time(n * slot)} --> {_time(n * slot + 0.8 * slot)}\n{SENTENCES[n % len(SENTENCES)]} Number "
            f"{n + 1}.\n"
        )
        for n in range(lines)
    ]
    path.write_text("\n".join(cues))
    return path
