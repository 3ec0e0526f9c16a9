"""docs/monitoring.md: its lines of the log are such lines, its commands work, its expressions are Prometheus'."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

PAGE = (Path(__file__).parents[2] / "docs/monitoring.md").read_text()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"^```{kind}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq (Debian's package jq) is not installed")
def test_every_jq_command_finds_something_in_the_lines_that_the_page_shows(tmp_path: Path) -> None:
    (tmp_path / "autodubber.log").write_text(blocks("json")[0] + '{"level": "error", "event": "x"}\n')
    commands = [line.partition("| ")[2] if line.startswith("docker") else line for line in blocks("sh")[0].splitlines()]
    assert len(commands) == 5
    for command in commands:
        words = shlex.split(command)
        words += [] if words[-1].endswith(".log") else ["autodubber.log"]
        done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0 and done.stdout, (command, done.stderr)


def test_every_line_that_the_page_shows_has_what_every_line_has() -> None:
    lines = [json.loads(line) for line in blocks("json")[0].splitlines()]
    assert {line["event"] for line in lines} == {
        "request",
        "socket opened",
        "socket closed",
        "phase queued",
        "phase begun",
        "stage done",
        "phase over",
    }
    assert all(list(line)[:4] == ["timestamp", "level", "logger", "event"] for line in lines)


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool (Debian's package prometheus) is not installed")
def test_every_expression_is_one_of_known_names(tmp_path: Path) -> None:
    rows = re.findall(
        r"^\| [^|]+ \| `(.+?)`(?: for [^|]*)? \|", PAGE[PAGE.index("### What to alert on") :], re.MULTILINE
    )
    expressions = rows[:9] + PAGE[PAGE.index("the 95th percentile of a route:") :].split("```")[1].strip().splitlines()
    assert len(expressions) == 12
    rules = "".join(f"  - alert: A{number}\n    expr: {json.dumps(text)}\n" for number, text in enumerate(expressions))
    (tmp_path / "rules.yml").write_text(f"groups:\n- name: page\n  rules:\n{rules}")
    done = subprocess.run(["promtool", "check", "rules", str(tmp_path / "rules.yml")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    listed = set(re.findall(r"^\| `(autodubber_\w+)` \|", PAGE, re.MULTILINE))
    used = {
        re.sub(r"_(bucket|sum|count)$", "", name)
        for text in expressions
        for name in re.findall(r"autodubber_\w+", text)
    }
    assert used and used <= listed
