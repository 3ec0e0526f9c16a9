"""The key that secrets are encrypted with: a file beside the database, written whole or not at all, readable by the
owner only."""

from __future__ import annotations

import base64
import binascii
import contextlib
import os
import sqlite3
from pathlib import Path

from app.system.durable_files import Durable, create


class SecretKeyUnusable(Exception):
    """The file cannot be used; the message is one line that says what to do."""


def read(path: Path) -> bytes | None:
    """The key; None when there is no file. Raises Unusable for a file that is empty, short, or not a key."""
    try:
        key = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SecretKeyUnusable(
            f"{path} cannot be read: {error.strerror}; make it readable for user {os.getuid()}"
        ) from None
    with contextlib.suppress(binascii.Error, ValueError):
        if len(key.strip()) == 44 and len(base64.b64decode(key.strip(), altchars=b"-_", validate=True)) == 32:
            return key.strip()
    what = "is empty" if not key else f"is not a key of AutoDubber ({len(key)} bytes; one has 44)"
    raise SecretKeyUnusable(f"{path} {what}; {_way_out()}")


def read_or_make(path: Path) -> tuple[bytes, bool]:
    """The key, and whether it was made now: then it is on disk, complete, under its name. Raises Unusable."""
    if (known := read(path)) is not None:
        return known, False
    key = base64.urlsafe_b64encode(os.urandom(32))
    if not create(path, key, durable=Durable.NAME):  # another process was faster
        return read_or_make(path)
    return key, True


def check(path: Path, database: Path) -> None:
    """Before a server starts. Raises Unusable for a file that is no key, and for one that opens none of the secrets
    that are stored."""
    key = read(path)
    if key is None:
        return
    stored = _stored(database)
    if stored and not any(_opens(key, value) for value in stored):
        raise SecretKeyUnusable(
            f"{path} is another key than the one that the stored API keys were encrypted with; {_way_out()}"
        )


def _way_out() -> str:
    return (
        "put back the file that belongs to this data folder (a backup has it), or delete it: then the stored API "
        "keys are forgotten"
    )


def _stored(database: Path) -> list[bytes]:
    """Some of the secrets in the database; none where it cannot be read: the server says why."""
    if not database.is_file() or not database.stat().st_size:
        return []
    try:
        with contextlib.closing(
            sqlite3.connect(f"{database.absolute().as_uri()}?mode=rw", uri=True, timeout=5)
        ) as connection:
            return [bytes(value) for (value,) in connection.execute("SELECT value FROM settings LIMIT 100")]
    except sqlite3.Error:
        return []


def _opens(key: bytes, value: bytes) -> bool:
    from cryptography.fernet import Fernet, InvalidToken

    try:
        Fernet(key).decrypt(value)
    except InvalidToken:
        return False
    return True
