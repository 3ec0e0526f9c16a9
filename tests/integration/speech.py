"""Spoken videos made on the spot, and Whisper to read results back."""

from __future__ import annotations

import asyncio
import subprocess
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soxr

from app.domain.dub_options import Task
from app.domain.segment import Segment
from app.speech.espeak.voice import EspeakVoice
from app.speech.ports import Recognised, RecognitionProgress, RecognitionRequest, SpeechRequest
from app.speech.whisper.models import ModelStore
from app.speech.whisper.recognizer import OpenAIWhisper

SAMPLE_RATE_HZ = 48_000


@dataclass(frozen=True)
class Sentence:
    start_s: float
    text: str


def spoken(text: str, voice: str = "en-us") -> np.ndarray:
    """float32 mono at 48 kHz, silent edges trimmed."""

    async def speak() -> tuple[bytes, int]:
        engine = EspeakVoice()
        try:
            made = await engine.speak(SpeechRequest(voice, "", text, None, 1.0, "", "", None))
            return made.pcm, made.sample_rate_hz
        finally:
            await engine.close()

    pcm, rate = asyncio.run(speak())
    sound = soxr.resample(np.frombuffer(pcm, "<i2").astype(np.float32) / 32768, rate, SAMPLE_RATE_HZ)
    loud = np.flatnonzero(np.abs(sound) > 0.01)
    return np.asarray(sound[loud[0] : loud[-1]], np.float32)


def spoken_video(
    ffmpeg: str, path: Path, sentences: list[Sentence], duration_s: float, *, voice: str = "en-us", picture: bool = True
) -> Path:
    """A moving picture (or sound alone) in which the sentences are spoken at their times. The container follows the
    name."""
    track = np.zeros(round(duration_s * SAMPLE_RATE_HZ), np.float32)
    for sentence in sentences:
        sound, at = spoken(sentence.text, voice), round(sentence.start_s * SAMPLE_RATE_HZ)
        track[at : at + len(sound)] += sound[: len(track) - at]
    sound_file = path.with_suffix(".speech.wav")
    with wave.open(str(sound_file), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(SAMPLE_RATE_HZ)
        file.writeframes((np.clip(track, -1, 1) * 32767).astype("<i2").tobytes())
    source = f"testsrc=s=320x180:r=25:d={duration_s}"
    moving = [
        "-f",
        "lavfi",
        "-i",
        source,
        "-map",
        "1:v",
        "-c:v",
        "libx264",
        "-preset",
        "ultrafast",
        "-pix_fmt",
        "yuv420p",
    ]
    command = [
        ffmpeg,
        "-v",
        "error",
        "-nostdin",
        "-y",
        "-i",
        str(sound_file),
        *(moving if picture else []),
        "-map",
        "0:a",
        str(path),
    ]
    subprocess.run(command, check=True)
    sound_file.unlink()
    return path


def heard(ffmpeg: str, media: Path, checkpoint: Path, work: Path, *, track: int = 0) -> list[Segment]:
    """What Whisper hears in a finished file, with times."""
    speech = work / f"{media.stem}-{track}.heard.wav"
    form = ["-ac", "1", "-ar", "16000", "-c:a", "pcm_s16le"]
    command = [ffmpeg, "-v", "error", "-nostdin", "-y", "-i", str(media), "-map", f"0:a:{track}", *form, str(speech)]
    subprocess.run(command, check=True)
    with wave.open(str(speech)) as file:
        duration_s = file.getnframes() / file.getframerate()
    segments: list[Segment] = []

    def on_event(event: RecognitionProgress | Recognised) -> None:
        if isinstance(event, Recognised):
            segments.extend(event.segments)

    request = RecognitionRequest(
        speech=speech,
        model=str(checkpoint),
        language=None,
        task=Task.TRANSCRIBE,
        duration_s=duration_s,
        resume_at_s=0.0,
    )
    asyncio.run(
        OpenAIWhisper(ModelStore(work / "models", paths=True), threads=1, device="cpu").transcribe(request, on_event)
    )
    return segments


def duration_s(ffmpeg: str, media: Path, stream: str) -> float:
    """How long a stream is when it is decoded; `stream` as ffmpeg's -map has it ("0:a:0")."""
    command = [
        ffmpeg,
        "-v",
        "error",
        "-nostdin",
        "-i",
        str(media),
        "-map",
        stream,
        "-f",
        "null",
        "-progress",
        "pipe:1",
        "-",
    ]
    shown = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    times = [line.partition("=")[2] for line in shown.splitlines() if line.startswith("out_time_us=")]
    return int(times[-1]) / 1e6
