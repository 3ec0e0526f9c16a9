"""`autodubber restore`: restores a backup into the data folder. A server that uses it must be stopped first."""

from __future__ import annotations

import argparse
import os
import signal
import sys
from typing import Any

import msgspec

from app.backup.repository import open_repository
from app.backup.restoring import Restored, restore
from app.cli import backup_place
from app.cli.failures import failed
from app.config.settings import Settings
from app.domain.errors import DubError
from app.domain.problems.backups import DATA_IN_USE
from app.system import data_lock
from app.system.console import say, say_json
from app.system.exit_status import INTERRUPTED, OK


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Returns the exit status."""
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        done = _restore(arguments, settings)
    except DubError as error:
        return failed(error, as_json=arguments.json)
    except KeyboardInterrupt:
        say("autodubber: interrupted; the data folder is as it was, and the next restore goes on", to=sys.stderr)
        return INTERRUPTED
    for path in done.left_out:
        say(f"autodubber: {path} is damaged and was left out", to=sys.stderr)
    if arguments.json:
        say_json(msgspec.to_builtins(done) | {"ok": True})
        return OK
    say(
        f"{done.snapshot}  {done.jobs} jobs, {done.files} files, {backup_place.size(done.bytes)} in "
        f"{done.seconds:.1f} s, into {settings.data}"
    )
    if done.aside:
        say(f"what was there is in {done.aside}; delete it when all is well")
    return OK


def _restore(arguments: argparse.Namespace, settings: Settings) -> Restored:
    try:
        data_lock.claim(settings.data)
    except data_lock.InUse as error:
        raise DubError(DATA_IN_USE, f"{error}.") from None
    if os.geteuid() == 0:  # for docker exec as root: the server, which is not root, must be able to open the lock file
        owner = settings.data.stat()
        os.chown(settings.data / ".lock", owner.st_uid, owner.st_gid)
    place = backup_place.place(settings, arguments.source)
    with place.lock(alone=False):
        repository = open_repository(place, settings.backup_password)
        snapshot = repository.snapshot(arguments.snapshot) if arguments.snapshot else repository.newest()
        return restore(
            repository,
            snapshot,
            settings.data,
            replace=arguments.replace,
            skip_damaged=arguments.skip_damaged,
            report=backup_place.progress("restoring"),
        )


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt
