"""Shared by the backup commands: where the repository is, and progress."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from app.backup.backend import BUCKET, Backend, FolderBackend, address_of
from app.config.settings import Settings
from app.storage.disk_floors import Disks
from app.system.exit_status import UsageError

_STATE: Final = ("blobs", "uploads", "scratch", "cache", "cli", "models")
_EVERY_S: Final = 0.5


def where(settings: Settings, named: str | None) -> str:
    """The address of the repository: the argument, else the setting, else `backups` in the data folder."""
    return address_of(named or settings.backup_to or str(settings.backups))


def place(settings: Settings, named: str | None) -> Backend:
    """The backend. Raises UsageError for a wrong address, backup_place when keys are missing."""
    chosen = where(settings, named)
    if not chosen.startswith(BUCKET):
        if "://" in (named or settings.backup_to):
            raise UsageError("backups go into a folder or to s3://BUCKET/PREFIX")
        folder = Path(chosen)
        if folder == settings.data or any((settings.data / name) in (folder, *folder.parents) for name in _STATE):
            raise UsageError(f"{folder} is where AutoDubber keeps other things; choose another folder for backups")
        disks = Disks.of(settings.data, settings.min_free_bytes)
        floor = disks.at(settings.data)
        return FolderBackend(folder, floor if disks.at(folder) is floor else None)
    bucket, _, prefix = chosen.removeprefix(BUCKET).partition("/")
    if not bucket or "@" in bucket or ":" in bucket:
        raise UsageError(
            "an S3 place looks like s3://BUCKET/PREFIX; keys are set as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
        )
    from app.backup.s3 import S3, S3Backend

    s3 = S3(
        access_key=settings.s3_access_key,
        secret_key=settings.s3_secret_key,
        region=settings.s3_region,
        endpoint=settings.s3_endpoint,
    )
    return S3Backend(bucket, prefix.strip("/"), s3)


def progress(doing: str) -> Callable[[int, int], None]:
    """Show files and bytes on a terminal; print nothing elsewhere."""
    if not sys.stderr.isatty():
        return lambda count, size_bytes: None
    started = shown = time.monotonic()

    def report(count: int, size_bytes: int) -> None:
        nonlocal shown
        now = time.monotonic()
        if now - shown >= _EVERY_S:
            shown = now
            speed = size_bytes / (now - started) / 1e6
            # overwrites the previous line
            sys.stderr.write(f"\r{doing}: {count} files, {size(size_bytes)}, {speed:.0f} MB/s ")
            sys.stderr.flush()

    return report


def size(size_bytes: float) -> str:
    """A number of bytes as text."""
    for unit in ("B", "kB", "MB", "GB"):
        if size_bytes < 1000:
            return f"{size_bytes:.0f} {unit}" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} TB"


def at(seconds: float) -> str:
    """A time as text, in UTC."""
    return time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(seconds))
