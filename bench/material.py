"""What is measured with: videos made by ffmpeg, and subtitles."""

from __future__ import annotations

import subprocess
from pathlib import Path

from app.media.ffmpeg import tool

CLIP = Path(__file__).resolve().parents[1] / "tests" / "fixtures" / "clips" / "en_60s.flac"
SENTENCES = (
    "Now turn the table upside down.",
    "This is how it looks from above.",
    "First, measure the length of the board.",
    "It is strong enough for two people.",
    "Cut it where the pencil line is.",
)


def video(path: Path, seconds: int, size: str = "1280x720") -> Path:
    """A moving picture with speech under it."""
    picture = ["-f", "lavfi", "-i", f"testsrc2=size={size}:rate=25:duration={seconds}"]
    codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-c:a", "aac", "-t", str(seconds)]
    subprocess.run([tool(), "-v", "error", "-y", *picture, "-stream_loop", "-1", "-i", str(CLIP), *codecs, str(path)], check=True)
    return path


def sound(path: Path, seconds: int) -> Path:
    subprocess.run([tool(), "-v", "error", "-y", "-i", str(CLIP), "-t", str(seconds), str(path)], check=True)
    return path


def _time(at_s: float) -> str:
    ms = round(at_s * 1000)
    return f"{ms // 3600000:02}:{ms // 60000 % 60:02}:{ms // 1000 % 60:02},{ms % 1000:03}"


def subtitles(path: Path, seconds: int, lines: int) -> Path:
    """`lines` different sentences, evenly spread."""
    slot = seconds / lines
    cues = [f"{n + 1}\n{_time(n * slot)} --> {_time(n * slot + 0.8 * slot)}\n{SENTENCES[n % len(SENTENCES)]} Number {n + 1}.\n" for n in range(lines)]
    path.write_text("\n".join(cues))
    return path
