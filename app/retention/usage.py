"""Measures how much space each kind of file uses and how much is free, for the page and `autodubber clean`. Blocks
briefly."""

from __future__ import annotations

import copy
import shutil
import threading
import time
from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Final

import msgspec
import structlog
from sqlalchemy import Engine, func, select

from app.archive import export
from app.backup.last_backup import Unreadable, read
from app.domain.principal import ANYONE, Principal
from app.domain.retention import Deletion, Rule, Why
from app.retention.cleaner import Cleaned, Cleaner
from app.storage import tables as t
from app.storage.blobs import BlobStore
from app.storage.database import reading
from app.storage.disk_floor import Floor
from app.storage.disk_usage import DiskUsage, FolderUsage
from app.storage.rows import listed_jobs

FRESH_S: Final = 5.0
PATIENCE_S: Final = 0.3
SHOWN: Final = 500  # deletions listed individually; the totals count all
# a scheduled backup is late this long after it was due, or half an interval where that is longer
BACKUP_SLACK_S: Final = 12 * 3600.0
log = structlog.get_logger(__name__)

# What each kind's figure is made of, below the data folder.
_PLACES: Final = {
    "sources": ("blobs/uploads",),
    "clips": ("blobs/clips", "cli/clips"),
    "outputs": ("blobs/artifacts", "cache"),
    "analysis": ("blobs/ingest", "blobs/separated", "cli/separated"),
    "uploads": ("uploads",),
    "models": ("models",),
    "backups": ("backups",),
    "database": ("app.sqlite3", "app.sqlite3-wal", "engine.sqlite3", "engine.sqlite3-wal"),
    "scratch": ("scratch", "imports"),
}


class KindRoom(msgspec.Struct, frozen=True):
    """One kind of what is kept. Besides the kinds of retention: `analysis` (recognition tracks, peaks, thumbnails),
    `uploads` (unfinished), `models`, `database`, `scratch`. `oldest_at` is Unix seconds, None where there is
    nothing."""

    kind: str
    count: int
    bytes: int
    oldest_at: float | None


class Disk(msgspec.Struct, frozen=True):
    """`full`: less than the floor is free, and nothing new is taken."""

    free_bytes: int
    total_bytes: int
    floor_bytes: int
    full: bool


class LastBackup(msgspec.Struct, frozen=True):
    """The last attempt, as DATA/backup.json says. `late`: the next scheduled one is overdue, or this one failed."""

    at: float
    to: str
    snapshot: str
    bytes: int
    seconds: float
    ok: bool
    error: str
    late: bool


class StorageReport(msgspec.Struct, frozen=True):
    """What is kept. `jobs` counts rows; `measured_at` says how fresh the figures of `kinds` are, 0 while the first are
    being read (then there are none: ask again). `backups_on`: backups are scheduled."""

    measured_at: float
    kinds: tuple[KindRoom, ...]
    jobs: int
    disk: Disk
    rules: tuple[Rule, ...]
    backups_on: bool
    last_backup: LastBackup | None


class CleanReport(msgspec.Struct, frozen=True):
    """What was deleted, or would be (`dry_run`): at most 500 one by one, `count` and `bytes` are of all. `skipped`: in
    use by then."""

    dry_run: bool
    count: int
    bytes: int
    skipped: int
    deletions: tuple[Deletion, ...]
    by_reason: dict[Why, int]


