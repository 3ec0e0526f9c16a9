"""Writes the pages of docs/ that are made from the program itself: environment.md and errors.md. `make docs` runs it; a test compares."""

from __future__ import annotations

import sys
import typing
from pathlib import Path

import msgspec

from app.domain.errors import catalogue
from app.settings import Variable, variables

HERE = Path(__file__).resolve().parent
_MADE = "<!-- Made by `make docs`. Do not edit. -->\n"


def _shown(value: object) -> str:
    if value in ("", None):
        return "(empty)"
    if isinstance(value, bool):
        return f"`{str(value).lower()}`"
    return f"`{value}`"


def _values(variable: Variable) -> str:
    if variable.choices:
        return ", ".join(f"`{choice}`" for choice in variable.choices)
    kind, bounds = variable.type, ""
    while typing.get_origin(kind) is typing.Annotated:
        for meta in kind.__metadata__:
            if isinstance(meta, msgspec.Meta):
                low, high = meta.ge, meta.le
                bounds = f" {low} to {high}" if low is not None and high is not None else f" from {low}" if low is not None else bounds
        kind = kind.__origin__
    names = {int: "whole number", float: "number", bool: "`true`, `false`", str: "text", Path: "path"}
    name = names.get(kind, "")
    return f"{name}{bounds}"


def environment() -> str:
    """docs/environment.md: every variable of app/settings.py."""
    rows = [
        f"| `{v.name}`{f' <br> `{v.name}_FILE`' if v.secret else ''} | {v.description} | {_values(v)} | {_shown(v.default)} |" for v in variables()
    ]
    return "\n".join(
        [
            _MADE + "# Environment",
            "",
            "Everything that an operator decides is an environment variable. A wrong value, or an unknown name that begins",
            "with `AUTODUBBER_`, stops the start with one line. Sizes are bytes, times are seconds. A secret may stand in",
            "a file instead (`NAME_FILE`).",
            "",
            "| variable | what it does | values | default |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


def problems() -> str:
    """docs/errors.md: the error catalogue."""
    rows = [f"| `{p.code}` | {p.status} | {p.message} | {p.hint} |" for p in catalogue().values()]
    return "\n".join(
        [
            _MADE + "# Errors",
            "",
            "Every error that the API answers with is `application/problem+json` with one of these codes; a failed job carries",
            "the same code, message and hint, and `autodubber dub` prints them.",
            "",
            "| code | HTTP status | message | what to do |",
            "|---|---|---|---|",
            *rows,
            "",
        ]
    )


PAGES = {"environment.md": environment, "errors.md": problems}


def main() -> int:
    for name, write in PAGES.items():
        (HERE / name).write_text(write(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
