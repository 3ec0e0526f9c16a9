"""The stages of a dub, each in a child as the server runs it, with what it cost; and the plain pass that they are
compared with."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import msgspec

from app.media.ffmpeg import tool

ROOT: Final = Path(__file__).resolve().parent.parent


class Cost(msgspec.Struct, frozen=True):
    """CPU seconds, wall seconds and peak memory (MiB) of a child, and a remark about what came out."""

    cpu_s: float
    wall_s: float
    peak_mib: float
    remark: str = ""

    def __add__(self, other: Cost) -> Cost:
        return Cost(self.cpu_s + other.cpu_s, self.wall_s + other.wall_s, max(self.peak_mib, other.peak_mib))


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
    """One task in `app.dubbing.worker.child`, as the server runs it."""
    out, cost = run(
        [sys.executable, "-m", "app.dubbing.worker.child"],
        json.dumps({"task": name, "request": request}).encode() + b"\n",
    )
    last = json.loads(out.splitlines()[-1])
    if "result" not in last:
        sys.exit(f"{name}: {last}")
    return last["result"], cost


def ingest(source: Path, folder: Path) -> Cost:
    """Leaves energies.f32 in the folder."""
    request = {
        "path": str(source),
        "out": str(folder),
        "audio_track": 0,
        "max_duration_s": 1e6,
        "size_bytes": source.stat().st_size,
    }
    return task("ingest", request)[1]


def plain(source: Path, folder: Path, coder: str) -> Cost:
    """What a dub costs at the least: the sound decoded and coded again with nothing done to it, the picture copied."""
    argv = [
        tool(),
        "-v",
        "error",
        "-y",
        "-nostdin",
        "-i",
        str(source),
        "-map",
        "0:v",
        "-map",
        "0:a",
        "-c",
        "copy",
        "-c:a",
        "aac",
        "-b:a",
        "192k",
    ]
    out = folder / "plain.mp4"
    _, cost = run([*argv, "-aac_coder", coder, "-movflags", "+faststart", str(out)])
    out.unlink()
    return cost


def mix(
    source: Path, folder: Path, lines: list[dict[str, Any]], duration_s: float, threads: int, **options: Any
) -> dict[str, Cost]:
    """Fit, mix and mux of lines (`material.lines`), chunks kept in the folder from one call to the next; each stage's
    cost."""
    placements, fit_cost = task("fit", {"lines": lines, "video_end_s": duration_s})
    clips = []
    for line, p in zip(lines, placements, strict=True):
        placed = {key: p[key] for key in ("start_s", "duration_s", "rate", "trim_start_s", "trim_end_s")}
        clips.append({"path": line["clip"], **placed})
    track, out = folder / "track.m4a", folder / "out.mp4"
    request = {
        "source": str(source),
        "source_id": "bench",
        "audio_track": 0,
        "duration_s": duration_s,
        "clips": clips,
        "background": "duck",
        "energies": str(folder / "energies.f32"),
        "chunk_cache": str(folder / "cache"),
        "out": str(track),
        "threads": threads,
        **options,
    }
    report, mix_cost = task("mix", request)
    argv = [
        tool(),
        "-v",
        "error",
        "-y",
        "-nostdin",
        "-i",
        str(source),
        "-i",
        str(track),
        "-map",
        "0:v",
        "-map",
        "1:a",
        "-c",
        "copy",
    ]
    _, mux_cost = run([*argv, "-movflags", "+faststart", str(out)])
    stretched = sum(p["rate"] != 1 for p in placements)
    fit_remark = f"{stretched} of {len(lines)} lines stretched, fastest {max(p['rate'] for p in placements):.2f}"
    counts = f"chunks: {report['encoded_chunks']} made {report['cached_chunks']} kept"
    mix_remark = f"{report['loudness_lufs']:.2f} LUFS, {report['true_peak_db']:.2f} dBTP, {counts}"
    return {
        "fit": msgspec.structs.replace(fit_cost, remark=fit_remark),
        "mix": msgspec.structs.replace(mix_cost, remark=mix_remark),
        "mux": msgspec.structs.replace(mux_cost, remark=f"{out.stat().st_size >> 20} MiB"),
    }


def total(stages: dict[str, Cost]) -> Cost:
    summed = Cost(0, 0, 0)
    for cost in stages.values():
        summed += cost
    return summed


def show(label: str, stages: dict[str, Cost]) -> None:
    print(label)
    for stage, cost in stages.items():
        print(f"  {stage:24}{cost.cpu_s:8.2f}{cost.wall_s:8.2f}{cost.peak_mib:10.0f}  {cost.remark}")


def heading(title: str) -> None:
    print(f"{title}\n{'':26}{'CPU s':>8}{'wall s':>8}{'peak MiB':>10}")
