"""The `SeparationEngine` protocol, which every engine that takes a voice out of a recording implements."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from app.domain.spending import Charge
from app.speech.engine_info import EngineInfo


class SeparationEngine(Protocol):
    """A model that tells speech from everything else, which `app.separation.loading` loads in a child process; or a
    service, which has a method `isolate` (`app.dubbing.separation.isolation`) and a `key_name`, the engine whose API
    key it works with."""

    name: str
    title: str
    licence: str
    key_name: str

    async def info(self, key: str | None = None) -> EngineInfo: ...

    def ready(self) -> bool:
        """Whether it can work here and now, without a download. Blocks."""
        ...

    def check(self, key: str | None = None) -> None:
        """Raise engine_unavailable where it never can, key_missing, key_invalid."""
        ...

    def charge(self, length_s: float) -> Charge | None:
        """What a recording of this length costs at most; None where it costs nothing."""
        ...

    def fingerprint(self) -> str:
        """The model; equal fingerprints, equal sound. Blocks."""
        ...

    async def fetch(self, on_progress: Callable[[str], None]) -> Path:
        """The model's path, whole and checked; downloads it if need be, and tells how far that is. Raises
        engine_unavailable, model_download, model_damaged, disk_full."""
        ...

    async def close(self) -> None: ...
