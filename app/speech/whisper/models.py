"""Whisper's checkpoints: known models, downloaded files, and downloading.

A download goes to `NAME.part`, resumes where it stopped, fails on a stall, is checked against the sha256 in OpenAI's
own addresses, and only then gets its name. A lock file makes one download serve every task and process that waits for
it.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import threading
from collections.abc import AsyncIterator, Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from app.domain.errors import DubError
from app.domain.problems.recognition import MODEL_DAMAGED, MODEL_UNKNOWN
from app.speech.ports import ModelInfo, Place, Reserve
from app.speech.whisper import languages
from app.speech.whisper.download import download, file_size, hash_file
from app.system.durable_files import Durable, move

OPENAI: Final = "https://openaipublic.azureedge.net/main/whisper/models/{sha256}/{file}"


class Checkpoint(msgspec.Struct, frozen=True):
    """One downloadable model. `size_bytes` is for people; what counts is the hash. `translates`: it knows the translate
    task."""

    name: str
    file: str
    sha256: str
    size_bytes: int
    multilingual: bool = True
    translates: bool = True


def _english(name: str, sha256: str, size_bytes: int) -> Checkpoint:
    return Checkpoint(name, f"{name}.pt", sha256, size_bytes, multilingual=False, translates=False)


_LARGE_V3: Final = "e5b1a55b89c1367dacf97e3e19bfd829a01529dbfdeefa8caeb59b3f1b81dadb"
_TURBO: Final = "aff26ae408abcba5fbf8813c21e62b0941638c5f6eebfb145be0c9839262a19a"

# names, hashes and files are openai-whisper's own (whisper/__init__.py, _MODELS); a test compares them
CHECKPOINTS: Final = (
    Checkpoint("tiny", "tiny.pt", "65147644a518d12f04e32d6f3b26facc3f8dd46e5390956a9424a650c0ce22b9", 75_572_083),
    _english("tiny.en", "d3dd57d32accea0b295c96e26691aa14d8822fac7d9d27d5dc00b4ca2826dd03", 75_571_315),
    Checkpoint("base", "base.pt", "ed3a0b6b1c0edf879ad9b11b1af5a0e6ab5db9205f891f668f8b0e6c6326e34e", 145_262_807),
    _english("base.en", "25a8566e1d0c1e2231d1c762132cd20e0f96a85d16145c3a00adf5d1ac670ead", 145_261_783),
    Checkpoint("small", "small.pt", "9ecf779972d90ba49c06d968637d720dd632c55bbf19d441fb42bf17a411e794", 483_617_219),
    _english("small.en", "f953ad0fd29cacd07d5a9eda5624af0f6bcf2258be67c92b79389873d91e0872", 483_615_683),
    Checkpoint(
        "medium", "medium.pt", "345ae4da62f9b3d59415adc60127b97c714f32e89e936602e85993674d08dcb1", 1_528_008_539
    ),
    _english("medium.en", "d7440d1dc186f76616474e0ff0b3b6b879abc9d1a4926b7adfa41db2d497ab4f", 1_528_006_491),
    Checkpoint("turbo", "large-v3-turbo.pt", _TURBO, 1_617_941_637, translates=False),
    Checkpoint("large-v3-turbo", "large-v3-turbo.pt", _TURBO, 1_617_941_637, translates=False),
    Checkpoint("large-v3", "large-v3.pt", _LARGE_V3, 3_087_371_615),
    Checkpoint("large", "large-v3.pt", _LARGE_V3, 3_087_371_615),
    Checkpoint(
        "large-v2", "large-v2.pt", "81f7c96c852ee8fc832187b0132e569d6c3065a3252ed18e56effd0b6a73e524", 3_086_999_982
    ),
    Checkpoint(
        "large-v1", "large-v1.pt", "e4b87e7e0bf463eb8e6956e646f1e277e901512310def2c24bf0e11bd3c28e9a", 3_086_999_982
    ),
)


class _Anywhere:
    def landed(self, size_bytes: int) -> None:
        """Nobody counts."""


@contextlib.asynccontextmanager
async def unbounded(_size_bytes: int, _folder: Path) -> AsyncIterator[Place]:
    yield _Anywhere()


class ModelStore:
    """The models folder. `url` may be a mirror's, with {sha256} and {file} in it; empty means OpenAI's.

        `default` is the operator's choice and may be the path of a checkpoint. `paths`: any file may be named, as on
        the command line.
    `reserve` reserves disk space for a download.
    """

    def __init__(
        self,
        folder: Path,
        url: str = "",
        *,
        default: str = "",
        paths: bool = False,
        checkpoints: tuple[Checkpoint, ...] = CHECKPOINTS,
        stall_s: float = 30.0,
        reserve: Reserve | None = None,
    ) -> None:
        self.folder = folder
        self._default = default
        self._paths = paths
        self._url = url or OPENAI
        self._stall_s = stall_s
        self.reserve = reserve or unbounded
        self._checkpoints: Mapping[str, Checkpoint] = {one.name: one for one in checkpoints}

    def infos(self) -> tuple[ModelInfo, ...]:
        """Every model by name, and whether its file is here; the folder's own checkpoints come first. Looks at the
        folder only; blocks."""
        official = {one.file for one in self._checkpoints.values()}
        own = tuple(
            ModelInfo(
                id=name,
                name=f"{name} (models folder)",
                ready=True,
                size_bytes=0,
                max_characters=0,
                languages=(),
                credits_per_character=0.0,
            )
            for name in sorted(self._files().keys() - official)
        )
        return own + tuple(
            ModelInfo(
                id=one.name,
                name=f"Whisper {one.name}",
                ready=(self.folder / one.file).is_file(),
                size_bytes=one.size_bytes,
                max_characters=0,
                languages=languages.ISO if one.multilingual else ("en",),
                credits_per_character=0.0,
            )
            for one in self._checkpoints.values()
        )

    def find(self, model: str) -> Checkpoint | Path:
        """The checkpoint of that name, or a file of the models folder by its name; a path where paths are taken. Raises
        model_unknown. Blocks.

        Without `paths`, every other name gets the same error and no file is looked up: otherwise the answer would
        reveal which files exist.
        """
        if model in self._checkpoints:
            return self._checkpoints[model]
        if (own := self._files().get(model)) is not None:
            return next((one for one in self._checkpoints.values() if one.file == model), own)
        if self._paths or (model and model == self._default):
            path = Path(model).expanduser()
            if (path.is_absolute() or "/" in model or model.endswith(".pt")) and path.is_file():
                return path.absolute()
        known = ", ".join(self._checkpoints)
        raise DubError(
            MODEL_UNKNOWN,
            (
                f'"{model[:200]}" is neither {"a file nor " if self._paths else ""}one of {known}, nor in the models '
                f"folder."
            ),
        )

    def _files(self) -> dict[str, Path]:
        """The checkpoints in the folder by name. A link that leads out of it is none."""
        try:
            entries = [
                entry for entry in self.folder.iterdir() if entry.suffix == ".pt" and not entry.name.startswith(".")
            ]
        except OSError:
            return {}
        home = self.folder.resolve()
        real = {entry.name: entry.resolve() for entry in entries if entry.name.isprintable()}
        return {name: path for name, path in real.items() if path.is_relative_to(home) and path.is_file()}

    async def fetch(self, model: str, on_progress: Callable[[int, int], None]) -> Path:
        """The model's file, whole and checked; downloads it if need be.

        `on_progress(done_bytes, total_bytes)` is called a few times a second while downloading. Cancelling keeps what
        has come. Raises model_unknown, model_download, model_damaged, disk_full.
        """
        found = await asyncio.to_thread(self.find, model)
        if isinstance(found, Path):
            return found
        path = self.folder / found.file
        if await _checked(path, found.sha256):
            return path
        await asyncio.to_thread(self.folder.mkdir, parents=True, exist_ok=True)
        part = path.with_name(path.name + ".part")
        async with alone(path.with_name(f".{path.name}.lock"), lambda: on_progress(file_size(part), found.size_bytes)):
            if not await _checked(path, found.sha256):  # another task may have downloaded it in the meantime
                url = self._url.replace("{sha256}", found.sha256).replace("{file}", found.file)
                await self._download(url, part, found, on_progress)
                await asyncio.to_thread(_adopt, part, path, found.sha256)
        return path

    async def _download(self, url: str, part: Path, found: Checkpoint, on_progress: Callable[[int, int], None]) -> None:
        """`download`, in room of its own."""
        there = file_size(part)
        async with self.reserve(max(0, found.size_bytes - there), self.folder) as place:

            def took(done_bytes: int, total_bytes: int) -> None:
                nonlocal there
                place.landed(done_bytes - there)
                there = done_bytes
                on_progress(done_bytes, total_bytes)

            await download(url, part, found.sha256, stall_s=self._stall_s, on_progress=took)


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
