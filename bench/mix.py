"""300 lines over a 20-minute video: fit, mix, mux, and the same again after one line was edited. CPU seconds and peak
memory of each child.

    python -m bench.mix [--minutes 20] [--lines 300] [--threads 2] [--background duck]

Prints one table, and beside it what the same ffmpeg takes to decode the sound and to code it again as AAC at 192 kb/s
with the picture copied, nothing mixed: the ratios to that do not depend on the machine. The original is speech over
music and noise; the voice is espeak-ng.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from bench import material, stages


def smallest(_: Path) -> list[str]:
    """The arguments of its smallest run."""
    return ["--minutes", "0.2", "--lines", "3", "--threads", "1"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--lines", type=int, default=300)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--background", choices=("duck", "keep", "replace"), default="duck")
    parser.add_argument(
        "--edited", type=float, default=0.5, help="where the edited line is: 0 the beginning, 1 the end"
    )
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-mix-") as name:
        folder, duration_s = Path(name), asked.minutes * 60
        source, lines = material.film(folder, duration_s), material.lines(folder, asked.lines, duration_s)
        ingest = stages.ingest(source, folder)
        first = stages.mix(source, folder, lines, duration_s, asked.threads, background=asked.background)
        material.speak(Path(lines[round((len(lines) - 1) * asked.edited)]["clip"]), "another line entirely")
        second = stages.mix(source, folder, lines, duration_s, asked.threads, background=asked.background)
        plain = {f"aac_coder {coder}": stages.plain(source, folder, coder) for coder in ("twoloop", "fast")}

    stages.heading(
        f"{asked.minutes:g} min, {asked.lines} lines, {asked.threads} threads, background {asked.background}"
    )
    stages.show("ingest (once)", {"ingest": ingest})
    stages.show("render", first)
    stages.show("one line edited", second)
    stages.show("decode + AAC 192k + copy", plain)
    whole, edit = stages.total(first), stages.total(second)
    print(f"render: {whole.cpu_s:.1f} CPU s, {whole.wall_s:.1f} s wall, {whole.peak_mib:.0f} MiB")
    for coder, cost in plain.items():
        print(
            f"  of the plain pass with {coder}: CPU {whole.cpu_s / cost.cpu_s:.2f}, wall "
            f"{whole.wall_s / cost.wall_s:.2f}"
        )
    part, both = (sum(found[stage].cpu_s for stage in ("mix", "mux")) for found in (second, first))
    print(
        f"one line edited: {edit.cpu_s:.1f} CPU s, {edit.cpu_s / whole.cpu_s:.2f} of the render; mix and mux "
        f"{part / both:.2f} of the first"
    )


if __name__ == "__main__":
    main()
