"""The database of an older version brought up: seconds, processor time, memory, and its size before and after, with
many jobs in it.

`--older CHECKOUT` fills the folder by that version's own code. Goals: half the size, within a minute for 10,000 jobs of
30 lines.

usage: python -m bench.migration --older CHECKOUT [--jobs N] [--lines N]
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

from app.storage.database import migrate, open_database
from bench.library import fill


def smallest(_: Path) -> list[str]:
    """The arguments of its smallest run."""
    return ["--jobs", "2", "--lines", "2"]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--older", type=Path, help="a checkout of an older version; without it nothing is left to do")
    parser.add_argument("--jobs", type=int, default=10_000)
    parser.add_argument("--lines", type=int, default=30)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="autodubber-bench-") as folder:
        data = Path(folder) / "data"
        fill(arguments.older, data, arguments.jobs, arguments.lines)
        path = data / "app.sqlite3"
        before, began, began_cpu = path.stat().st_size, time.perf_counter(), time.process_time()
        database = open_database(f"sqlite:///{path}")
        done = migrate(database)
        took, cpu = time.perf_counter() - began, time.process_time() - began_cpu
        database.dispose()
        print(
            f"{arguments.jobs} jobs of {arguments.lines} lines: {'migrated' if done else 'nothing to do'} in "
            f"{took:.1f} s, {cpu:.1f} s CPU"
        )
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        print(f"{before / 1e6:.0f} MB became {path.stat().st_size / 1e6:.0f} MB; largest memory {most} MiB")
    return 0


if __name__ == "__main__":
    sys.exit(main())
