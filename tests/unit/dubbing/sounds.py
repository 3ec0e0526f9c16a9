"""Sounds for the tests of the dub: made here, written as WAV, read back through ffmpeg, measured by ffmpeg."""

from __future__ import annotations

import re
import subprocess
import wave
from pathlib import Path

import numpy as np

RATE_HZ = 48_000


def write_wav(path: Path, samples: np.ndarray, rate_hz: int = RATE_HZ) -> Path:
    """16-bit WAV of float samples (n,) or (n, channels)."""
    shaped = samples.reshape(len(samples), -1)
    with wave.open(str(path), "wb") as wav:
        wav.setnchannels(shaped.shape[1])
        wav.setsampwidth(2)
        wav.setframerate(rate_hz)
        wav.writeframes((np.clip(shaped, -1, 1) * 32767).round().astype("<i2").tobytes())
    return path


def noise(seconds: float, rate_hz: int = RATE_HZ, *, level: float = 0.2, seed: int = 0) -> np.ndarray:
    """White noise that begins and ends at once."""
    return (np.random.default_rng(seed).standard_normal(round(seconds * rate_hz)) * level).astype(np.float32)


def tone(seconds: float, hz: float, rate_hz: int = RATE_HZ, *, level: float = 0.2) -> np.ndarray:
    return (np.sin(2 * np.pi * hz * np.arange(round(seconds * rate_hz)) / rate_hz) * level).astype(np.float32)


def speak(path: Path, text: str, *, words_per_minute: int = 170) -> Path:
    """A sentence by espeak-ng."""
    subprocess.run(["espeak-ng", "-s", str(words_per_minute), "-w", str(path), text], check=True)
    return path


def decode(ffmpeg: str, path: Path, *, audio: int = 0) -> np.ndarray:
    """What a player hears: float32 (n, 2)."""
    argv = [
        ffmpeg,
        "-v",
        "error",
        "-i",
        str(path),
        "-map",
        f"0:a:{audio}",
        "-f",
        "f32le",
        "-ac",
        "2",
        "-ar",
        str(RATE_HZ),
        "-",
    ]
    return np.frombuffer(subprocess.run(argv, capture_output=True, check=True).stdout, "<f4").reshape(-1, 2)


def measure(ffmpeg: str, path: Path) -> tuple[float, float]:
    """Integrated loudness (LUFS) and true peak (dBTP) as ffmpeg's ebur128 reads them."""
    argv = [ffmpeg, "-hide_banner", "-nostats", "-i", str(path), "-af", "ebur128=peak=true", "-f", "null", "-"]
    said = subprocess.run(argv, capture_output=True, check=True, text=True).stderr
    return float(re.findall(r"I:\s+(\S+) LUFS", said)[-1]), float(re.findall(r"Peak:\s+(\S+) dBFS", said)[-1])


def movie(ffmpeg: str, path: Path, sound: np.ndarray) -> Path:
    """A moving picture with this sound, float (n,) or (n, 2), as long as the sound."""
    shaped = sound.reshape(len(sound), -1)
    argv = [ffmpeg, "-v", "error", "-y", "-f", "f32le", "-ar", str(RATE_HZ), "-ac", str(shaped.shape[1]), "-i", "-"]
    argv += ["-f", "lavfi", "-i", f"testsrc=s=64x48:r=10:d={len(sound) / RATE_HZ}", "-map", "1:v", "-map", "0:a"]
    argv += ["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-b:a", "192k", str(path)]
    subprocess.run(argv, input=shaped.astype("<f4").tobytes(), check=True)
    return path


def onset_s(samples: np.ndarray, near_s: float, *, before_s: float = 0.05, after_s: float = 0.1) -> float:
    """When the sound begins around `near_s`: the first sample above a tenth of the loudest."""
    first_n = max(0, round((near_s - before_s) * RATE_HZ))
    part = np.abs(samples[first_n : round((near_s + after_s) * RATE_HZ), 0])
    return (first_n + int(np.flatnonzero(part > 0.1 * part.max())[0])) / RATE_HZ


def level_db(samples: np.ndarray, from_s: float, until_s: float) -> float:
    """RMS of a part, dB relative to full scale."""
    part = samples[round(from_s * RATE_HZ) : round(until_s * RATE_HZ)]
    return float(10 * np.log10(np.mean(np.square(part, dtype=np.float64)) + 1e-20))
