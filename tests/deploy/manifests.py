"""Reads the deployment files: YAML, and shell-like variables as Compose fills them in."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"


def documents(path: Path) -> list[dict[str, Any]]:
    """Every document of a YAML file."""
    return [document for document in yaml.safe_load_all(path.read_text(encoding="utf-8")) if document]


def document(path: Path) -> dict[str, Any]:
    (only,) = documents(path)
    return only


def filled(text: str, **values: str) -> str:
    """`${NAME:-default}` and `${NAME:?why}` replaced as Compose does with these variables set."""

    def one(match: re.Match[str]) -> str:
        name, kind, rest = match["name"], match["kind"], match["rest"]
        if values.get(name):
            return values[name]
        if kind == "?":
            raise KeyError(name)
        return rest or ""

    return re.sub(r"\$\{(?P<name>[A-Z_]+)(?::(?P<kind>[-?])(?P<rest>[^}]*))?\}", one, text)
