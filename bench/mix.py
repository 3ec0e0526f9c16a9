"""300 lines over a 20-minute video: fit, mix, mux, and the same again after one line was edited. CPU seconds and peak memory of each child.

    python bench/mix.py [--minutes 20] [--lines 300] [--threads 2] [--background duck]

Prints one table. The picture is a looped 720p30 test pattern; the original sound is noise and music-like tones; the voice is espeak-ng.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import msgspec
import numpy as np

FFMPEG = imageio_ffmpeg.get_ffmpeg_exe()
ROOT = Path(__file__).resolve().parent.parent


class Cost(msgspec.Struct, frozen=True):
    cpu_s: float
    wall_s: float
    peak_mib: float


def run(argv: list[str], stdin: bytes = b"") -> tuple[bytes, Cost]:
    """Run a child to its end; what it printed, and what it cost."""
    began_s = time.perf_counter()
    with tempfile.TemporaryFile() as sent, tempfile.TemporaryFile() as said:
        sent.write(stdin)
        sent.seek(0)
        process = subprocess.Popen(argv, stdin=sent, stdout=said, cwd=ROOT)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        said.seek(0)
        out = said.read()
    if process.returncode:
        sys.exit(f"{argv[0]} ended with {process.returncode}")
    return out, Cost(usage.ru_utime + usage.ru_stime, time.perf_counter() - began_s, usage.ru_maxrss / 1024)


def task(name: str, request: dict[str, Any]) -> tuple[Any, Cost]:
    """One task in `app.dubbing.child`, as the server runs it."""
    out, cost = run([sys.executable, "-m", "app.dubbing.child"], json.dumps({"task": name, "request": request}).encode() + b"\n")
    last = json.loads(out.splitlines()[-1])
    if "result" not in last:
        sys.exit(f"{name}: {last}")
    return last["result"], cost


def make_source(folder: Path, minutes: float) -> Path:
    """A 720p30 H.264 video with AAC sound of that many minutes: half a minute, looped without encoding it again."""
    unit, source = folder / "unit.mp4", folder / "source.mp4"
    sound = "aevalsrc=0.05*sin(2*PI*220*t)*(1+sin(2*PI*0.3*t))+0.04*(random(0)-0.5)|0.05*sin(2*PI*277*t)+0.04*(random(1)-0.5):s=48000:d=30"
    argv = [FFMPEG, "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=s=1280x720:r=30:d=30", "-f", "lavfi", "-i", sound]
    subprocess.run([*argv, "-c:v", "libx264", "-preset", "ultrafast", "-crf", "30", "-c:a", "aac", str(unit)], check=True)
    loops = ["-stream_loop", str(round(minutes * 2) - 1), "-i", str(unit)]
    subprocess.run([FFMPEG, "-v", "error", "-y", *loops, "-c", "copy", "-t", str(minutes * 60), str(source)], check=True)
    return source


def make_lines(folder: Path, count: int, duration_s: float) -> list[dict[str, Any]]:
    """Lines spread over the video, some of them with clips that are too long for their slots."""
    random = np.random.default_rng(0)
    words = ["the", "river", "runs", "slowly", "under", "old", "bridges", "while", "small", "boats", "carry", "bread", "and", "letters", "home"]
    slot_s = duration_s / count
    lines = []
    for index in range(count):
        clip = folder / f"line{index}.wav"
        text = " ".join(random.choice(words, max(2, round(slot_s * random.uniform(1.5, 3.2)))))
        subprocess.run(["espeak-ng", "-s", "165", "-w", str(clip), text], check=True)
        start_s = index * slot_s + 0.1
        line = {"segment_id": f"{index}", "start_s": start_s, "end_s": start_s + slot_s * 0.85, "speaker": "", "clip": str(clip), "speed": 1.0}
        lines.append(line)
    return lines


def render(source: Path, folder: Path, lines: list[dict[str, Any]], duration_s: float, threads: int, background: str) -> list[tuple[str, Cost, str]]:
    """Fit, mix and mux: (stage, cost, remark) of each."""
    placements, fit_cost = task("fit", {"lines": lines, "video_end_s": duration_s})
    clips = []
    for line, p in zip(lines, placements, strict=True):
        placed = {key: p[key] for key in ("start_s", "duration_s", "rate", "trim_start_s", "trim_end_s")}
        clips.append({"path": line["clip"], **placed})
    track, out = folder / "track.m4a", folder / "out.mp4"
    request = {
        "source": str(source), "audio_track": 0, "duration_s": duration_s, "clips": clips, "background": background,
        "energies": str(folder / "energies.f32"), "chunk_cache": str(folder / "cache"), "out": str(track), "threads": threads,
    }  # fmt: skip
    report, mix_cost = task("mix", request)
    argv = [FFMPEG, "-v", "error", "-y", "-i", str(source), "-i", str(track), "-map", "0:v", "-map", "1:a", "-c", "copy", "-movflags", "+faststart"]
    _, mux_cost = run([*argv, str(out)])
    stretched = sum(p["rate"] != 1 for p in placements)
    return [
        ("fit", fit_cost, f"{stretched} of {len(lines)} lines stretched, fastest {max(p['rate'] for p in placements):.2f}"),
        ("mix", mix_cost, f"{report['loudness_lufs']:.2f} LUFS, {report['true_peak_db']:.2f} dBTP, chunks {report['encoded_chunks']} new"
         f" {report['cached_chunks']} kept"),
        ("mux", mux_cost, f"{out.stat().st_size >> 20} MiB"),
    ]  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--lines", type=int, default=300)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--background", choices=("duck", "keep", "replace"), default="duck")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-mix-") as name:
        folder, duration_s = Path(name), asked.minutes * 60
        source, lines = make_source(folder, asked.minutes), make_lines(folder, asked.lines, duration_s)
        size_bytes = source.stat().st_size
        ingest = {"path": str(source), "out": str(folder), "audio_track": 0, "max_duration_s": 1e6, "size_bytes": size_bytes}
        _, ingest_cost = task("ingest", ingest)
        first = render(source, folder, lines, duration_s, asked.threads, asked.background)
        edited = lines[len(lines) // 2]["clip"]
        subprocess.run(["espeak-ng", "-s", "165", "-w", edited, "another line entirely"], check=True)
        second = render(source, folder, lines, duration_s, asked.threads, asked.background)

    print(f"{asked.minutes:g} min, {asked.lines} lines, {asked.threads} threads, background {asked.background}")
    print(f"{'':18}{'CPU s':>8}{'wall s':>8}{'peak MiB':>10}")
    for label, stages in (("ingest (once)", [("", ingest_cost, "")]), ("render", first), ("one line edited", second)):
        print(label)
        for stage, cost, remark in stages:
            print(f"  {stage:16}{cost.cpu_s:8.2f}{cost.wall_s:8.2f}{cost.peak_mib:10.0f}  {remark}")
    totals = [sum(cost.cpu_s for _, cost, _ in stages) for stages in (first, second)]
    peaks = [max(cost.peak_mib for _, cost, _ in stages) for stages in (first, second)]
    print(f"render: {totals[0]:.1f} CPU s, {peaks[0]:.0f} MiB; after one edit: {totals[1]:.1f} CPU s, ratio {totals[1] / totals[0]:.2f}")


if __name__ == "__main__":
    main()
