"""Every bench says what can be set, and does nothing else when it is asked."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.bench.benches import BENCHES, bare_path, run

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("bench", BENCHES)
def test_help_is_shown_and_nothing_is_started(bench: str, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    done = run(bench, ["--help"], tmp_path, bare_path(tmp_path / "bin"))
    assert done.returncode == 0 and done.stdout.startswith(f"usage: {bench}.py"), done.stderr
    assert f"python -m bench.{bench}" in done.stdout, "how it is started"


def test_benches_are_found() -> None:
    assert {"mix", "startup", "container"} <= set(BENCHES) and "material" not in BENCHES
