"""Spleeter's two stems as an engine: whether the model is here, how it is called, and its download.

It is a folder of the models folder, `spleeter/2stems`. The hash of the published archive is the one that Spleeter's own
tests name; the hashes of its files were computed of the files themselves. Files of another hash that were put there by
hand are accepted: whoever loads them checks every tensor.
"""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import tarfile
import threading
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath
from typing import Final

from app.domain.errors import DubError
from app.domain.problems.recognition import MODEL_DAMAGED
from app.domain.problems.voices import ENGINE_UNAVAILABLE
from app.domain.spending import Charge
from app.speech.download import file_size, hash_file
from app.speech.model_files import ModelFile, ModelFiles, alone
from app.speech.ports import Availability, EngineInfo, ModelInfo
from app.system.disk_full import said
from app.system.durable_files import Durable, replacing

LICENCE: Final = "MIT"
ARCHIVE: Final = ModelFile(
    "spleeter/2stems.tar.gz",
    "https://github.com/deezer/spleeter/releases/download/v1.4.0/2stems.tar.gz",
    "f3a90b39dd2874269e8b05a48a86745df897b848c61f3958efc80a39152bd692",
    73_109_797,
)
# the data first: where the index is, both are
FILES: Final = {
    "model.data-00000-of-00001": "7747f9fd2c782306dbec1504360fbb645a097a48446f23486c3ff9c89bc11788",
    "model.index": "55661a09f79c86071fc7077b44b4cf1f01b6d82bbbb83ed94cb68a2f9944e378",
}
_UNPACKED_BYTES: Final = 80 << 20
_BLOCK_BYTES: Final = 1 << 20


class SpleeterEngine:
    """`url` may be a mirror's, with {sha256} and {file} in it; empty means the published address."""

    name = "spleeter"
    title = "Spleeter, two stems"
    licence = LICENCE
    key_name = ""

    def __init__(
        self, store: ModelFiles, url: str = "", *, archive: ModelFile = ARCHIVE, files: Mapping[str, str] = FILES
    ) -> None:
        self._store, self._archive, self._files = store, archive, files
        self._url = url.replace("{sha256}", archive.sha256).replace("{file}", Path(archive.file).name)
        self._folder = store.folder / "spleeter" / "2stems"
        self._known: tuple[tuple[tuple[int, int], ...], str] | None = None

    async def info(self, key: str | None = None) -> EngineInfo:
        available = Availability(True, "", "")
        if not _installed():
            available = Availability(False, "Not installed: torch.", "Run `make setup`, or use the container image.")
        model = ModelInfo(
            id="2stems",
            name=f"2stems, licence {self.licence}",
            ready=await asyncio.to_thread(self._here),
            size_bytes=self._archive.size_bytes,
            max_characters=0,
            languages=(),
            credits_per_character=0.0,
        )
        return EngineInfo(self.name, "separator", self.title, False, available, (model,), licence=self.licence)

    def ready(self) -> bool:
        """Whether it can work without a download. Blocks."""
        return _installed() and self._here()

    async def close(self) -> None:
        """It keeps nothing open."""

    def check(self, key: str | None = None) -> None:
        """Raises engine_unavailable."""
        if not _installed():
            raise DubError(ENGINE_UNAVAILABLE, "Telling speech from music needs PyTorch, which is not installed.")

    def charge(self, length_s: float) -> Charge | None:
        """Nothing."""
        return None

    def fingerprint(self) -> str:
        """The model, by what is in its files; before the download, by what will be. Blocks: reads them once."""
        if not self._here():
            return f"{self.name} {' '.join(self._files.values())}"
        stamps = tuple((path.stat().st_size, path.stat().st_mtime_ns) for path in self._paths())
        if self._known is None or self._known[0] != stamps:
            hashed = [hash_file(path, path.stat().st_size, threading.Event()) for path in self._paths()]
            self._known = stamps, " ".join(each.hexdigest() for each in hashed)
        return f"{self.name} {self._known[1]}"

    async def fetch(self, on_progress: Callable[[str], None]) -> Path:
        """What `app.separation.loading` takes; downloads it if need be. Raises engine_unavailable, model_download,
        model_damaged, disk_full."""
        self.check()
        if not await asyncio.to_thread(self._here):
            await asyncio.to_thread(self._folder.mkdir, parents=True, exist_ok=True)
            part = self._store.folder / f"{self._archive.file}.part"

            def told(done_bytes: int, total_bytes: int) -> None:
                size = f"{done_bytes / 1e6:.0f} of {max(total_bytes, done_bytes) / 1e6:.0f} MB"
                on_progress(f"separation model: {size} (licence {self.licence})")

            async with alone(self._folder / ".lock", lambda: told(file_size(part), self._archive.size_bytes)):
                if not await asyncio.to_thread(self._here):
                    await self._download(told)
        return self._folder / "model"

    async def _download(self, told: Callable[[int, int], None]) -> None:
        file = ModelFile(
            self._archive.file, self._url or self._archive.url, self._archive.sha256, self._archive.size_bytes
        )
        archive = await self._store.fetch(file, told)
        async with self._store.reserve(_UNPACKED_BYTES, self._folder):
            await asyncio.to_thread(self._unpack, archive)

    def _unpack(self, archive: Path) -> None:
        """The files that are wanted, each checked; then the archive is not needed any more."""
        try:
            with tarfile.open(archive) as tar:
                members = {PurePosixPath(member.name).name: member for member in tar if member.isfile()}
                for name, sha256 in self._files.items():
                    self._unpack_one(tar, members.get(name), name, sha256)
        except (tarfile.TarError, EOFError) as error:
            raise DubError(MODEL_DAMAGED, f"{archive.name} cannot be unpacked: {error}.") from error
        except OSError as error:
            raise said(error) from error
        archive.unlink(missing_ok=True)
        archive.with_name(f".{archive.name}.checked").unlink(missing_ok=True)

    def _unpack_one(self, tar: tarfile.TarFile, member: tarfile.TarInfo | None, name: str, sha256: str) -> None:
        packed = tar.extractfile(member) if member is not None else None
        if packed is None:
            raise DubError(MODEL_DAMAGED, f"{name} is not in {self._archive.file}.")
        digest = hashlib.sha256()
        with replacing(self._folder / name, durable=Durable.NAME) as path:
            with packed, path.open("wb") as out:
                while block := packed.read(_BLOCK_BYTES):
                    digest.update(block)
                    out.write(block)
            if digest.hexdigest() != sha256:
                raise DubError(MODEL_DAMAGED, f"{name} of {self._archive.file} is another file.")

    def _paths(self) -> list[Path]:
        return [self._folder / name for name in self._files]

    def _here(self) -> bool:
        return all(path.is_file() for path in self._paths())


def _installed() -> bool:
    return importlib.util.find_spec("torch") is not None
