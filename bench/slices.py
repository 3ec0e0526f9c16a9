"""How much work a kill can cost in each stage: the longest time between two moments at which something more was kept.

usage: python -m bench.slices [--seconds 1200] [--lines 120] [--picture 1920x1080] [--burn] [--brought] [--container
mkv] [--audio-format wav] A server works on one film. Every 20 ms what it has kept is looked at: stages that are
recorded, recognised lines, files in the cache and in the blob store. CPU seconds are those of the server and all its
children. The first unit of a stage has what starting its program costs.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import lzma
import os
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from bench import material
from bench.kills import Lives, submit

_LOOK_S = 0.02


class Unit(NamedTuple):
    """What lies between two moments at which something was kept."""

    cpu_s: float
    wall_s: float


def kept(data: Path) -> tuple[int, int]:
    """How many files, and of how many bytes, there are that a next run finds."""
    files = size = 0
    for path in _files([data / "cache", data / "blobs"]):
        if not path.name.startswith(".") and not path.name.endswith(".tmp"):
            with contextlib.suppress(FileNotFoundError):
                files, size = files + 1, size + path.stat().st_size
    return files, size


def _files(folders: list[Path]) -> Iterator[os.DirEntry[str]]:
    while folders:
        try:
            entries = list(os.scandir(folders.pop()))
        except FileNotFoundError:
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                folders.append(Path(entry.path))
            else:
                yield entry


def recorded(data: Path) -> tuple[str, str, tuple[object, ...]]:
    """The job's state and stage, and what the database knows of finished work."""
    with sqlite3.connect(f"file:{data / 'app.sqlite3'}?mode=ro", uri=True, timeout=10) as database:
        state, stage = database.execute("SELECT state, stage FROM jobs").fetchone()
        outputs = database.execute(
            "SELECT stage, fingerprint, length(output), output FROM stages ORDER BY stage"
        ).fetchall()
    return (
        state,
        stage or "",
        tuple((name, print_, size if size > 500 else output) for name, print_, size, output in outputs),
    )


def watch(lives: Lives) -> tuple[str, dict[str, list[Unit]]]:
    """Until the job has ended: its state, and the units of every stage."""
    units: dict[str, list[Unit]] = {}
    state, stage, known = "", "", None
    at_s, cpu_s = time.monotonic(), lives.spent_s()
    while state not in ("completed", "failed", "cancelled"):
        time.sleep(_LOOK_S)
        now_state, now_stage, facts = recorded(lives.data)
        now = (facts, kept(lives.data))
        if now != known or now_stage != stage:
            now_s, now_cpu_s = time.monotonic(), lives.spent_s()
            if now_cpu_s >= cpu_s and stage:
                units.setdefault(stage, []).append(Unit(now_cpu_s - cpu_s, now_s - at_s))
            at_s, cpu_s, known = now_s, now_cpu_s, now
        state, stage = now_state, now_stage or stage
    return state, units


def show(units: dict[str, list[Unit]]) -> float:
    """The table; the most CPU seconds that a kill can cost."""
    print(
        f"{'stage':12}{'units':>7}{'CPU s':>9}{'largest CPU s':>15}{'its wall s':>12}"
        f"{'longest wall s':>16}{'first CPU s':>13}{'median':>9}"
    )
    for stage, found in units.items():
        largest, middle = max(found), sorted(found)[len(found) // 2]
        total, longest_s = sum(unit.cpu_s for unit in found), max(unit.wall_s for unit in found)
        print(
            f"{stage:12}{len(found):7}{total:9.2f}{largest.cpu_s:15.2f}{largest.wall_s:12.2f}{longest_s:16.2f}{found[0].cpu_s:13.2f}{middle.cpu_s:9.2f}"
        )
    return max(unit.cpu_s for found in units.values() for unit in found)


def smallest(_: Path) -> list[str]:
    """The arguments of its smallest run."""
    return ["--seconds", "4", "--lines", "2", "--brought", "--picture", "160x90"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=1200, help="of the film")
    parser.add_argument("--lines", type=int, default=120, help="of the subtitles, where they are brought")
    parser.add_argument("--picture", default="1920x1080")
    parser.add_argument("--brought", action="store_true", help="bring subtitles instead of recognising")
    parser.add_argument("--burn", action="store_true", help="draw the subtitles into the picture")
    parser.add_argument("--container", default="auto")
    parser.add_argument("--audio-format", default="m4a")
    parser.add_argument(
        "--most", type=float, default=0.0, help="fail when a unit takes more CPU seconds than this; 0: only tell"
    )
    parser.add_argument("--program", default=str(Path(sys.executable).with_name("autodubber")))
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="autodubber-bench-") as folder:
        root = Path(folder)
        model = root / "micro.pt"
        model.write_bytes(lzma.decompress((material.CLIP.parents[1] / "whisper-micro.pt.xz").read_bytes()))
        source = material.long_video(root / "film.mp4", asked.seconds, asked.picture)
        lines = material.subtitles(root / "lines.srt", asked.seconds, asked.lines) if asked.brought else None
        print(
            f"a film of {asked.seconds} s, {asked.picture}, {source.stat().st_size >> 20} MiB; {os.cpu_count()} "
            f"processors"
        )
        lives = Lives(asked.program, root / "data", AUTODUBBER_MODEL=str(model))
        lives.start()
        try:
            options = {
                "review": "false",
                "voice": "espeak:en",
                "container": asked.container,
                "audio_format": asked.audio_format,
            }
            submit(lives, [(source, lines)], options | {"burn_subtitles": json.dumps(asked.burn)})
            state, units = watch(lives)
        finally:
            lives.kill()
        largest_s = show(units)
        if state != "completed":
            print(lives.data.with_suffix(".log").read_text(errors="replace")[-3000:])
    print(f"the job {state}; a kill costs {largest_s:.2f} CPU s at the most")
    return 0 if state == "completed" and (not asked.most or largest_s <= asked.most) else 1


if __name__ == "__main__":
    sys.exit(main())
