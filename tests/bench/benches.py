"""The benches, found by themselves, and a machine for them as it comes: without espeak-ng, FFmpeg and container
engines."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
BENCHES = sorted(
    path.stem for path in (ROOT / "bench").glob("*.py") if '__name__ == "__main__"' in path.read_text(encoding="utf-8")
)
ABSENT = ("espeak", "ffmpeg", "ffprobe", "docker", "podman")


def bare_path(folder: Path) -> str:
    """A PATH with every program of this machine except ABSENT: links in one folder."""
    for place in os.get_exec_path():
        for program in Path(place).iterdir() if Path(place).is_dir() else ():
            link = folder / program.name
            if not program.name.startswith(ABSENT) and not link.is_symlink():
                link.symlink_to(program)
    return str(folder)


def run(bench: str, arguments: list[str], folder: Path, path: str) -> subprocess.CompletedProcess[str]:
    """Start it as a person does, with a folder of its own for temporary files, which has to be empty again at the
    end."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AUTODUBBER_")}
    with tempfile.TemporaryDirectory(prefix="bench-") as scratch:  # a short name: Chromium's sockets lie in it
        environment = {**clean, "PATH": path, "TMPDIR": scratch, "HOME": str(folder)}
        done = subprocess.run(
            [sys.executable, "-m", f"bench.{bench}", *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert "Traceback" not in done.stderr, done.stderr
        assert list(Path(scratch).iterdir()) == [], "it leaves folders behind"
    return done
