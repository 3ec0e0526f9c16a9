"""`autodubber clean`: deletes what retention no longer keeps, with or without a running server."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

import msgspec

from app.observability import logs
from app.system.console import say, say_json
from app.system.exit_status import OK, UsageError

if TYPE_CHECKING:
    from app.config.settings import Settings
    from app.retention.usage import CleanReport

_REASONS = {"age": "older than is kept", "size": "more than is kept", "unused": "needed by nothing"}


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Returns the exit status. Raises UsageError when the data folder is empty."""
    if not (settings.data / "app.sqlite3").is_file():
        raise UsageError(f"there is no AutoDubber data in {settings.data}; name the folder: --data DIR")
    from app.config.retention_rules import rules_of
    from app.retention.cleaner import Cleaner
    from app.retention.usage import StorageUsage
    from app.storage.blobs import FolderBlobs
    from app.storage.database import migrate, open_database
    from app.storage.disk_floor import Floor

    logs.configure("info" if not arguments.dry_run else "warning", settings.log_format)
    database = open_database(settings.database_url)
    try:
        migrate(database)
        blobs = FolderBlobs(settings.blobs)
        cleaner = Cleaner(database=database, blobs=blobs, data=settings.data, rules=rules_of(settings))
        floor = Floor(blobs.free_bytes, settings.min_free_bytes)
        usage = StorageUsage(data=settings.data, database=database, blobs=blobs, cleaner=cleaner, floor=floor)
        report = usage.clean(dry_run=arguments.dry_run)
    finally:
        database.dispose()
    if arguments.json:
        say_json({"ok": True, **msgspec.to_builtins(report)})
    else:
        _show(report)
    return OK


def _show(report: CleanReport) -> None:
    for deletion in report.deletions:
        whose = deletion.title or f"{len(deletion.names)} files"
        reason, jobs = _REASONS[deletion.why.value], " ".join(deletion.job_ids)
        say(f"{deletion.kind.value:8} {deletion.bytes / 1e6:10.1f} MB  {reason:19} {whose}  {jobs}".rstrip())
    if (more := report.count - len(report.deletions)) > 0:
        say(f"... and {more} more")
    verb = "would be deleted" if report.dry_run else "deleted"
    say(
        f"{report.count} {verb}, {report.bytes / 1e6:.1f} MB"
        + (f"; {report.skipped} were in use by then" if report.skipped else "")
    )
