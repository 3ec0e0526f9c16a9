"""What every stage needs: stores, engines and limits."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
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


class Kit(msgspec.Struct, frozen=True):
    """The stores, the engines and the limits. `cache` holds what may be deleted at any time and only costs time; of `disks` room is asked before
    anything large is written."""

    blobs: BlobStore
    workspace: Workspace
    cache: Path
    engines: Registry
    threads: int
    limits: Limits
    max_duration_s: float
    disks: Disks = msgspec.field(default_factory=lambda: Disks(0))


def fingerprint(*parts: Any, version: int = PIPELINE_VERSION) -> str:
    """The hash of JSON-able inputs: equal inputs, equal name."""
    return hashlib.sha256(msgspec.json.encode([version, *parts], order="deterministic", enc_hook=str)).hexdigest()


def fraction_only(report: Report) -> Callable[[float], None]:
    """A report callback without texts."""
    return lambda fraction: report(fraction, "")
