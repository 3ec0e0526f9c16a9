"""Health: the conditions of readiness, and figures for people and Prometheus. Everything here blocks for
milliseconds."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from app.domain.job import JobState

_PROBE: Final = ".probe"


class Check(msgspec.Struct, frozen=True):
    """One condition of readiness; `detail` says what is wrong, or is ""."""

    name: str
    ok: bool
    detail: str


class HealthReport(msgspec.Struct, frozen=True):
    """`ready` is the conjunction of the checks; `jobs` counts them by state. Sizes are bytes, times seconds."""

    ready: bool
    version: str
    uptime_s: float
    checks: tuple[Check, ...]
    jobs: dict[str, int]
    sockets: int
    disk_free_bytes: int


Probe = Callable[[], str]  # returns what is wrong, or ""; an exception also fails the check


class Health:
    """`probes` are the conditions by name; `jobs` counts jobs by state, `sockets` open ones, `free_bytes` the disk's
    free space."""

    def __init__(
        self,
        *,
        version: str,
        probes: Mapping[str, Probe],
        jobs: Callable[[], Mapping[JobState, int]],
        sockets: Callable[[], int],
        free_bytes: Callable[[], int],
    ) -> None:
        self._version, self._probes, self._jobs, self._sockets, self._free_bytes = (
            version,
            dict(probes),
            jobs,
            sockets,
            free_bytes,
        )
        self._began = time.monotonic()

    def report(self) -> HealthReport:
        checks = tuple(_run(name, probe) for name, probe in self._probes.items())
        working = next((check.ok for check in checks if check.name == "database"), False)
        return HealthReport(
            ready=all(check.ok for check in checks),
            version=self._version,
            uptime_s=round(time.monotonic() - self._began, 3),
            checks=checks,
            jobs={state.value: count for state, count in self._jobs().items()} if working else {},
            sockets=self._sockets(),
            disk_free_bytes=self._free_bytes(),
        )


def _run(name: str, probe: Probe) -> Check:
    try:
        detail = probe()
    except Exception as error:
        detail = f"{type(error).__name__}: {error}"[:300]
    return Check(name, not detail, detail)


def writable(folder: Path) -> Probe:
    """Check that a file can be written in the folder."""

    def probe() -> str:
        path = folder / _PROBE
        try:
            with path.open("wb") as file:
                file.write(b"autodubber")
                file.flush()
                os.fdatasync(file.fileno())
            path.unlink()
        except OSError as error:
            return f"The data folder cannot be written: {error.strerror}."
        return ""

    return probe


def room(free_bytes: Callable[[], int], floor_bytes: int) -> Probe:
    """Check that more than the minimum is free."""

    def probe() -> str:
        free = free_bytes()
        return "" if free >= floor_bytes else f"{free >> 20} MB are free; {floor_bytes >> 20} MB must stay free."

    return probe
