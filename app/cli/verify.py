"""`autodubber verify`: reads every byte of backups and compares hashes. The exit status says whether they are
intact."""

from __future__ import annotations

import argparse
import sys

import msgspec

from app.backup.repository import open_repository
from app.backup.verifying import verify
from app.cli import backup_place
from app.cli.failures import failed
from app.config.settings import Settings
from app.domain.errors import DubError
from app.domain.problems.backups import BACKUP_NOT_FOUND
from app.system.console import say, say_json
from app.system.exit_status import ENVIRONMENT, OK


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Returns the exit status: 0 when every backup is intact, 5 when one is damaged or the repository cannot be
    read."""
    try:
        place = backup_place.place(settings, arguments.source)
        with place.lock(alone=False):
            repository = open_repository(place, settings.backup_password)
            ids = repository.ids()
            if arguments.snapshot is not None:
                if arguments.snapshot not in ids:
                    raise DubError(BACKUP_NOT_FOUND, f"{arguments.snapshot} is not in {place.where}.")
                ids = [arguments.snapshot]
            if not ids:
                raise DubError(BACKUP_NOT_FOUND, f"There is none in {place.where}.")
            work = settings.data if settings.data.is_dir() else None
            checked = verify(repository, ids, work, backup_place.progress("verifying"))
    except DubError as error:
        return failed(error, as_json=arguments.json)
    whole = all(each.whole for each in checked)
    if arguments.json:
        told = [msgspec.to_builtins(each) | {"whole": each.whole} for each in checked]
        say_json({"ok": whole, "place": place.where, "snapshots": told})
        return OK if whole else ENVIRONMENT
    for each in checked:
        said = "whole" if each.whole else f"DAMAGED: {len(each.damage)} files"
        say(f"{each.id}  {each.files} files, {backup_place.size(each.bytes)}: {said}")
        for missing in each.missing:
            say(f"  {missing.path}: had gone before the backup was made; jobs {', '.join(missing.jobs) or 'none'}")
        for damage in each.damage:
            say(f"  {damage.path}: {damage.reason}; jobs {', '.join(damage.jobs) or 'none'}", to=sys.stderr)
    return OK if whole else ENVIRONMENT
