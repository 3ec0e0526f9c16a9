"""Tells speakers apart in a child process, with a model of 17 MB that is downloaded when it is first asked for."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Callable
from typing import Any, Final

from app.domain.errors import DubError
from app.domain.problems.recognition import MODEL_DAMAGED, OUT_OF_MEMORY, RECOGNITION_FAILED
from app.speech.model_files import ModelFile, ModelFiles
from app.speech.ports import Availability, DiarizationRequest, EngineInfo, ModelInfo
from app.system import children
from app.system.oom import oom_kills

LICENCE: Final = "Apache-2.0"
WEIGHTS: Final = ModelFile(
    "speakers/ge2e.pt",
    "https://github.com/resemble-ai/Resemblyzer/raw/master/resemblyzer/pretrained.pt",
    "39373b86598fa3da9fcddee6142382efe09777e8d37dc9c0561f41f0070f134e",
    17_090_379,
)


class Ge2e:
    """The engine. `url` is a mirror: an address with {file} and {sha256}, "" for the published one."""

    name = "ge2e"
    version = 1  # grows when it tells the same sound apart in another way

    def __init__(self, files: ModelFiles, *, url: str = "", threads: int = 0, weights: ModelFile = WEIGHTS) -> None:
        mirror = url.replace("{sha256}", weights.sha256).replace("{file}", "ge2e.pt")
        self._weights = ModelFile(weights.file, mirror or weights.url, weights.sha256, weights.size_bytes)
        self._files, self._threads = files, threads

    async def info(self) -> EngineInfo:
        available = Availability(True, "", "")
        if not _installed():
            available = Availability(False, "Not installed: torch.", "Run `make setup`, or use the container image.")
        model = ModelInfo("ge2e", "GE2E", await asyncio.to_thread(self.here), self._weights.size_bytes, 0, (), 0.0)
        return EngineInfo(self.name, "diarizer", "Speaker embedding", False, available, (model,), licence=LICENCE)

    def here(self) -> bool:
        """Whether it can work without a download. Blocks."""
        return _installed() and self._files.has(self._weights)

    async def tell(self, request: DiarizationRequest, on_progress: Callable[[float, str], None]) -> tuple[int, ...]:
        """Raises model_download, model_damaged, disk_full,
        out_of_memory, recognition_failed.
        """

        def downloading(done_bytes: int, total_bytes: int) -> None:
            total = max(total_bytes, done_bytes)
            on_progress(0.0, f"speaker model, {LICENCE}: {done_bytes / 1e6:.0f} of {total / 1e6:.0f} MB")

        weights = await self._files.fetch(self._weights, downloading)
        await asyncio.to_thread(request.resume_file.parent.mkdir, parents=True, exist_ok=True)
        answer: dict[str, Any] = {}

        def on_event(event: dict[str, Any]) -> None:
            if "done" in event:
                on_progress(
                    event["done"] / max(len(request.spans), 1), f"{event['done']} of {len(request.spans)} lines"
                )
            else:
                answer.update(event)

        asked = {
            "weights": str(weights),
            "speech": str(request.speech),
            "spans": request.spans,
            "count": request.count,
            "resume_file": str(request.resume_file),
            "threads": self._threads,
        }
        killed_before = oom_kills()
        ended = await children.run_python("app.speech.speakers.child", asked, on_event=on_event)
        if "groups" in answer:
            return tuple(answer["groups"])
        if answer.get("error") == "damaged":
            raise DubError(MODEL_DAMAGED, f"{weights.name} in {weights.parent}.")
        if answer.get("error") == "memory" or oom_kills() > killed_before:
            raise DubError(OUT_OF_MEMORY)
        raise DubError(RECOGNITION_FAILED, f"The speakers' process ended with {ended.code}.")


def _installed() -> bool:
    return importlib.util.find_spec("torch") is not None