class _Figures:
    """What is in the folders of `data`. One thread measures when asked, at most every few seconds; a caller that cannot
    wait gets the last ones."""

    def __init__(self, data: Path) -> None:
        self._data = data
        self._room, self._lock = DiskUsage(), threading.Lock()
        self._measuring: threading.Thread | None = None
        self.changed = False
        self.kinds: tuple[KindRoom, ...] = ()
        self.measured_at = 0.0

    def measure(self) -> None:
        """Start a measurement when the figures are old, and wait briefly for it: many files on a slow disk take
        seconds."""
        if time.time() - self.measured_at < FRESH_S and not self.changed:
            return
        with self._lock:
            if self._measuring is None or not self._measuring.is_alive():
                self.changed = False
                self._measuring = threading.Thread(target=self._read_all, name="storage figures", daemon=True)
                self._measuring.start()
            measuring = self._measuring
        measuring.join(PATIENCE_S)

    def _read_all(self) -> None:
        self.kinds = tuple(self._of(kind, places) for kind, places in _PLACES.items())
        self.measured_at = time.time()

    def _of(self, kind: str, places: Sequence[str]) -> KindRoom:
        total = FolderUsage()
        for place in places:
            total += self._room.of(self._data / place)
        return KindRoom(kind, total.count, total.bytes, total.oldest_at)


class StorageUsage:
    """The report and the cleaning. `principal` is who asks."""

    def __init__(
        self,
        *,
        data: Path,
        database: Engine,
        blobs: BlobStore,
        cleaner: Cleaner,
        floor: Floor,
        version: str = "",
        backups_on: bool = False,
        backup_every_s: float = 0.0,
    ) -> None:
        self._data, self._database, self._blobs, self._cleaner, self._floor = data, database, blobs, cleaner, floor
        self._version, self._backups_on, self._backup_every_s = version, backups_on, backup_every_s
        self._figures = _Figures(data)
        self.principal = ANYONE

    def acting_for(self, principal: Principal) -> StorageUsage:
        """The same for somebody: what is asked of it is asked by them. Nothing is checked yet."""
        bound = copy.copy(self)
        bound.principal = principal
        return bound

    def report(self) -> StorageReport:
        """What is kept now, at most a few seconds old."""
        self._figures.measure()
        usage = shutil.disk_usage(self._data)
        disk = Disk(usage.free, usage.total, self._floor.floor_bytes, usage.free < self._floor.floor_bytes)
        return StorageReport(
            self._figures.measured_at,
            self._figures.kinds,
            self._jobs(),
            disk,
            self._cleaner.rules,
            self._backups_on,
            last_backup(self._data, self._backup_every_s),
        )

    def clean(self, *, dry_run: bool) -> CleanReport:
        """Delete what the rules no longer keep, or say what that would be."""
        planned = self._cleaner.plan()
        if dry_run:
            return _cleaned(Cleaned(planned, 0, sum(deletion.bytes for deletion in planned)), dry_run=True)
        done = self._cleaner.apply(planned)
        self._figures.changed = True
        return _cleaned(done, dry_run=False)

    def _jobs(self) -> int:
        with reading(self._database) as c:
            return int(c.execute(select(func.count()).select_from(t.jobs).where(listed_jobs)).scalar_one())

    def archive(self, job_id: str) -> tuple[str, Generator[bytes]]:
        """A job's title, and its archive block by block. Raises job_not_found."""
        jobs = export.titles(self._database, [job_id])
        return jobs[0].title, export.archive(self._database, self._blobs, jobs, self._version)


def last_backup(data: Path, every_s: float) -> LastBackup | None:
    """The last backup of the data folder; None where none was made, or its record cannot be read (which is logged)."""
    try:
        found = read(data)
    except Unreadable as error:
        log.warning("cannot read what the last backup says", reason=str(error))
        return None
    if found is None:
        return None
    overdue_s = time.time() - found.at - every_s
    late = not found.ok or (every_s > 0 and overdue_s > max(BACKUP_SLACK_S, every_s / 2))
    return LastBackup(
        found.at, found.to, found.snapshot or "", found.bytes, found.seconds, found.ok, found.error or "", late
    )


def _cleaned(done: Cleaned, *, dry_run: bool) -> CleanReport:
    by_reason: dict[Why, int] = {}
    for deletion in done.deleted:
        by_reason[deletion.why] = by_reason.get(deletion.why, 0) + deletion.bytes
    shown = tuple(msgspec.structs.replace(deletion, names=deletion.names[:20]) for deletion in done.deleted[:SHOWN])
    return CleanReport(dry_run, len(done.deleted), done.bytes, done.skipped, shown, by_reason)
