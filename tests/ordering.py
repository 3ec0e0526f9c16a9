"""The longest files first, so that no worker ends long after the others; a file stays with one worker, and so does the
browser's folder.

`tests/durations.txt` says how long each file took; `make durations` writes it again. A file that is not in it goes
first.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

import pytest
from xdist.scheduler import LoadScopeScheduling

TABLE = Path(__file__).with_name("durations.txt")
# Folders whose files share what is costly to start, and stay together: a server, a browser and a spoken video.
TOGETHER = ("tests/e2e",)
# A worker's own threads, and those of the programs that it starts where they do not choose: there are more workers than
# processors.
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")


def group_of(node_id: str) -> str:
    """What goes to a worker as a whole: the test's file, or the folder where its files share something."""
    file = node_id.partition("::")[0]
    return next((folder for folder in TOGETHER if file.startswith(f"{folder}/")), file)


def durations(text: str) -> dict[str, float]:
    """Seconds by file; a line is seconds and the file's path from the root of the project."""
    return {
        file: float(seconds)
        for seconds, file in (line.split() for line in text.splitlines() if not line.startswith("#"))
    }


def longest_first(files: Iterable[str], seconds: dict[str, float]) -> list[str]:
    """Files by the duration of their groups, longest first; a group with an unknown file goes before all known ones."""
    lasts: dict[str, float] = defaultdict(float)
    unique = list(dict.fromkeys(files))
    for file in unique:
        lasts[group_of(file)] += seconds.get(file, float("inf"))
    return sorted(
        unique, key=lambda file: (-lasts[group_of(file)], group_of(file), -seconds.get(file, float("inf")), file)
    )


class ByGroup(LoadScopeScheduling):
    """Hands groups out in the order of the collection; a worker takes the next one when it has nearly done its own."""

    def _split_scope(self, nodeid: str) -> str:
        return group_of(nodeid)


class Durations:
    """Adds up what each file took, and writes the table at the end of a run that passed."""

    def __init__(self) -> None:
        self._seconds: dict[str, float] = defaultdict(float)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        self._seconds[report.nodeid.partition("::")[0]] += report.duration

    def pytest_sessionfinish(self, exitstatus: int) -> None:
        if exitstatus == 0:
            known = durations(TABLE.read_text()) if TABLE.exists() else {}
            here = {
                file: took for file, took in {**known, **self._seconds}.items() if (TABLE.parents[1] / file).exists()
            }
            lines = [f"{took:7.1f} {file}" for file, took in sorted(here.items(), key=lambda one: (-one[1], one[0]))]
            TABLE.write_text("# Seconds of each file of tests, by `make durations`.\n" + "\n".join(lines) + "\n")


def limit_threads() -> None:
    """In a worker: numerical libraries compute in one thread, here and in the programs that tests start."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        for name in ONE_THREAD:
            os.environ.setdefault(name, "1")
