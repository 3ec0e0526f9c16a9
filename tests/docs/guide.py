"""Reads a page of docs/ as its examples: blocks of shell and Python, and after each what it says that comes back."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import subprocess
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ANY = "…"  # stands for what differs from run to run
_FENCE = re.compile(
    r'^(?P<indent> *)```(?P<language>\w+)(?: title="(?P<title>\w+)")?\n(?P<body>.*?)^(?P=indent)```$',
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Example:
    """A block that is run, and the block that says what it prints (None: it says nothing)."""

    line: int
    language: str
    code: str
    expected: str | None
    as_json: bool


def examples(page: Path) -> Iterator[Example]:
    """In the order of the page."""
    text = page.read_text(encoding="utf-8")
    blocks = list(_FENCE.finditer(text))
    for block, following in zip(blocks, [*blocks[1:], None], strict=True):
        if block["title"]:
            continue
        said = following if following is not None and following["title"] else None
        expected = textwrap.dedent(said["body"]) if said else None
        line = text.count("\n", 0, block.start()) + 1
        yield Example(
            line,
            block["language"],
            textwrap.dedent(block["body"]),
            expected,
            said is not None and said["language"] == "json",
        )


class Shell:
    """Runs blocks as bash would, typed one after another: what one sets, the next one knows."""

    def __init__(self, folder: Path, environ: dict[str, str]) -> None:
        self._folder = folder
        self._environ = dict(environ)

    def run(self, code: str) -> str:
        kept = self._folder / ".variables"
        script = f"set -a\n{code}\nset +a\nenv -0 >{shlex.quote(str(kept))}"
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self._folder,
            env=self._environ,
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert done.returncode == 0, f"status {done.returncode}\n{done.stdout}\n{done.stderr}"
        self._environ = dict(pair.split("=", 1) for pair in kept.read_text().split("\0") if "=" in pair)
        return done.stdout


class Python:
    """Runs blocks as an interpreter would, in the folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._names: dict[str, Any] = {"__name__": "__main__"}

    def run(self, code: str) -> str:
        said = io.StringIO()
        back = Path.cwd()
        os.chdir(self._folder)
        try:
            with contextlib.redirect_stdout(said):
                exec(compile(code, "example", "exec"), self._names)  # noqa: S102 - the page's own examples are what is tested
        finally:
            os.chdir(back)
        return said.getvalue()


def differences(example: Example, came: str) -> str:
    """What came back that the page does not say; "" when it says the truth."""
    if example.expected is None:
        return ""
    if example.as_json:
        return _unlike(json.loads(example.expected), json.loads(came), "")
    pattern = ".*".join(re.escape(part) for part in example.expected.rstrip("\n").split(ANY))
    return "" if re.fullmatch(pattern, came.rstrip("\n")) else f"came:\n{came}\nexpected:\n{example.expected}"


def _unlike(expected: Any, came: Any, at: str) -> str:
    """Objects may have more fields than the page shows."""
    if expected == ANY:
        return ""
    if isinstance(expected, dict) and isinstance(came, dict):
        missing = [name for name in expected if name not in came]
        found = [_unlike(value, came[name], f"{at}.{name}") for name, value in expected.items() if name in came]
        return "; ".join([*(f"{at}.{name} is missing" for name in missing), *filter(None, found)])
    same = _same_number(expected, came) or (expected == came and type(expected) is type(came))
    return "" if same else f"{at or 'it'} is {came!r}, not {expected!r}"


def _same_number(a: Any, b: Any) -> bool:
    return (
        isinstance(a, int | float)
        and isinstance(b, int | float)
        and not isinstance(a, bool)
        and not isinstance(b, bool)
        and a == b
    )
