"""The unit of the deployment guide is one that systemd takes, word for word."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "deployment.md"
PROGRAM = "/opt/autodubber/.venv/bin/autodubber"


@pytest.mark.skipif(
    shutil.which("systemd-analyze") is None, reason="no systemd-analyze here (Debian: apt install systemd)"
)
def test_systemd_has_nothing_to_say_about_the_unit(tmp_path: Path) -> None:
    found = re.search(r"```ini\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    assert found and f"ExecStart={PROGRAM} serve" in found[1]
    unit = tmp_path / "autodubber.service"
    unit.write_text(found[1].replace(PROGRAM, "/bin/true"))
    checked = subprocess.run(["systemd-analyze", "verify", str(unit)], capture_output=True, text=True)
    assert (checked.returncode, checked.stderr) == (0, "")
