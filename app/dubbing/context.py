"""What every stage needs: stores, engines and limits."""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable
from pathlib import Path
from typing import Any, Final

import msgspec

from app.speech.registry import Registry
from app.storage.blobs import BlobStore
from app.storage.disk_floors import Disks
from app.storage.workspace import Workspace
from app.system.children import Limits

Report = Callable[[float, str], None]  # fraction done (0..1) and a short text for the person, or ""

# Part of every fingerprint: raise it when a stage's output changes for the same inputs.
PIPELINE_VERSION: Final = 2


class Context(msgspec.Struct, frozen=True):
    """The stores, the engines and the limits. `cache` holds what may be deleted at any time and only costs time; of
    `disks` room is asked before anything large is written. `blob_folders` are those that `blobs` writes into: none
    where it keeps them elsewhere. `ahead`: a job without review translates and speaks while it is recognised.
    """

    blobs: BlobStore
    workspace: Workspace
    cache: Path
    engines: Registry
    threads: int
    limits: Limits
    max_duration_s: float
    disks: Disks = msgspec.field(default_factory=lambda: Disks(0))
    blob_folders: tuple[Path, ...] = ()
    ahead: bool = True

    @property
    def lines_go_to(self) -> tuple[Path, ...]:
        """On whose disks there has to be room for spoken lines."""
        return self.blob_folders or (self.workspace.root,)


@contextlib.asynccontextmanager
async def local_copies(blobs: BlobStore, keys: Iterable[str]) -> AsyncIterator[dict[str, Path]]:
    """Paths, by their keys, at which blobs can be read while the block lasts. Raises FileNotFoundError."""
    with contextlib.ExitStack() as stack:
        try:
            yield await asyncio.to_thread(
                lambda: {key: stack.enter_context(blobs.local_copy(key)) for key in dict.fromkeys(keys)}
            )
        finally:
            await asyncio.shield(asyncio.to_thread(stack.close))


def fingerprint(*parts: Any, version: int = PIPELINE_VERSION) -> str:
    """The hash of JSON-able inputs: equal inputs, equal name."""
    return hashlib.sha256(msgspec.json.encode([version, *parts], order="deterministic", enc_hook=str)).hexdigest()


def fraction_only(report: Report) -> Callable[[float], None]:
    """A report callback without texts."""
    return lambda fraction: report(fraction, "")
