"""Recordings for the speech room's tests."""

import asyncio
import json
import subprocess
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from app.speech.espeak.voice import EspeakVoice
from app.speech.ports import SpeechRequest

CLIPS = Path(__file__).parents[2] / "fixtures" / "clips"


class Recording(msgspec.Struct, frozen=True):
    """A 16 kHz WAV and the lines in it: (start_s, text)."""

    path: Path
    lines: tuple[tuple[float, str], ...]
    duration_s: float


def write(path: Path, samples: np.ndarray[Any, Any]) -> Path:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, 16_000, 0, "NONE", "not compressed"))
        file.writeframes(samples.astype("<i2").tobytes())
    return path


def read(path: Path) -> np.ndarray[Any, Any]:
    with wave.open(str(path)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2")


@pytest.fixture(scope="session")
def clips(ffmpeg: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Recording]:
    """The ready-made clips by name, the first two letters being the language."""
    folder = tmp_path_factory.mktemp("clips")
    found = {}
    for source in sorted(CLIPS.glob("*.flac")):
        path = folder / f"{source.stem}.wav"
        subprocess.run(
            [ffmpeg, "-v", "error", "-i", source, "-ar", "16000", "-ac", "1", "-c:a", "pcm_s16le", path], check=True
        )
        told = json.loads(source.with_suffix(".json").read_text())
        found[source.stem] = Recording(
            path, tuple((one["start"], one["text"]) for one in told), len(read(path)) / 16_000
        )
    return found


Compose = Callable[..., Recording]


@pytest.fixture
def compose(tmp_path: Path) -> Compose:
    """compose([(second, text, voice), ...], total_s) speaks the lines at their seconds."""

    def make(lines: list[tuple[float, str, str]], total_s: float, name: str = "composed") -> Recording:
        import soxr

        async def speak() -> list[Any]:
            engine = EspeakVoice()
            return [
                await engine.speak(SpeechRequest(voice, "", text, None, 1.0, "", "", None)) for _, text, voice in lines
            ]

        track = np.zeros(round(total_s * 16_000), np.int16)
        starts = []
        for (start_s, text, _), spoken in zip(lines, asyncio.run(speak()), strict=True):
            samples = soxr.resample(np.frombuffer(spoken.pcm, "<i2"), spoken.sample_rate_hz, 16_000)
            loud = np.flatnonzero(np.abs(samples.astype(np.int32)) > 200)
            samples = samples[loud[0] : loud[-1]]
            begin = round(start_s * 16_000)
            track[begin : begin + len(samples)] = samples
            starts.append((start_s, text))
        return Recording(write(tmp_path / f"{name}.wav", track), tuple(starts), total_s)

    return make
