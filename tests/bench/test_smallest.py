"""Every bench runs on a fresh machine: each names its smallest run, which is started as a person starts it."""

from __future__ import annotations

import importlib
import time
from pathlib import Path

import pytest

from tests.bench.benches import BENCHES, bare_path, run

pytestmark = pytest.mark.slow

NEEDS = {"container": "there is no docker on the path"}  # what is not everywhere, and what is said then


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    return bare_path(tmp_path_factory.mktemp("bin"))


@pytest.mark.parametrize("bench", [bench for bench in BENCHES if bench not in NEEDS])
def test_a_bench_runs_in_its_smallest_size(bench: str, tmp_path: Path, path: str) -> None:
    given = tmp_path / "given"
    given.mkdir()
    module = importlib.import_module(f"bench.{bench}")
    assert hasattr(module, "smallest"), (
        "give it `def smallest(folder: Path) -> list[str]`: the arguments of a run of a few seconds"
    )
    began = time.monotonic()
    done = run(bench, module.smallest(given), tmp_path, path)
    print(f"bench.{bench}: {time.monotonic() - began:.1f} s")
    assert done.returncode == 0 and done.stdout, f"{done.stdout}\n{done.stderr}"


@pytest.mark.parametrize("bench", NEEDS)
def test_a_bench_that_needs_more_says_what(bench: str, tmp_path: Path, path: str) -> None:
    done = run(bench, [], tmp_path, path)
    assert done.returncode == 2 and NEEDS[bench] in done.stderr
