"""What AutoDubber is made of, read from the lock files: no network, nothing installed."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[2]
# What the lock file does not say: the package's README does.
WEB_STATED = {"combine-errors": "MIT"}


class Package(NamedTuple):
    name: str
    version: str
    licence: str = ""


def python_packages() -> list[Package]:
    """Every line of requirements.lock."""
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pins = (re.match(r"([A-Za-z0-9_.-]+)==([A-Za-z0-9.]+)", line) for line in lines)
    return [Package(pin[1], pin[2]) for pin in pins if pin]


def web_packages() -> list[Package]:
    """What web/src imports and what that depends on, from package-lock.json; of some only a part, or nothing, is left
    in the built page."""
    locked: dict[str, dict[str, Any]] = json.loads((ROOT / "web" / "package-lock.json").read_text(encoding="utf-8"))[
        "packages"
    ]
    pending, found = sorted(_imported(set(locked))), dict[str, Package]()
    while pending:
        name = pending.pop()
        about = locked.get(f"node_modules/{name}")
        if name in found or about is None:
            continue
        found[name] = Package(name, about["version"], about.get("license") or WEB_STATED.get(name, ""))
        pending += sorted(about.get("dependencies", {}))
    return [found[name] for name in sorted(found)]


def _imported(locked: set[str]) -> set[str]:
    """Packages that the page's own code and styles name; SvelteKit's parts are called $app and the like."""
    names = {"@sveltejs/kit"}
    for path in (ROOT / "web" / "src").rglob("*"):
        if path.suffix not in (".ts", ".svelte", ".css") or path.name.endswith(".test.ts"):
            continue
        text = path.read_text(encoding="utf-8")
        for given in re.findall(r"(?:from|import|@plugin|@import)\s*\(?\s*['\"]([^'\"$.][^'\"]*)['\"]", text):
            name = "/".join(given.split("/")[: 2 if given.startswith("@") else 1])
            if f"node_modules/{name}" in locked:
                names.add(name)
    return names
