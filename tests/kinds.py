"""What a test needs besides this process: a server, a browser, media. Told by what its file uses, so that no list has
to be kept.

`--quick` leaves those tests out, and files that take long, and sees to it that what is left starts none of the
programs.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

MARKERS = {
    "server": "starts `autodubber serve`, or a program that speaks to it",
    "browser": "drives a browser",
    "media": "starts FFmpeg, or decodes and codes sound and pictures",
    "slow": "seconds of work although it is none of those",
    "real": "uses real model weights: runs where AUTODUBBER_TEST_WEIGHTS names a folder with them",
}
# By marker: fixtures, and what a file of tests has in it when it uses them: classes, functions and modules by name.
FIXTURES = {
    "server": {"seeded", "serve", "server", "behind", "front", "behind_proxy"},
    "browser": {"chromium"},
    "media": {"ffmpeg"},
}
NAMES = {
    "server": {"Server", "Running"},
    "media": {"tool", "av", "samples", "sample", "edits", "muxing", "make"},
}
SLOW_FILE_S = 3.0  # by tests/durations.txt: a file of tests that takes longer is not quick
PROGRAMS = {"ffmpeg", "ffprobe", "chromium", "nginx", "caddy", "traefik", "prometheus", "promtool"}


def marks_of(item: pytest.Item) -> set[str]:
    """The markers of a test, by its fixtures and by its file."""
    fixtures = set(getattr(item, "fixturenames", ()))
    found = {marker for marker, names in FIXTURES.items() if names & fixtures}
    return found | _marks_of_module(item.getparent(pytest.Module).obj)  # type: ignore[union-attr]


def _marks_of_module(module: ModuleType) -> set[str]:
    named = {
        name for name, value in vars(module).items() if inspect.ismodule(value) or _is_from_elsewhere(module, value)
    }
    return {marker for marker, names in NAMES.items() if names & named}


def _is_from_elsewhere(module: ModuleType, value: Any) -> bool:
    return (inspect.isclass(value) or inspect.isfunction(value)) and value.__module__ != module.__name__


def forbid_programs() -> None:
    """From now on, a start of a server, a browser or FFmpeg in this process is a failure: a test that needs one is not
    quick."""

    def look(event: str, details: tuple[Any, ...]) -> None:
        if event == "subprocess.Popen":
            words = [str(word) for word in details[1]]
            if {Path(word).name for word in words} & PROGRAMS or "serve" in words:
                raise AssertionError(f"a quick test starts {words}: mark it (tests/kinds.py)")

    sys.addaudithook(look)
