"""Stands in for ElevenLabs: a strict HTTP server that the real SDK is pointed at by its base_url.

`python -m tests.doubles.elevenlabs --port 0` prints its address on the first line and serves until it is ended;
`running()` does that for a test; `async with Double() as double` serves inside the test. What it knows is told over
HTTP:

GET  /_journal   {"calls": [...], "violations": [...], "most_at_once": n}: every speech call with text, voice, status,
charged, delivered POST /_faults    [{"kind", "times", "route", "text", "status", "body", "headers", "delay_s"}, ...]:
see `Fault` POST /_account   {"tier", "limit", "used", "scopes", "keys"}: any of them
POST /_reset     forget journal and faults

Order of checks and forms of errors: as the service's published API has them, November 2026. Strictness: what the
service would take silently but never should have been sent is noted in "violations", which a test asserts to be empty.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from tests.doubles.elevenlabs.server import KEY as KEY
from tests.doubles.elevenlabs.server import Double as Double


@contextlib.contextmanager
def running(*arguments: str) -> Iterator[str]:
    """The double in a process of its own; gives its address."""
    argv = [sys.executable, "-m", "tests.doubles.elevenlabs", "--port", "0", *arguments]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[3]) as process:
        assert process.stdout is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.terminate()
