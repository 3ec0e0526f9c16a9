"""`autodubber backup`: backs up the data folder while the server runs, then deletes old backups as the settings say."""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import os
import platform
import signal
import sys
import time
from typing import Any, Final

import msgspec

from app import __version__
from app.backup import last_backup, pruning
from app.backup.backend import Backend, Check
from app.backup.manifest import APP_DATABASE, Snapshot
from app.backup.pruning import DAY_S, Pruned
from app.backup.repository import HEADER, Repository, open_or_make
from app.backup.snapshot import back_up
from app.cli import backup_place
from app.cli.failures import failed
from app.config.settings import Settings
from app.domain.errors import DubError
from app.domain.problems.backups import BACKUP_NOT_FOUND, BACKUP_PLACE
from app.system import data_lock
from app.system.console import say, say_json
from app.system.exit_status import INTERRUPTED, OK, UsageError

_NICE: Final = 10
_IOPRIO_SET: Final = {"x86_64": 251, "aarch64": 30}
_LOWEST: Final = (2 << 13) | 7  # best effort, the lowest of its eight levels: slow, but never starved


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Returns the exit status."""
    if not (settings.data / APP_DATABASE).exists():
        raise UsageError(
            f"{settings.data} has no {APP_DATABASE}: it is not the data folder, or no server was ever started on it"
        )
    to = backup_place.where(settings, arguments.to)
    # a backup to another place, made by hand, does not replace the scheduled one
    counts = not settings.backup_to or to == backup_place.where(settings, None)
    if data_lock.owner(settings.data) is not None:
        give_way()
    signal.signal(signal.SIGTERM, _interrupt)
    started = time.monotonic()
    try:
        snapshot, pruned, trouble, encrypted = _back_up(arguments.to, settings)
    except DubError as error:
        if counts:
            last_backup.write(
                settings.data,
                last_backup.failure(settings.data, to, error.message, round(time.monotonic() - started, 3)),
            )
        return failed(error, as_json=arguments.json)
    except KeyboardInterrupt:
        say("autodubber: interrupted; what is stored stays for the next backup", to=sys.stderr)
        return INTERRUPTED
    if counts:
        now = time.time()
        record = last_backup.Record(
            at=now,
            to=to,
            snapshot=snapshot.id,
            bytes=snapshot.bytes,
            new_bytes=snapshot.new_bytes,
            seconds=snapshot.seconds,
            missing=len(snapshot.missing),
            ok=True,
            error=trouble,
            good_at=now,
        )
        last_backup.write(settings.data, record)
    for missing in snapshot.missing:
        say(
            (
                f"autodubber: {missing.path} could not be read; it is not in the backup (jobs: "
                f"{', '.join(missing.jobs) or 'none'})"
            ),
            to=sys.stderr,
        )
    if trouble:
        say(f"autodubber: the backup is good, but old ones were not deleted: {trouble}", to=sys.stderr)
    if arguments.json:
        told = msgspec.to_builtins(snapshot) | {
            "ok": True,
            "to": to,
            "encrypted": encrypted,
            "pruned": msgspec.to_builtins(pruned),
        }
        say_json(told)
    else:
        size = f"{snapshot.files} files, {backup_place.size(snapshot.bytes)}"
        say(
            f"{snapshot.id}  {size}, {backup_place.size(snapshot.new_bytes)} of them new, {snapshot.seconds:.1f} s, "
            f"in {to}"
        )
    return OK


def _back_up(named: str | None, settings: Settings) -> tuple[Snapshot, Pruned | None, str, bool]:
    """The snapshot, what was deleted afterwards, why nothing was deleted ("" when all went well), and whether it is
    encrypted."""
    place = backup_place.place(settings, named)
    if named is None:
        _check_there(place, settings)
    place.prepare()
    with place.lock(alone=True) as check:
        repository = open_or_make(place, settings.backup_password)
        snapshot = back_up(
            settings.data, repository, check, app_version=__version__, report=backup_place.progress("backing up")
        )
        try:
            return snapshot, _prune(repository, check, settings), "", repository.encrypted
        except DubError as error:
            return snapshot, None, error.message, repository.encrypted


def _check_there(place: Backend, settings: Settings) -> None:
    """Refuse to start a new repository where a scheduled backup succeeded before: the disk is probably not mounted."""
    record = last_backup.known(settings.data)
    if record is None or record.to != place.where or record.good_at is None:
        return
    try:
        next(place.get(HEADER))
    except DubError as error:
        if error.problem is not BACKUP_NOT_FOUND:
            raise
        there = (
            f"{place.where} had a good backup on {backup_place.at(record.good_at)}, and has none now; is the "
            f"disk mounted?"
        )
        raise DubError(
            BACKUP_PLACE, f"{there} To begin anew there, run autodubber backup --to {place.where} once."
        ) from None


def _prune(repository: Repository, check: Check, settings: Settings) -> Pruned:
    keep_s = settings.keep_backups_days * DAY_S
    return pruning.prune(repository, check, keep_s=keep_s, max_bytes=settings.max_backups_bytes, now=time.time())


def give_way() -> None:
    """Lower this process's priority for processor and disk, below the server and its jobs."""
    os.nice(max(0, _NICE - os.nice(0)))
    if (number := _IOPRIO_SET.get(platform.machine())) and sys.platform == "linux":
        with contextlib.suppress(AttributeError):  # a C library without syscall()
            ctypes.CDLL(None, use_errno=True).syscall(number, 1, 0, _LOWEST)


def _interrupt(*_: Any) -> None:
    raise KeyboardInterrupt
