"""Whisper's checkpoints: known models, and files in the models folder. `app.speech.model_files` downloads them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from app.domain.errors import DubError
from app.domain.problems.recognition import MODEL_UNKNOWN
from app.speech.model_files import ModelFile, ModelFiles
from app.speech.ports import ModelInfo, Reserve
from app.speech.whisper import languages

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


class ModelStore:
    """The models folder. `url` may be a mirror's, with {sha256} and {file} in it; empty means OpenAI's.

    `default` is the operator's choice and may be the path of a checkpoint. `paths`: any file may be named, as on the
    command line.
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
        self._store = ModelFiles(folder, stall_s=stall_s, reserve=reserve)
        self.reserve = self._store.reserve
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
        """The model's file, whole and checked; downloads it if need be, see `ModelFiles.fetch`. Raises model_unknown,
        too."""
        found = await asyncio.to_thread(self.find, model)
        if isinstance(found, Path):
            return found
        url = self._url.replace("{sha256}", found.sha256).replace("{file}", found.file)
        return await self._store.fetch(ModelFile(found.file, url, found.sha256, found.size_bytes), on_progress)
