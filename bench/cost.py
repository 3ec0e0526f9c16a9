"""What a dub costs, beside another checkout in the same run: CPU seconds (a child and all of its children) and the peak
memory of the largest.

    python -m bench.cost render [--minutes 20] [--lines 300] [--before CHECKOUT]
    python -m bench.cost edits [--hours 4] [--before CHECKOUT]
    python -m bench.cost memory [--hours 0.333 1 4] [--before CHECKOUT]

render  fit, mix and the real mux, and their ratio to decoding the sound and coding it again as AAC (`aac_coder fast`)
with the picture copied edits   the mix after one line was changed: the first, one in the middle, the last. All chunks
but the edited ones are there memory  the peak of mix and mux, for films of these lengths (a small picture; two minutes
of sound, looped) The smallest that makes sense: render --minutes 1 --lines 10; edits --hours 0.1; memory --hours 0.05
0.1.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from app.media.ffmpeg import tool
from bench import material, stages
from bench.stages import ROOT, Cost

_LINE_S: Final = 5.0
_CHUNK_S: Final = 16.0
_MUX: Final = """
import asyncio, importlib, json, sys
from pathlib import Path
asked = json.load(sys.stdin)
def module(*names):
    for name in names:
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError:
            continue
import msgspec, subprocess
from app.domain.media import MediaInfo
mux = module("app.dubbing.video.mux", "app.dubbing.mux")
track = getattr(mux, "DubbedTrack", None) or mux.Dub
source, work = Path(asked["source"]), Path(asked["work"])
# in a process of its own: it holds the index of an MP4, and the memory of children would be counted from there
looked = "import sys, pathlib, msgspec; from app.dubbing.probe import probe; "
looked += "sys.stdout.buffer.write(msgspec.json.encode(probe(pathlib.Path(sys.argv[1]))))"
info = msgspec.json.decode(subprocess.check_output([sys.executable, "-c", looked, str(source)]), type=MediaInfo)
request = mux.MuxRequest(source=source, out=Path(asked["out"]), info=info,
                         duration_s=asked["duration_s"], work=work, dubs=(track(Path(asked["track"]), "aac", "en"),))
