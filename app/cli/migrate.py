"""`autodubber migrate`: upgrades the database to this version, after copying it. Cheap when there is nothing to do: it
runs at every start."""

from __future__ import annotations

import argparse
import sqlite3
import sys

from app.config.settings import Settings
from app.storage.revision import HEAD, NewerDatabase, revision
from app.system.console import say, say_json
from app.system.exit_status import ENVIRONMENT, INTERNAL, OK


def run(arguments: argparse.Namespace, settings: Settings) -> int:
    """Print on stdout that there is nothing to do, on stderr what was done or why it failed."""
    path = settings.data / "app.sqlite3"
    try:
        found = revision(path)
    except NewerDatabase as error:
        return _refuse(str(error), ENVIRONMENT)
    except sqlite3.Error as error:
        return _refuse(f"{path} cannot be read: {error}", INTERNAL)
    if found in ("", HEAD):  # the server creates a new database
        return _tell(arguments, found, done=False)
    return _migrate(arguments, settings, found)


def _migrate(arguments: argparse.Namespace, settings: Settings, found: str) -> int:
    from app.storage.database import migrate, open_database
    from app.system import data_lock

    try:
        data_lock.claim(settings.data)
    except data_lock.InUse as error:
        return _refuse(f"{error}; stop it first", ENVIRONMENT)
    database = open_database(settings.database_url)
    try:
        migrate(database)
    except OSError as error:
        return _refuse(
            f"the copy of the database into {settings.backups} failed, nothing was changed: {error.strerror}",
            ENVIRONMENT,
        )
    finally:
        database.dispose()
    return _tell(arguments, found, done=True)


def _tell(arguments: argparse.Namespace, found: str, *, done: bool) -> int:
    if arguments.json:
        say_json({"migrated": done, "from": found, "to": HEAD})
    elif done:
        say(
            f"autodubber: the database was brought from schema {found} to {HEAD}; backups/ has a copy from before",
            to=sys.stderr,
        )
    else:
        say(f"The database has schema {found}." if found else "There is no database yet.")
    return OK


def _refuse(reason: str, status: int) -> int:
    say(f"autodubber: {reason}", to=sys.stderr)
    return status
