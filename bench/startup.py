"""Seconds from the start of an already set-up server to its first 200, and its memory when idle. Goals: under 2 s,
under 150 MB.

python -m bench.startup [RUNS] [--settle 8]
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

from bench.server import serving


def smallest(_: Path) -> list[str]:
    """The arguments of its smallest run."""
    return ["1", "--settle", "0"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", nargs="?", type=int, default=5)
    parser.add_argument(
        "--settle",
        type=float,
        default=8,
        help="seconds until memory is measured: the job engine starts after the first answer",
    )
    asked = parser.parse_args()
    runs, settle_s = asked.runs, asked.settle
    with tempfile.TemporaryDirectory(prefix="autodubber-bench-") as folder:
        data = Path(folder) / "data"
        times, ready = [], []
        for number in range(runs + 1):
            with serving(data=data) as server:
                if number == 0:
                    print(f"first start on an empty data folder: {server.started_s:.2f} s")
                else:
                    times.append(server.started_s)
            with serving("/health/ready", data=data) as server:
                if number:
                    ready.append(server.started_s)
        for what, found in (("first 200 of /health/live", times), ("first 200 of /health/ready", ready)):
            print(f"{what}: median {statistics.median(found):.2f} s, worst {max(found):.2f} s, {runs} runs")
        with serving("/health/ready", data=data) as server:
            time.sleep(settle_s)
            print(
                f"idle memory, {settle_s:.0f} s after the start: {server.memory_bytes() / 1e6:.0f} MB (PSS, all "
                f"processes)"
            )
            print(
                f"heavy libraries in the server: "
                f"{', '.join(server.modules('libtorch', 'numpy', 'libav', 'onnxruntime')) or 'none'}"
            )
    return 0


if __name__ == "__main__":
    sys.exit(main())
