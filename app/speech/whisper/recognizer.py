"""Runs Whisper, by faster-whisper or openai-whisper, in a child process: real progress, cancellation by kill, and all
memory is returned."""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import time
import uuid
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar, Final

from app.domain.catalogue import catalogue
from app.domain.dub_options import Task
from app.domain.errors import DubError
from app.domain.problems.lines import NO_SPEECH
from app.domain.problems.recognition import (
    CANNOT_TRANSLATE,
    LANGUAGE_UNKNOWN,
    MODEL_DAMAGED,
    OUT_OF_MEMORY,
    RECOGNITION_FAILED,
)
from app.domain.problems.voices import ENGINE_UNAVAILABLE
from app.domain.segment import Segment, Word
from app.observability import metrics
from app.speech.ports import Availability, EngineInfo, Recognised, RecognitionProgress, RecognitionRequest
from app.speech.whisper import languages
from app.speech.whisper.conversion import FLOAT16, INT8, Converter
from app.speech.whisper.models import Checkpoint, ModelStore
from app.system.children import Exit, run_python
from app.system.oom import oom_kills

CHILD: Final = "app.speech.whisper.child"
_PATH = re.compile(r"(?:/[^\s/:'\"]+)+/")


class WhisperRecognizer:
    """What both engines do. `threads` is how many processor threads one transcription uses; `device` is cpu, cuda or
    auto."""

    name: str
    key_name = ""
    cost_unit = None
    _title: ClassVar[str]
    _engine: ClassVar[str]  # for the child
    _packages: ClassVar[Mapping[str, str]]  # module: what is installed

    def __init__(self, models: ModelStore, *, threads: int = 0, device: str = "auto") -> None:
        self._models = models
        self._threads = threads or os.cpu_count() or 1
        self._device = device

    def charge(self, model: str, length_s: float) -> None:
        """It is this machine that works."""

    @classmethod
    def missing(cls) -> tuple[str, ...]:
        """The packages that are not installed."""
        return tuple(package for module, package in cls._packages.items() if importlib.util.find_spec(module) is None)

    async def info(self, key: str | None = None) -> EngineInfo:
        missing = self.missing()
        availability = Availability(True, "", "")
        if missing:
            availability = Availability(
                False, f"Not installed: {', '.join(missing)}.", "Run `make setup`, or use the container image."
            )
        return EngineInfo(
            self.name,
            "recognizer",
            self._title,
            False,
            availability,
            await asyncio.to_thread(self._models.infos),
            licence="MIT",
            translates=True,
        )

    def check_model(self, model: str) -> None:
        self._models.find(model)

    async def transcribe(
        self, request: RecognitionRequest, on_event: Callable[[RecognitionProgress | Recognised], None]
    ) -> str:
        """See `Recognizer.transcribe`. Raises no_speech when a whole recording has none; "" is returned when only a
        resumed rest has none.

        Further errors: model_unknown, model_download, model_damaged, language_unknown, cannot_translate, out_of_memory,
        recognition_failed, engine_unavailable.
        """
        language = languages.to_whisper(request.language) if request.language else None
        found = await asyncio.to_thread(self._models.find, request.model)
        if isinstance(found, Checkpoint):
            _check(found, language, request.task)
        if missing := self.missing():
            raise DubError(ENGINE_UNAVAILABLE, f"Not installed: {', '.join(missing)}.")

        def telling(message: str) -> None:
            on_event(RecognitionProgress(request.resume_at_s, message))

        def fetching(done_bytes: int, total_bytes: int) -> None:
            shown = f"{done_bytes / 1e6:.0f} of {max(total_bytes, done_bytes) / 1e6:.0f} MB"
            telling(f"model {request.model}: {shown}")

        checkpoint = await self._models.fetch(request.model, fetching)
        model = await self._loadable(checkpoint, found, telling)
        run = _Recognition(request, on_event)
        asked = {
            "engine": self._engine,
            "speech": str(request.speech),
            "model": str(model),
            "language": language,
            "task": request.task.value,
            "resume_at_s": request.resume_at_s,
            "threads": self._threads,
            "device": self._device,
            "prompt": request.prompt,
            "hotwords": list(request.hotwords),
        }
        killed_before, began_s = oom_kills(), time.monotonic()
        try:
            end = await run_python(CHILD, asked, on_event=run.take, env=_environment(self._threads))
        finally:
            run.count(found.name if isinstance(found, Checkpoint) else "custom", time.monotonic() - began_s)
        run.close(end, oom_killed=oom_kills() > killed_before)
        return run.language or ""

    async def close(self) -> None:
        """A child lives for one transcription."""

    async def _loadable(self, checkpoint: Path, found: Checkpoint | Path, telling: Callable[[str], None]) -> Path:
        """What the child loads: the checkpoint itself, or the engine's own form of it."""
        return checkpoint


class OpenAIWhisper(WhisperRecognizer):
    """The reference engine, on PyTorch."""

    name = "openai-whisper"
    _title = "OpenAI Whisper"
    _engine = "openai"
    _packages: ClassVar = {
        "whisper": "openai-whisper",
        "torch": "torch",
        "onnxruntime": "onnxruntime",
        "faster_whisper": "faster-whisper",
    }


