"""`autodubber backups`: lists the backups."""

from __future__ import annotations

import argparse
import sys
from typing import Any

import msgspec

from app.backup.manifest import Snapshot
from app.backup.repository import open_repository
from app.cli import backup_place
from app.cli.failures import failed
from app.config.settings import Settings
from app.domain.errors import DubError
from app.domain.problems.backups import BACKUP_DAMAGED, BACKUP_NEWER
from app.system.console import say, say_json
from app.system.exit_status import OK


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Returns the exit status. A backup that cannot be read is listed with the reason."""
    try:
        repository = open_repository(backup_place.place(settings, arguments.source), settings.backup_password)
        found: list[Snapshot] = []
        bad: dict[str, str] = {}
        for snapshot_id in repository.ids():
            try:
                found.append(repository.snapshot(snapshot_id))
            except DubError as error:
                if error.problem not in (BACKUP_DAMAGED, BACKUP_NEWER):
                    raise
                bad[snapshot_id] = error.message
        stored_bytes = sum(entry.size_bytes for entry in repository.objects())
    except DubError as error:
        return failed(error, as_json=arguments.json)
    if arguments.json:
        told: dict[str, Any] = {
            "ok": True,
            "place": repository.place.where,
            "encrypted": repository.encrypted,
            "stored_bytes": stored_bytes,
        }
        told |= {"snapshots": [_public(snapshot) for snapshot in found], "unreadable": bad}
        say_json(told)
        return OK
    say(f"{'id':<27}{'time':<25}{'jobs':>6}{'files':>9}{'size':>11}{'new':>11}  version")
    for snapshot in found:
        line = f"{snapshot.id:<27}{backup_place.at(snapshot.created_at):<25}{snapshot.jobs:>6}{snapshot.files:>9}"
        missing = f"  {len(snapshot.missing)} files missing" if snapshot.missing else ""
        say(
            f"{line}{backup_place.size(snapshot.bytes):>11}{backup_place.size(snapshot.new_bytes):>11}  "
            f"{snapshot.app_version}{missing}"
        )
    for snapshot_id, reason in bad.items():
        say(f"{snapshot_id}  {reason}", to=sys.stderr)
    sealed = "encrypted" if repository.encrypted else "not encrypted"
    say(f"{repository.place.where}: {backup_place.size(stored_bytes)}, {sealed}")
    return OK


def _public(snapshot: Snapshot) -> dict[str, Any]:
    told: dict[str, Any] = msgspec.to_builtins(snapshot)
    del told["listing"]
    return told
