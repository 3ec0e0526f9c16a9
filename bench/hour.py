"""An hour with 700 lines against the least that any dub costs: the sound decoded and coded again as AAC with the
picture copied, nothing mixed.

    python -m bench.hour [--hours 1] [--lines 700] [--threads 2]

CPU and wall time as ratios to that pass in the same run, and the peak memory. `--hours 4 --lines 2800` shows what the
length adds to memory.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path

from bench import material, stages


def smallest(_: Path) -> list[str]:
    """The arguments of its smallest run."""
    return ["--hours", "0.003", "--lines", "3", "--threads", "1"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hours", type=float, default=1)
    parser.add_argument("--lines", type=int, default=700)
    parser.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--skip-plain", action="store_true", help="measure memory only")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-hour-") as name:
        folder, duration_s = Path(name), asked.hours * 3_600
        source, lines = material.film(folder, duration_s), material.lines(folder, asked.lines, duration_s)
        ingest = stages.ingest(source, folder)
        rendered = stages.mix(source, folder, lines, duration_s, asked.threads)
        plain = (
            {}
            if asked.skip_plain
            else {f"aac_coder {coder}": stages.plain(source, folder, coder) for coder in ("twoloop", "fast")}
        )

    stages.heading(f"{asked.hours:g} h, {asked.lines} lines, {asked.threads} threads")
    stages.show("ingest (once)", {"ingest": ingest})
    stages.show("render", rendered)
    stages.show("decode + AAC 192k + copy", plain)
    dub = stages.total({stage: rendered[stage] for stage in ("mix", "mux")})
    print(f"mix and mux: {dub.cpu_s:.1f} CPU s, {dub.wall_s:.1f} s wall, {dub.peak_mib:.0f} MiB")
    for coder, cost in plain.items():
        print(
            f"  of the plain pass with {coder}: CPU {dub.cpu_s / cost.cpu_s:.2f}, wall {dub.wall_s / cost.wall_s:.2f}"
        )


if __name__ == "__main__":
    main()
