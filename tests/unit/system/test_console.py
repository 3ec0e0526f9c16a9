"""What others have written is shown on a terminal as it is meant to be seen, and acts on nothing."""

from __future__ import annotations

import ast
import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from app.domain.plain_text import json_safe, one_line, plain, visible
from app.system.console import say, say_json, say_path
from tests.unit.retention.shelf import Shelf

ODD = "\x1b]0;owned\x07 \x9b31m a\rb\nc \u202egpj.exe\u2069 \u2028 \ud800"
PLAIN = "Größe 日本語 עברית \u200f\u200d\u00a0 \U0001f469\u200d\U0001f467"  # what joins and marks stays
# What speaks to a parent process, writes the log, or a line that is all ours.
ALLOWED = {"console.py", "logs.py", "supervisor.py", "backup_place.py", "child.py"}


def harmless(text: str) -> bool:
    return visible(text) == text


def on_a_terminal(*arguments: str, data: Path) -> str:
    """What a command shows to a person."""
    ours, theirs = pty.openpty()
    environment = {"PATH": os.environ["PATH"], "AUTODUBBER_DATA": str(data), "TERM": "xterm", "COLUMNS": "200"}
    with subprocess.Popen(
        [sys.executable, "-m", "app", *arguments], env=environment, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                block = os.read(ours, 65536)
            except OSError:  # the last one has closed it
                break
            if not block:
                break
            shown += block
        process.wait(30)
    os.close(ours)
    return shown.decode()


def test_what_moves_a_cursor_or_turns_a_line_is_taken_out_or_shown_as_an_escape() -> None:
    assert plain(ODD) == "]0;owned 31m abc gpj.exe  " and plain(PLAIN) == visible(PLAIN) == one_line(PLAIN) == PLAIN
    assert visible(ODD) == r"\x1b]0;owned\x07 \x9b31m a\rb\nc \u202egpj.exe\u2069 \u2028 \ud800"
    assert one_line("a\x1bb\u202b\u05e9\u202c") == "ab\u202b\u05e9\u202c"
    assert json.loads(json_safe(json.dumps({"a": ODD}, ensure_ascii=False))) == {"a": ODD}


def test_a_line_stays_one_line_and_json_means_the_same(capfd: pytest.CaptureFixture[str]) -> None:
    say("a\nb", ODD)
    say_json({"title": ODD.replace("\ud800", ""), "plain": PLAIN})
    first, second, third = capfd.readouterr().out.splitlines()
    assert first == r"a\nb" and harmless(second) and harmless(third) and PLAIN in third
    assert json.loads(third) == {"title": ODD.replace("\ud800", ""), "plain": PLAIN}


def test_the_name_of_a_file_reaches_a_program_byte_by_byte(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    name = os.fsdecode(b"/tmp/\xff\x1b\xc3\xa9.mp4")
    say_path(name)
    say_json({"output": name})
    path, told = capfdbinary.readouterr().out.splitlines()
    assert path == b"/tmp/\xff\x1b\xc3\xa9.mp4"
    assert os.fsencode(json.loads(told)["output"]) == path


def test_an_odd_title_does_nothing_to_a_terminal(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "data")
    shelf.change(shelf.job(days=9), title=ODD.replace("\ud800", ""))
    environment = dict(os.environ, AUTODUBBER_KEEP_JOBS_DAYS="1")
    done = subprocess.run(
        [sys.executable, "-m", "app", "clean", "--dry-run", "--data", str(shelf.data)],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and r"\x1b]0;owned\x07" in done.stdout and all(map(harmless, done.stdout.splitlines()))


@pytest.mark.parametrize(
    "arguments",
    [
        ["dub", "no\x1b]0;owned\x07.mp4"],
        ["import", "\u202egpj.exe"],
        ["dub", "a", "\x9b31m"],
        ["health", "--url", "http://\x1b"],
    ],
)
def test_an_odd_argument_does_nothing_to_a_terminal(arguments: list[str], tmp_path: Path) -> None:
    shown = on_a_terminal(*arguments, data=tmp_path / "data")
    assert shown.strip() and all(map(harmless, shown.replace("\r\n", "\n").split("\n"))), shown


def test_everything_is_printed_in_one_place() -> None:
    for path in Path(__file__).parents[3].joinpath("app").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and path.name not in ALLOWED:
                called = ast.unparse(node.func)
                assert called != "print" and called not in ("sys.stdout.write", "sys.stderr.write"), (
                    f"{path}:{node.lineno} wants app.system.console"
                )
