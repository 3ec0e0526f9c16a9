"""`autodubber import`: imports the jobs of an archive into this data folder, with or without a running server."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from app.cli.failures import failed
from app.domain.errors import DubError
from app.observability import logs
from app.system.console import say, say_json
from app.system.exit_status import OK, UsageError

if TYPE_CHECKING:
    from app.archive.importing import Imported
    from app.config.settings import Settings

_WORDS = {
    "taken": "taken in",
    "renamed": "taken in under a new id, as another job has this one",
    "completed": "was here; it has all its files again",
    "skipped": "is here already",
}


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Returns the exit status. Raises UsageError when the archive does not exist."""
    if not arguments.archive.is_file():
        raise UsageError(f"there is no file {arguments.archive}")
    from app.archive.importing import import_archive
    from app.storage.blobs import FolderBlobs
    from app.storage.database import migrate, open_database
    from app.storage.disk_floors import Disks

    logs.configure("warning", settings.log_format)
    settings.data.mkdir(parents=True, exist_ok=True)
    database = open_database(settings.database_url)

    def tell(taken: Imported) -> None:
        if not arguments.json:
            say(f"{taken.job_id}  {taken.title}: {_WORDS[taken.outcome.value]}")

    try:
        migrate(database)
        blobs = FolderBlobs(settings.blobs)
        disks, staging = Disks.of(settings.data, settings.min_free_bytes), settings.data / "imports"
        floors = disks.at(staging), disks.at(settings.blobs)
        jobs = import_archive(
            arguments.archive, engine=database, blobs=blobs, staging=staging, floors=floors, on_job=tell
        )
    except DubError as error:
        return failed(error, as_json=arguments.json)
    finally:
        database.dispose()
    if arguments.json:
        say_json({"ok": True, "jobs": jobs})
    return OK
