"""Arguments of the operator's commands: backup, restore, export, import, clean, migrate. Each is a module of
`app.cli`."""

from __future__ import annotations

import argparse
import importlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.system import file_modes

if TYPE_CHECKING:
    from app.config.settings import Settings

REPOSITORY: Final = "DIR|s3://BUCKET/PREFIX"


def add(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    with_data: Callable[[argparse.ArgumentParser], None],
    load_settings: Callable[[argparse.Namespace], Settings],
) -> None:
    """Add the operator's commands; `with_data` adds the argument --data."""

    def command(name: str, help: str) -> argparse.ArgumentParser:
        made = commands.add_parser(name, help=help)
        made.set_defaults(run=_runner(name, load_settings))
        with_data(made)
        return made

    backup = command("backup", "back everything up; the server may run")
    backup.add_argument(
        "--to",
        metavar=REPOSITORY,
        help="backup repository (default: AUTODUBBER_BACKUP_TO, or the data folder's backups/)",
    )
    _json(backup)

    backups = command("backups", "list the backups of a repository")
    _from(backups)
    _json(backups)

    verify = command("verify", "read a backup, or all, and compare every byte with its hash")
    _from(verify)
    verify.add_argument("--snapshot", metavar="ID", help="read only this backup (default: all)")
    _json(verify)

    restore = command("restore", "restore a backup into the data folder of a stopped server")
    _from(restore)
    restore.add_argument("--snapshot", metavar="ID", help="the backup to restore (default: the newest)")
    restore.add_argument(
        "--replace",
        action="store_true",
        help="use a data folder that is not empty: existing files are moved aside, not deleted",
    )
    restore.add_argument("--skip-damaged", action="store_true", help="leave out damaged files instead of stopping")
    _json(restore)

    export = command("export", "write jobs with their history and files into one archive")
    export.add_argument("jobs", nargs="*", metavar="JOB", help="ids of jobs (default: all)")
    export.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help="the archive to write (.tar)")
    _json(export)

    take = command("import", "import jobs from an archive")
    take.add_argument("archive", type=Path, metavar="FILE", help="an archive that `autodubber export` wrote")
    _json(take)

    clean = command("clean", "delete what the settings no longer keep")
    clean.add_argument("--dry-run", action="store_true", help="only say what would be deleted")
    _json(clean)

    links = command("links", "the downloader of links: its version, or a newer one")
    links.add_argument("action", choices=("status", "update"), help="what it is, or fetch the newest yt-dlp")
    _json(links)

    migrate = command("migrate", "bring the database to this version, after a copy of it")
    _json(migrate)


def _from(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--from",
        dest="source",
        metavar=REPOSITORY,
        help="backup repository (default: AUTODUBBER_BACKUP_TO, or the data folder's backups/)",
    )


def _json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print one JSON object on standard output")


def _runner(name: str, load_settings: Callable[[argparse.Namespace], Settings]) -> Callable[[argparse.Namespace], int]:
    def run(arguments: argparse.Namespace) -> int:
        settings = load_settings(arguments)
        file_modes.private(settings.data)
        module = importlib.import_module(f"app.cli.{_MODULES.get(name, name)}")
        return int(module.run(arguments, settings))

    return run


_MODULES: Final = {"backups": "list_backups", "import": "import_jobs"}