asyncio.run(mux.mux(request, lambda _: None))
"""


class Checkout(msgspec.Struct, frozen=True):
    """A working tree with its interpreter, and a folder for what is measured in it."""

    root: Path
    folder: Path

    def _python(self, arguments: list[str], request: object) -> tuple[bytes, Cost]:
        own = self.root / ".venv" / "bin" / "python"
        python = str(own) if own.exists() else sys.executable
        command = ["env", f"--chdir={self.root}", f"PYTHONPATH={self.root}", python, *arguments]
        return stages.run(command, json.dumps(request).encode() + b"\n")

    def task(self, name: str, request: dict[str, Any]) -> tuple[Any, Cost]:
        """One task as the server runs it."""
        moved = (self.root / "app" / "dubbing" / "worker").is_dir()
        out, cost = self._python(
            ["-m", "app.dubbing.worker.child" if moved else "app.dubbing.child"], {"task": name, "request": request}
        )
        last = json.loads(out.splitlines()[-1])
        if "result" not in last:
            sys.exit(f"{name}: {last}")
        return last["result"], cost

    def ingest(self, source: Path) -> None:
        request = {
            "path": str(source),
            "out": str(self.folder),
            "audio_track": 0,
            "max_duration_s": 1e6,
            "size_bytes": source.stat().st_size,
        }
        self.task("ingest", request)

    def fit(self, lines: list[dict[str, Any]], duration_s: float) -> tuple[list[dict[str, Any]], Cost]:
        """The placed clips."""
        placements, cost = self.task("fit", {"lines": lines, "video_end_s": duration_s})
        keys = ("start_s", "duration_s", "rate", "trim_start_s", "trim_end_s")
        return [
            {"path": line["clip"], **{key: p[key] for key in keys}} for line, p in zip(lines, placements, strict=True)
        ], cost

    def mix(self, source: Path, clips: list[dict[str, Any]], duration_s: float) -> Cost:
        """Leaves track.m4a."""
        request = {
            "source": str(source),
            "source_id": "bench",
            "audio_track": 0,
            "duration_s": duration_s,
            "clips": clips,
            "background": "duck",
            "energies": str(self.folder / "energies.f32"),
            "chunk_cache": str(self.folder / "cache"),
            "out": str(self.folder / "track.m4a"),
            "threads": 2,
        }
        report, cost = self.task("mix", request)
        said = (
            f"{report['loudness_lufs']:.2f} LUFS, {report['true_peak_db']:.2f} dBTP, {report['encoded_chunks']} "
            f"chunks made"
        )
        return msgspec.structs.replace(cost, remark=said)

    def mux(self, source: Path, duration_s: float) -> Cost:
        """The finished film, deleted again."""
        out = self.folder / "out.mp4"
        request = {
            "source": str(source),
            "out": str(out),
            "work": str(self.folder),
            "track": str(self.folder / "track.m4a"),
            "duration_s": duration_s,
        }
        _, cost = self._python(["-c", _MUX], request)
        size = out.stat().st_size
        out.unlink()
        return msgspec.structs.replace(cost, remark=f"{size >> 20} MiB")


def render(checkouts: dict[str, Checkout], folder: Path, minutes: float, count: int) -> None:
    duration_s = minutes * 60
    source, lines = material.film(folder, duration_s), material.lines(folder, count, duration_s)
    plain = stages.plain(source, folder, "fast")
    stages.heading(f"{minutes:g} min, {count} lines")
    stages.show("plain", {"decode + AAC + copy": plain})
    for name, checkout in checkouts.items():
        checkout.ingest(source)
        clips, fit = checkout.fit(lines, duration_s)
        found = {"fit": fit, "mix": checkout.mix(source, clips, duration_s), "mux": checkout.mux(source, duration_s)}
        stages.show(name, found)
        whole = stages.total(found)
        print(f"  {'together':24}{whole.cpu_s:8.2f}{'':18}  {whole.cpu_s / plain.cpu_s:.2f} of the plain pass")


def edits(checkouts: dict[str, Checkout], folder: Path, hours: float) -> None:
    duration_s = hours * 3_600
    source = _long_film(folder, duration_s)
    count = max(int(duration_s // (6 * _LINE_S)), 3)
    clips = _clips(folder, count, duration_s)
    stages.heading(f"{hours:g} h, {count} lines")
    for name, checkout in checkouts.items():
        checkout.ingest(source)
        found = {"the first run": checkout.mix(source, clips, duration_s)}
        # heard in one chunk
        alone = [line for line, clip in enumerate(clips) if clip["start_s"] % _CHUNK_S < _CHUNK_S / 2]
        for where, line in (("first", alone[0]), ("middle", alone[len(alone) // 2]), ("last", alone[-1])):
            edited = [dict(clip) for clip in clips]
            edited[line]["path"] = str(folder / "edited.wav")
            found[f"{where} line edited"] = checkout.mix(source, edited, duration_s)
            checkout.mix(source, clips, duration_s)  # as it was
        stages.show(name, found)
        first, last = found["first line edited"].cpu_s, found["last line edited"].cpu_s
        print(
            f"  the last line costs {last / first:.2f} of the first, the middle one "
            f"{found['middle line edited'].cpu_s / first:.2f}"
        )


def memory(checkouts: dict[str, Checkout], folder: Path, hours: list[float]) -> None:
    for name, checkout in checkouts.items():
        peaks: dict[str, list[float]] = {"mix": [], "mux": []}
        for length in hours:
            duration_s = length * 3_600
            source = _long_film(folder, duration_s)
            clips = _clips(folder, max(int(duration_s // (2 * _LINE_S)), 3), duration_s)
            checkout.ingest(source)
            found = {"mix": checkout.mix(source, clips, duration_s), "mux": checkout.mux(source, duration_s)}
            stages.heading(f"{name}: {length:g} h, {len(clips)} lines")
            stages.show("", found)
            for stage, cost in found.items():
                peaks[stage].append(cost.peak_mib)
        for stage, mib in peaks.items():
            print(f"{name}, {stage}: {mib[0]:.0f} -> {mib[-1]:.0f} MiB, {mib[-1] / mib[0]:.2f} times")


def _long_film(folder: Path, duration_s: float) -> Path:
    """The packets of a 30 fps film with sound, in a picture so small that hours fit on the disk."""
    unit, source = folder / "unit.mp4", folder / "long.mp4"
    if not unit.exists():
        sound = material.film(folder, 120)
        picture = ["-f", "lavfi", "-i", "testsrc2=s=64x48:r=30:d=120"]
        codecs = ["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "copy", "-t", "120"]
        subprocess.run(
            [tool(), "-v", "error", "-y", *picture, "-i", str(sound), "-map", "0:v", "-map", "1:a", *codecs, str(unit)],
            check=True,
        )
    loops = ["-stream_loop", str(int(duration_s // 120)), "-i", str(unit)]
    subprocess.run(
        [
            tool(),
            "-v",
            "error",
            "-y",
            *loops,
            "-c",
            "copy",
            "-t",
            str(duration_s),
            "-movflags",
            "+faststart",
            str(source),
        ],
        check=True,
    )
    return source


def _clips(folder: Path, count: int, duration_s: float) -> list[dict[str, Any]]:
    """Lines placed evenly; their sound is cut from the clip of the tests."""
    for name, from_s in (("line", 5), ("edited", 20)):
        argv = [
            tool(),
            "-v",
            "error",
            "-y",
            "-ss",
            str(from_s),
            "-i",
            str(material.CLIP),
            "-t",
            str(_LINE_S),
            "-ac",
            "1",
            "-ar",
            "24000",
        ]
        subprocess.run([*argv, str(folder / f"{name}.wav")], check=True)
    slot_s = duration_s / count
    placed = {
        "path": str(folder / "line.wav"),
        "duration_s": _LINE_S,
        "rate": 1.0,
        "trim_start_s": 0.0,
        "trim_end_s": 0.0,
    }
    return [
        {**placed, "start_s": round(index * slot_s + 0.2, 3)}
        for index in range(count)
        if index * slot_s + 0.2 + _LINE_S < duration_s
    ]


def smallest(_: Path) -> list[str]:
    """The arguments of its smallest run."""
    return ["render", "--minutes", "0.2", "--lines", "3"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("render", "edits", "memory"))
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--lines", type=int, default=300)
    parser.add_argument("--hours", type=float, nargs="+")
    parser.add_argument("--before", type=Path, help="another checkout, measured in the same run")
    parser.add_argument("--folder", type=Path, help="where the films are made; a temporary folder by default")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-cost-", dir=asked.folder) as name:
        folder = Path(name)
        roots = {"before": asked.before.resolve(), "after": ROOT} if asked.before else {"this checkout": ROOT}
        checkouts = {}
        for label, root in roots.items():
            (folder / label).mkdir()
            checkouts[label] = Checkout(root, folder / label)
        todo: dict[str, Callable[[], None]] = {
            "render": lambda: render(checkouts, folder, asked.minutes, asked.lines),
            "edits": lambda: edits(checkouts, folder, (asked.hours or [4.0])[0]),
            "memory": lambda: memory(checkouts, folder, asked.hours or [1 / 3, 1.0, 4.0]),
        }
        todo[asked.what]()


if __name__ == "__main__":
    main()
