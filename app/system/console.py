"""Everything that the command line prints goes through here: titles, file names and messages of others never move the cursor, change a terminal's
title or turn the direction of a line. A leaf, light at import."""

from __future__ import annotations

import os
import sys
from typing import Any, TextIO

from app.domain.plain_text import json_safe, visible


def say(*lines: str, to: TextIO | None = None) -> None:
    """Print lines, by default on standard output. Each stays one line; what cannot be printed in it is shown as an escape, such as \\x1b."""
    _write("".join(f"{visible(line)}\n" for line in lines), to or sys.stdout)


def say_json(value: Any, *, indent: int | None = None) -> None:
    """Print one JSON value on standard output. What a terminal would act on, or what is no UTF-8 in a file's name, is escaped as JSON does it."""
    import msgspec

    try:
        data = msgspec.json.encode(value)
        text = (data if indent is None else msgspec.json.format(data, indent=indent)).decode()
    except UnicodeEncodeError:  # half characters, which stand for the bytes of a name that is no UTF-8
        import json

        text = json.dumps(msgspec.to_builtins(value), indent=indent, separators=None if indent else (",", ":"))
    say_json_text(text)


def say_json_text(text: str) -> None:
    """The same for what is JSON already."""
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
