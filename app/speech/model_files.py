"""Files of models: downloaded when they are first needed, checked, and kept.

A download goes to `NAME.part`, resumes where it stopped, fails on a stall, is checked against the sha256 that is known
for the file, and only then gets its name. A lock file makes one download serve every task and process that waits for
it.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import threading
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import msgspec

from app.domain.errors import DubError
from app.domain.problems.recognition import MODEL_DAMAGED
from app.speech.download import download, file_size, hash_file
from app.speech.ports import Place, Reserve
from app.system.durable_files import Durable, move


class ModelFile(msgspec.Struct, frozen=True):
    """One file of a model, by its name in the folder. `size_bytes` is for people; what counts is the hash."""

    file: str
    url: str
    sha256: str
    size_bytes: int


class _Anywhere:
    def landed(self, size_bytes: int) -> None:
        """Nobody counts."""


@contextlib.asynccontextmanager
async def unbounded(_size_bytes: int, _folder: Path) -> AsyncIterator[Place]:
    yield _Anywhere()


class ModelFiles:
    """A folder of model files. A download that gets no byte for `stall_s` is tried again; `reserve` reserves disk space
    for it."""

    def __init__(self, folder: Path, *, stall_s: float = 30.0, reserve: Reserve | None = None) -> None:
        self.folder = folder
        self._stall_s = stall_s
        self.reserve = reserve or unbounded

    def has(self, wanted: ModelFile) -> bool:
        """Whether the file is there; it is checked when it is fetched. Blocks."""
        return (self.folder / wanted.file).is_file()

    async def fetch(self, wanted: ModelFile, on_progress: Callable[[int, int], None]) -> Path:
        """The file, whole and checked; downloads it if need be.

        `on_progress(done_bytes, total_bytes)` is called a few times a second while downloading. Cancelling keeps what
        has come. Raises model_download, model_damaged, disk_full.
        """
        path = self.folder / wanted.file
        if await _checked(path, wanted.sha256):
            return path
        await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        async with alone(path.with_name(f".{path.name}.lock"), lambda: on_progress(file_size(part), wanted.size_bytes)):
            if not await _checked(path, wanted.sha256):  # another task may have downloaded it in the meantime
                await self._download(part, wanted, on_progress)
                await asyncio.to_thread(_adopt, part, path, wanted.sha256)
        return path

    async def _download(self, part: Path, wanted: ModelFile, on_progress: Callable[[int, int], None]) -> None:
        """`download`, in room of its own."""
        there = file_size(part)
        async with self.reserve(max(0, wanted.size_bytes - there), self.folder) as place:

            def took(done_bytes: int, total_bytes: int) -> None:
                nonlocal there
                place.landed(done_bytes - there)
                there = done_bytes
                on_progress(done_bytes, total_bytes)

            await download(wanted.url, part, wanted.sha256, stall_s=self._stall_s, on_progress=took)


def _stamp(path: Path) -> Path:
    return path.with_name(f".{path.name}.checked")


def _mark(path: Path, sha256: str) -> str:
    status = path.stat()
    return f"{sha256} {status.st_size} {status.st_mtime_ns}"


def _adopt(part: Path, path: Path, sha256: str) -> None:
    move(part, path, durable=Durable.NAME)
    _stamp(path).write_text(_mark(path, sha256))


async def _checked(path: Path, sha256: str) -> bool:
    """Whether the file is there and right. A file is hashed once, and again when its size or time changes. Raises
    model_damaged."""
    stop = threading.Event()
    try:
        return await asyncio.to_thread(_check, path, sha256, stop)
    finally:
        stop.set()


def _check(path: Path, sha256: str, stop: threading.Event) -> bool:
    if not path.is_file():
        return False
    stamp = _stamp(path)
    mark = _mark(path, sha256)
    if stamp.is_file() and stamp.read_text() == mark:
        return True
    digest = hash_file(path, path.stat().st_size, stop)
    if digest.hexdigest() != sha256 and not stop.is_set():
        raise DubError(MODEL_DAMAGED, f"{path.name} in {path.parent}.")
    with contextlib.suppress(OSError):  # a read-only models folder works too; it is only hashed each time
        stamp.write_text(mark if not stop.is_set() else "")
    return True


@contextlib.asynccontextmanager
async def alone(lock: Path, while_waiting: Callable[[], None]) -> AsyncIterator[None]:
    """Hold the lock file; while another task or process has it, call `while_waiting` twice a second."""
    handle = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        while True:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                while_waiting()
                await asyncio.sleep(0.5)
        yield
    finally:
        os.close(handle)
