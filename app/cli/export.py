"""`autodubber export`: writes jobs with their history and files into one archive, with or without a running server."""

from __future__ import annotations

import argparse
import contextlib
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from app import __version__
from app.cli.failures import failed
from app.domain.errors import DubError
from app.domain.problems.uploads import DISK_FULL
from app.observability import logs
from app.system.console import say, say_json
from app.system.disk_full import is_disk_full
from app.system.durable_files import Durable, writing
from app.system.exit_status import OK, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from app.config.settings import Settings
    from app.storage.disk_floors import Reservation


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Returns the exit status. Raises UsageError when the data folder is empty, or the archive's folder does not
    exist."""
    if not (settings.data / "app.sqlite3").is_file():
        raise UsageError(f"there is no AutoDubber data in {settings.data}; name the folder: --data DIR")
    target: Path = arguments.output.absolute()
    if not target.parent.is_dir() or target.is_dir():
        raise UsageError(f"{arguments.output} cannot be written: name a file in a folder that exists")
    from app.archive import export
    from app.storage.blobs import FolderBlobs
    from app.storage.database import migrate, open_database
    from app.storage.disk_floors import Disks

    logs.configure("warning", settings.log_format)
    database = open_database(settings.database_url)
    try:
        migrate(database)
        blobs = FolderBlobs(settings.blobs)
        jobs = export.titles(database, arguments.jobs)
        wanted, free = export.size_bytes(database, blobs, jobs), shutil.disk_usage(target.parent).free
        if wanted > free:
            raise DubError(DISK_FULL, f"{wanted >> 20} MB are wanted in {target.parent}, {free >> 20} MB are free.")
        disks = Disks.of(settings.data, settings.min_free_bytes)
        own = disks.at(target.parent) is disks.at(settings.data)
        with disks.reserve(wanted, target.parent) if own else contextlib.nullcontext() as room:
            written = _write(target, room, export.archive(database, blobs, jobs, __version__))
    except DubError as error:
        return failed(error, as_json=arguments.json)
    finally:
        database.dispose()
    if arguments.json:
        say_json({"ok": True, "output": str(target), "bytes": written, "jobs": [job.id for job in jobs]})
    else:
        say(f"{len(jobs)} jobs, {written / 1e6:.1f} MB: {target}")
    return OK


def _write(target: Path, room: Reservation | None, blocks: Iterator[bytes]) -> int:
    """Write the archive. It appears under its name only when it is complete."""
    written = 0
    try:
        with writing(target, durable=Durable.NAME) as file:  # only the owner may read it: it holds people's words
            for block in blocks:
                with room.writing(len(block)) if room else contextlib.nullcontext(lambda _: None) as landed:
                    file.write(block)
                    file.flush()
                    landed(len(block))
                written += len(block)
    except OSError as error:
        if is_disk_full(error):
            raise DubError(DISK_FULL, str(target.parent)) from error
        say(f"autodubber: {target}: {error.strerror}", to=sys.stderr)
        raise
    return written
