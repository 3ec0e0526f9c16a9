"""The last step of a restore: what the data folder has goes aside, what was restored comes in. By renames only.

Until the restored files are complete nothing is touched. Then a mark is written, and from there on every start of a
server and every restore finishes what a killed one left: first everything old goes aside, then, after a second mark,
everything new comes in. Each half can be repeated. Only the standard library: the server imports this when it starts.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Final

from app.system.durable_files import Durable, sync_folder, write

STAGE: Final = ".restore-"
_NEW: Final = "new"
_READY: Final = "READY"
_CLEARED: Final = "CLEARED"
_DATABASES: Final = ("app.sqlite3", "engine.sqlite3")
_STATE: Final = (
    *(f"{name}{suffix}" for name in _DATABASES for suffix in ("", "-wal", "-shm", "-journal")),
    "secret.key",
    "blobs",
    "uploads",
    "scratch",
    "cache",
    "cli",
)
_PASSING: Final = ("scratch", "cache")  # needed by nobody once the server has stopped


def staging(data: Path, snapshot_id: str) -> Path:
    """The folder that collects a snapshot's files before they replace the old ones."""
    return data / f"{STAGE}{snapshot_id}" / _NEW


def used(data: Path) -> bool:
    """Whether the folder holds files that a restore would replace. Empty folders do not count."""
    files = (data / name for name in _STATE if name not in _PASSING)
    return any(
        path.is_file() or (path.is_dir() and any(inner.is_file() for inner in path.rglob("*"))) for path in files
    )


def ready(data: Path, snapshot_id: str, aside: str) -> None:
    """Record that a snapshot's files are complete, and that the old ones go to the folder `aside`."""
    stage = data / f"{STAGE}{snapshot_id}"
    _mark(stage / _READY, aside)


def finish(data: Path) -> Path | None:
    """Finish a restore after all its files are complete; returns the folder of the old files, None when there is
    nothing to finish."""
    for stage in sorted(data.glob(f"{STAGE}*")):
        if (stage / _READY).exists():
            return _finish(data, stage)
    return None


def _finish(data: Path, stage: Path) -> Path:
    aside = data / (stage / _READY).read_text()
    if not (stage / _CLEARED).exists():
        aside.mkdir(mode=0o700, exist_ok=True)
        for name in _STATE:
            if os.path.lexists(data / name):
                (data / name).rename(aside / name)
        sync_folder(aside)
        sync_folder(data)
        _mark(stage / _CLEARED, "")
    for path in sorted((stage / _NEW).iterdir()):
        path.rename(data / path.name)
    sync_folder(data)
    (stage / _READY).unlink()
    shutil.rmtree(stage)
    return aside


def _mark(path: Path, text: str) -> None:
    write(path, text.encode(), durable=Durable.NAME)
