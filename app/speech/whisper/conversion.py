"""Converts a checkpoint to CTranslate2's form once, for faster-whisper, and finds it again.

A conversion lies beside its checkpoint (or in the models folder, where that cannot be written), in a folder with the
checkpoint's name and hash. It is written under another name and appears whole, or not at all; a killed one is begun
again. A lock file makes one conversion serve every task and process that waits for it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import msgspec

from app.domain.catalogue import catalogue
from app.domain.errors import DubError
from app.domain.problems.recognition import MODEL_DAMAGED, RECOGNITION_FAILED
from app.speech.download import hash_file
from app.speech.model_files import alone
from app.speech.ports import Reserve
from app.system.children import run_python
from app.system.durable_files import sync_file, sync_folder

CHILD: Final = "app.speech.whisper.convert_child"
INT8: Final = "int8"
FLOAT16: Final = "float16"

_SIZE: Final = {INT8: 0.6, FLOAT16: 1.05}  # of the checkpoint's
_BESIDE_BYTES: Final = 8 << 20  # vocabulary and tokenizer
_EVERY_S: Final = 1.0
_SOURCE: Final = "source.json"


class Source(msgspec.Struct, frozen=True):
    """The checkpoint that a conversion was made of."""

    sha256: str
    size_bytes: int
    mtime_ns: int


class Converter:
    """`folder` is the models folder; `reserve` is asked for the room of what is written."""

    def __init__(self, folder: Path, reserve: Reserve) -> None:
        self._folder = folder
        self._reserve = reserve

    async def converted(
        self, checkpoint: Path, quantization: str, *, name: str, sha256: str, while_waiting: Callable[[], None]
    ) -> Path:
        """The folder of the converted checkpoint, whole; converts it if need be.

        `name` is the published model that it is and `sha256` its hash, "" where they are not known. `while_waiting` is
        called every second. Cancelling ends the work. Raises model_damaged, disk_full, out_of_memory.
        """
        home = await asyncio.to_thread(self._home, checkpoint)
        if found := await asyncio.to_thread(_find, home, checkpoint, quantization):
            return found
        await asyncio.to_thread(home.mkdir, parents=True, exist_ok=True)
        async with _calling(while_waiting), alone(home / f".{checkpoint.stem}.ct2.lock", while_waiting):
            if found := await asyncio.to_thread(_find, home, checkpoint, quantization):
                return found
            source = await _source(checkpoint, sha256)
            final = home / f"{checkpoint.stem}-{source.sha256[:12]}.{quantization}.ct2"
            part = final.with_name(f".{final.name}.part")
            try:
                await asyncio.to_thread(_emptied, part)
                size_bytes = round(source.size_bytes * _SIZE[quantization]) + _BESIDE_BYTES
                async with self._reserve(size_bytes, home):
                    await _run(checkpoint, part, quantization, name)
                    await asyncio.to_thread(_adopt, part, final, source)
            finally:
                await asyncio.shield(asyncio.to_thread(shutil.rmtree, part, ignore_errors=True))
            return final

    def _home(self, checkpoint: Path) -> Path:
        return checkpoint.parent if os.access(checkpoint.parent, os.W_OK) else self._folder


async def _run(checkpoint: Path, part: Path, quantization: str, name: str) -> None:
    asked = {"checkpoint": str(checkpoint), "folder": str(part), "quantization": quantization, "name": name}
    events: list[dict[str, Any]] = []
    end = await run_python(CHILD, asked, on_event=events.append, env={"OMP_NUM_THREADS": "1"})
    said = {event.get("event"): event for event in events}
    if failed := said.get("failed"):
        problem = catalogue().get(failed["code"], RECOGNITION_FAILED)
        raise DubError(problem, f"The model is {checkpoint.name}." if problem is MODEL_DAMAGED else failed["detail"])
    if "done" not in said or end.code != 0:
        raise DubError(RECOGNITION_FAILED, f"{checkpoint.name} could not be converted: process code {end.code}.")


async def _source(checkpoint: Path, sha256: str) -> Source:
    status = await asyncio.to_thread(checkpoint.stat)
    stop = threading.Event()
    try:
        if not sha256:
            sha256 = (await asyncio.to_thread(hash_file, checkpoint, status.st_size, stop)).hexdigest()
    finally:
        stop.set()
    return Source(sha256, status.st_size, status.st_mtime_ns)


def _find(home: Path, checkpoint: Path, quantization: str) -> Path | None:
    """The conversion of the file as it is now: of the same size and time. A checkpoint that is gone has none."""
    try:
        status = checkpoint.stat()
    except OSError:
        return None
    for folder in sorted(home.glob(f"{_literal(checkpoint.stem)}-*.{quantization}.ct2")):
        with contextlib.suppress(OSError, msgspec.DecodeError):
            source = msgspec.json.decode((folder / _SOURCE).read_bytes(), type=Source)
            if (source.size_bytes, source.mtime_ns) == (status.st_size, status.st_mtime_ns):
                return folder
    return None


def _literal(stem: str) -> str:
    return "".join(f"[{letter}]" if letter in "*?[" else letter for letter in stem)


def _emptied(part: Path) -> None:
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir()


def _adopt(part: Path, final: Path, source: Source) -> None:
    """Give the conversion its name, in place of one of a checkpoint that was there before."""
    (part / _SOURCE).write_bytes(msgspec.json.encode(source))
    for path in part.iterdir():
        sync_file(path)
    quantization = final.name.removesuffix(".ct2").rpartition(".")[2]
    stem = final.name.rpartition("-")[0]
    for old in final.parent.glob(f"{_literal(stem)}-{'[0-9a-f]' * 12}.{quantization}.ct2"):
        shutil.rmtree(old, ignore_errors=True)
    part.rename(final)
    sync_folder(final.parent)


@contextlib.asynccontextmanager
async def _calling(while_waiting: Callable[[], None]) -> Any:
    """Call it every second while the block runs."""

    async def call() -> None:
        while True:
            while_waiting()
            await asyncio.sleep(_EVERY_S)

    task = asyncio.create_task(call())
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