class FasterWhisper(WhisperRecognizer):
    """The same checkpoints on CTranslate2: a third of the processor time, less than half of the memory. A checkpoint is
    converted when it is first used."""

    name = "faster-whisper"
    _title = "faster-whisper"
    _engine = "ctranslate"
    _packages: ClassVar = {
        **OpenAIWhisper._packages,  # torch reads the checkpoint
        "ctranslate2": "ctranslate2",
        "tokenizers": "tokenizers",
    }

    def __init__(self, models: ModelStore, *, threads: int = 0, device: str = "auto") -> None:
        super().__init__(models, threads=threads, device=device)
        self._converter = Converter(models.folder, models.reserve)

    async def _loadable(self, checkpoint: Path, found: Checkpoint | Path, telling: Callable[[str], None]) -> Path:
        known = found if isinstance(found, Checkpoint) else None
        began_s = time.monotonic()
        return await self._converter.converted(
            checkpoint,
            FLOAT16 if self._device == "cuda" or (self._device == "auto" and has_graphics_card()) else INT8,
            name=known.name if known else "",
            sha256=known.sha256 if known else "",
            while_waiting=lambda: telling(
                f"model {checkpoint.stem}: converting it, once ({time.monotonic() - began_s:.0f} s)"
            ),
        )


def has_graphics_card() -> bool:
    """Whether a CUDA device may be there; only what is then loaded tells for sure."""
    return any(Path(device).exists() for device in ("/dev/nvidia0", "/dev/nvidiactl", "/dev/dxg"))


class _Recognition:
    """The events of one child so far."""

    def __init__(
        self, request: RecognitionRequest, on_event: Callable[[RecognitionProgress | Recognised], None]
    ) -> None:
        self._request = request
        self._on_event = on_event
        self._heard = request.resume_at_s > 0
        self._done = False
        self._failure: DubError | None = None
        self._device = ""
        self._done_s = request.resume_at_s
        self.language: str | None = None

    def take(self, event: dict[str, Any]) -> None:
        match event.get("event"):
            case "loaded":
                self._device = event.get("device", "")
                self._on_event(RecognitionProgress(self._request.resume_at_s, ""))
            case "language":
                shown = f"finding the language: place {event['place']} of {event['places']}"
                self._on_event(RecognitionProgress(self._request.resume_at_s, shown))
            case "hearing":
                self._on_event(RecognitionProgress(self._known(event["done_s"]), ""))
            case "chunk":
                self._chunk(event)
            case "done":
                self._done = True
            case "failed":
                problem = catalogue().get(event["code"], RECOGNITION_FAILED)
                detail = _model_detail(self._request.model) if problem is MODEL_DAMAGED else event["detail"]
                self._failure = DubError(problem, detail)

    def _chunk(self, event: dict[str, Any]) -> None:
        done_s = self._known(event["done_s"])
        self._done_s = max(self._done_s, done_s)
        if event["language"] is None:
            self._on_event(RecognitionProgress(done_s, ""))
            return
        self.language = languages.from_whisper(event["language"])
        segments = tuple(_segment(line) for line in event["lines"])
        self._heard = self._heard or bool(segments)
        self._on_event(Recognised(segments, self.language, done_s, event["certainty"]))

    def _known(self, second: float) -> float:
        return min(second, self._request.duration_s) if self._request.duration_s > 0 else float(second)

    def count(self, model: str, seconds: float) -> None:
        """Count the seconds of media that this run recognised and the time it took, however it ended."""
        media_s = self._done_s - self._request.resume_at_s
        if not self._device or not media_s:
            return
        metrics.RECOGNITION_MEDIA_SECONDS.add(model, self._device, amount=media_s)
        metrics.RECOGNITION_SECONDS.add(model, self._device, amount=seconds)
        if self._done:
            metrics.RECOGNITION_SPEED.set(model, self._device, to=media_s / seconds)

    def close(self, end: Exit, *, oom_killed: bool) -> None:
        """Raise what the child's end means."""
        if self._failure is not None:
            raise self._failure
        if not self._done or end.code != 0:
            if oom_killed and end.code in (-9, 137):
                raise DubError(OUT_OF_MEMORY)
            raise DubError(RECOGNITION_FAILED, _last_line(end))
        if not self._heard:
            raise DubError(NO_SPEECH)


def _check(checkpoint: Checkpoint, language: str | None, task: Task) -> None:
    if not checkpoint.multilingual and language not in (None, "en"):
        raise DubError(LANGUAGE_UNKNOWN, f"The model {checkpoint.name} knows English only.")
    if task is Task.TRANSLATE and not checkpoint.translates:
        raise DubError(CANNOT_TRANSLATE, f"The model is {checkpoint.name}.")


def _segment(line: dict[str, Any]) -> Segment:
    text = line["text"]
    return Segment(
        uuid.uuid4().hex,
        line["start_s"],
        line["end_s"],
        text=text,
        source_text=text,
        speaker="",
        skip=False,
        words=tuple(Word(word["text"], word["start_s"], word["end_s"]) for word in line["words"]),
    )


def _environment(threads: int) -> dict[str, str]:
    """PASSIVE: waiting threads sleep instead of spinning, 4 times faster on a busy machine."""
    return {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE"}


def _model_detail(model: str) -> str:
    return f"The model is {Path(model).name}."


def _last_line(end: Exit) -> str:
    """The last line of the child's error output, without folders and control characters."""
    lines = [line.strip() for line in end.stderr.splitlines() if line.strip()]
    said = _PATH.sub("", "".join(c for c in lines[-1] if c.isprintable()))[:300] if lines else ""
    how = (
        f"The process was ended by signal {-end.code}." if end.code < 0 else f"The process ended with code {end.code}."
    )
    return f"{how} {said}".strip()
