"""Loads a separation model by its engine's name. Runs in a child process: a model takes hundreds of megabytes."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Final, cast

from app.domain.errors import DubError
from app.domain.problems.recognition import MODEL_DAMAGED
from app.separation.ports import Separator

# the engine's name -> module and class, which takes the model's path and a number of threads
_MODELS: Final = {"spleeter": ("app.separation.spleeter.network", "Spleeter")}


class DamagedModel(ValueError):
    """The files are no model of this kind, or not whole; the message says where."""


def load(engine: str, path: Path, threads: int) -> Separator:
    """The model of that engine. Raises model_damaged."""
    module, name = _MODELS[engine]
    try:
        return cast(Separator, getattr(importlib.import_module(module), name)(path, threads))
    except (DamagedModel, FileNotFoundError) as error:
        raise DubError(MODEL_DAMAGED, f"The separation model: {error}.") from error
