"""What a check of `autodubber doctor` finds."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from typing import Final

import msgspec

PROBE_S: Final = 60.0


class Finding(msgspec.Struct, frozen=True):
    """One result. `ok` with a `fix` is advice; not `ok` and `needed` means that AutoDubber cannot work."""

    name: str
    ok: bool
    needed: bool
    found: str
    fix: str = ""


def output_of(argv: Sequence[str]) -> str:
    """What a program prints. Raises OSError, SubprocessError."""
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PROBE_S, check=True, stdin=subprocess.DEVNULL)  # noqa: S603
    return done.stdout
