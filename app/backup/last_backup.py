"""DATA/backup.json: the record of the last backup, good or not. This module alone reads and writes it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Final

import msgspec

from app.domain.json_decoding import Malformed, decoded
from app.system import durable_files
from app.system.durable_files import Durable

_RECORD: Final = "backup.json"


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """The last backup. `at` and `good_at` are seconds since 1970; `bytes` is what the backup holds, `new_bytes` what it
    added; `missing` counts files that were gone; `error` is empty when all went well. `good_at` is None as long as none
    was good.
    """

    at: float
    to: str = ""
    snapshot: str | None = ""
    bytes: int = 0
    new_bytes: int = 0
    seconds: float = 0.0
    missing: int = 0
    ok: bool = False
    error: str | None = ""
    good_at: float | None = None


class Unreadable(Exception):
    """The record is damaged, or the disk does not give it; the message is one line."""


def read(data: Path) -> Record | None:
    """The record in the data folder; None before the first backup. Raises Unreadable."""
    try:
        return decoded((data / _RECORD).read_bytes(), Record)
    except FileNotFoundError:
        return None
    except (OSError, Malformed) as error:
        raise Unreadable(str(error)) from error


def known(data: Path) -> Record | None:
    """As `read`; None for a record that cannot be read: then nothing is known of earlier backups."""
    try:
        return read(data)
    except Unreadable:
        return None


def failure(data: Path, to: str, error: str, seconds: float) -> Record:
    """The record of a backup that failed; it keeps when the last good one was."""
    before = known(data)
    good_at = before.good_at if before and before.to == to else None
    return Record(at=time.time(), to=to, seconds=seconds, error=error, good_at=good_at)


def write(data: Path, record: Record) -> None:
    """Keep it; with the owner of the data folder, when root does."""
    text = msgspec.json.format(msgspec.json.encode(record), indent=1)
    durable_files.write(data / _RECORD, text, durable=Durable.CONTENT, owner_of=data)
