"""One decode of the source: what an hour costs, and that ten hours take no more memory than one.

    python -m bench.ingest [--hours 1 10] [--containers mkv mp4]

Speech under a moving picture, half a minute stream-looped to the length asked for. Beside it what the same ffmpeg takes
to decode the sound and drop it: the ratio to that does not depend on the machine. In Matroska memory is flat; of MP4,
FFmpeg keeps the index of every frame in memory, 14 MiB an hour of it.
"""

from __future__ import annotations

import argparse
import subprocess
import tempfile
from pathlib import Path

from app.media.ffmpeg import tool
from bench import material, stages


def source(folder: Path, hours: float, container: str) -> Path:
    """H.264 and AAC of `hours`."""
    unit, out = folder / "unit.mp4", folder / f"{hours:g}h.{container}"
    if not unit.exists():
        picture = ["-f", "lavfi", "-i", "testsrc2=s=320x180:r=25:d=30", "-stream_loop", "-1", "-i", str(material.CLIP)]
        codecs = [
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-crf",
            "35",
            "-c:a",
            "aac",
            "-ar",
            "48000",
            "-ac",
            "2",
            "-t",
            "30",
        ]
        subprocess.run([tool(), "-v", "error", "-nostdin", *picture, *codecs, str(unit)], check=True)
    looped = ["-stream_loop", "-1", "-i", str(unit), "-c", "copy", "-t", str(hours * 3600)]
    subprocess.run([tool(), "-v", "error", "-nostdin", *looped, str(out)], check=True)
    return out


def smallest(_: Path) -> list[str]:
    """The arguments of its smallest run."""
    return ["--hours", "0.005", "0.01", "--containers", "mkv"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, nargs="+", default=[1, 10])
    parser.add_argument("--containers", nargs="+", default=["mkv", "mp4"])
    asked = parser.parse_args()
    print(f"{'':6}{'hours':>6}{'CPU s':>8}{'an hour':>9}{'wall s':>8}{'peak MiB':>10}{'of plain decoding':>19}")
    with tempfile.TemporaryDirectory(prefix="bench-ingest-") as name:
        folder = Path(name)
        for container in asked.containers:
            peaks = []
            for hours in asked.hours:
                film = source(folder, hours, container)
                _, plain = stages.run([tool(), "-v", "error", "-nostdin", "-i", str(film), "-vn", "-f", "null", "-"])
                cost = stages.ingest(film, folder)
                film.unlink()
                peaks.append(cost.peak_mib)
                numbers = f"{cost.cpu_s:8.1f}{cost.cpu_s / hours:9.1f}{cost.wall_s:8.1f}{cost.peak_mib:10.0f}"
                numbers += f"{cost.cpu_s / plain.cpu_s:19.2f}"
                print(f"{container:6}{hours:6g}{numbers}", flush=True)
            print(f"{container}: {peaks[-1] - peaks[0]:+.1f} MiB from the first to the last")


if __name__ == "__main__":
    main()
