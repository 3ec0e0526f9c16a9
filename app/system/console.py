"""Prints for the command line. Text from outside (titles, file names, messages) cannot move the cursor, change the
terminal's title or reverse a line. Imports little."""

from __future__ import annotations

import os
import sys
from typing import Any, TextIO

from app.domain.plain_text import json_safe, visible


def say(*lines: str, to: TextIO | None = None) -> None:
    """Print lines, by default on standard output. Each stays one line; what cannot be printed in it is shown as an
    escape, such as \\x1b."""
    _write("".join(f"{visible(line)}\n" for line in lines), to or sys.stdout)


def say_json(value: Any, *, indent: int | None = None) -> None:
    """Print one JSON value on standard output. Control characters, and bytes of a file name that are not UTF-8, are
    escaped as in JSON."""
    import msgspec

    try:
        data = msgspec.json.encode(value)
        text = (data if indent is None else msgspec.json.format(data, indent=indent)).decode()
    except UnicodeEncodeError:  # lone surrogates, which stand for the bytes of a name that is not UTF-8
        import json

        text = json.dumps(msgspec.to_builtins(value), indent=indent, separators=None if indent else (",", ":"))
    say_json_text(text)


def say_json_text(text: str) -> None:
    """Print text that is JSON already, with the same escapes."""
    _write(json_safe(text).rstrip("\n") + "\n", sys.stdout)


def say_path(path: str) -> None:
    """Print a file's name on standard output: byte by byte for a program that reads it, as `say` for a person."""
    if sys.stdout.isatty():
        say(path)
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(os.fsencode(path) + b"\n")
    sys.stdout.buffer.flush()


def _write(text: str, to: TextIO) -> None:
    encoding = to.encoding or "utf-8"
    to.write(text.encode(encoding, "backslashreplace").decode(encoding))
    if to is not sys.stdout:
        to.flush()
