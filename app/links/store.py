"""The links on disk: a folder for each in `DATA/links/open`, with its record and what has been downloaded so far.

A record is written whole or not at all, so that a server that was killed goes on with every link. All functions block.
"""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path
from typing import Final

import msgspec

from app.domain.link import Link, LinkState
from app.system.durable_files import Durable, write

_RECORD: Final = "link.json"


class Record(msgspec.Struct, frozen=True):
    """A link with what is told to nobody: its whole address, and the names of the chosen streams."""

    link: Link
    url: str
    formats: str = ""
    looked_at: float = 0.0

    def now(self, **values: object) -> Record:
        """The record, with other values of its link."""
        return msgspec.structs.replace(self, link=msgspec.structs.replace(self.link, **values))


def fresh(link_id: str, site: str) -> Link:
    """A link of which nothing is known yet."""
    return Link(
        id=link_id,
        site=site,
        state=LinkState.WAITING,
        title=site,
        duration_s=None,
        size_bytes=None,
        received_bytes=0,
        bytes_per_s=0.0,
        eta_s=None,
        chapters=0,
        captions=(),
        thumbnail=False,
        upload_id=None,
        caption=None,
        subtitles_upload_id=None,
        error=None,
        created_at=time.time(),
        expires_at=None,
    )


class LinkStore:
    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def scratch(self) -> Path:
        """A folder for a task that belongs to no link."""
        folder = self._folder.parent / "scratch"
        folder.mkdir(mode=0o700, exist_ok=True)
        return folder

    def place(self, link_id: str) -> Path:
        return self._folder / link_id

    def read_all(self) -> list[Record]:
        """Every link, the oldest first. A folder without a record is what a kill left of a new one, and is deleted."""
        found = []
        for folder in sorted(self._folder.iterdir()):
            try:
                found.append(msgspec.json.decode((folder / _RECORD).read_bytes(), type=Record))
            except (OSError, msgspec.DecodeError):
                shutil.rmtree(folder, ignore_errors=True)
        return sorted(found, key=lambda record: record.link.created_at)

    def create(self, record: Record) -> None:
        self.place(record.link.id).mkdir(mode=0o700, exist_ok=True)
        self.write(record)

    def write(self, record: Record) -> None:
        """Nothing is written of a link that has been deleted meanwhile."""
        folder = self.place(record.link.id)
        with self._lock:
            if folder.is_dir():
                write(folder / _RECORD, msgspec.json.encode(record), durable=Durable.CONTENT)

    def clear(self, link_id: str) -> None:
        """Delete what was downloaded of streams; the record stays, and what the page said."""
        for path in self.place(link_id).iterdir():
            if ".media" in path.name or path.name.startswith("joined."):
                path.unlink(missing_ok=True)

    def delete(self, link_id: str) -> None:
        with self._lock:
            shutil.rmtree(self.place(link_id), ignore_errors=True)
