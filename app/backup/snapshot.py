"""Backs up a data folder while a server uses it. Blocks; needs a few blocks of memory and a third of a kilobyte for
each file."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import sqlite3
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec
import structlog

from app.backup import sqlite_copy
from app.backup.backend import Check
from app.backup.manifest import APP_DATABASE, BLOBS, CLI_CLIPS, FORMAT, SECRET_KEY, File, Missing, Snapshot, lines
from app.backup.repository import Repository, new_id, spread
from app.domain.errors import DubError
from app.domain.problems.backups import BACKUP_DAMAGED, BACKUP_NEWER, BACKUP_NOT_FOUND

Report = Callable[[int, int], None]  # files looked at so far, bytes read so far
log = structlog.get_logger(__name__)
_BLOCK_BYTES: Final = 1 << 20
_SMALL_BYTES: Final = 4 << 20  # files up to this size are read once and held for writing
_PASSES: Final = 4
_CLIPS: Final = "clips"
_WORK: Final = ".backup-"
_LISTING: Final = "files.jsonl"
_MOST_MISSING: Final = 1000


class _Unreadable(Exception):
    """A file of the data folder cannot be read to its end."""


class _Stored(msgspec.Struct, frozen=True):
    file: File
    new_bytes: int  # 0 when its object was there already


class _BackupRun:
    """A running backup: the objects that exist, the facts known of unchanged files, and what is done."""

    def __init__(self, data: Path, repository: Repository, report: Report) -> None:
        self._data, self._repository, self._report = data, repository, report
        self._there = {entry.name: entry.size_bytes for entry in repository.objects()}
        self._known: dict[str, File] = {}
        if ids := repository.ids():
            try:
                last = repository.snapshot(ids[-1])
                self._known = {file.path: file for file in (last.listing, *repository.files(last))}
            except DubError as error:
                if error.problem not in (BACKUP_DAMAGED, BACKUP_NOT_FOUND, BACKUP_NEWER):
                    raise
                log.warning(
                    "the last backup cannot be read; every file is read again", snapshot=ids[-1], reason=error.message
                )
        self.done: dict[str, File] = {}
        self.new_files = self.new_bytes = self._read_bytes = 0

    def blobs(self, app: sqlite3.Connection) -> set[str]:
        """Store every blob that is needed and missing; returns the paths that could not be read."""
        wanted = (path for path in _wanted(self._data, app) if path not in self.done)
        missing: set[str] = set()
        for path, stored in spread(lambda path: (path, self._blob(path)), wanted, self._repository.place.at_once):
            if stored is None:
                missing.add(path)
            else:
                self._count(stored)
        return missing

    def small(self, path: str, source: Path | None = None, *, packed: bool) -> File:
        """Store a file that is not a blob."""
        with (source or self._data / path).open("rb", buffering=0) as file:
            stored = self._store(path, file.fileno(), packed=packed)
        self._count(stored)
        return stored.file

    def _blob(self, path: str) -> _Stored | None:
        """One blob. An unchanged one is taken from the last backup: the content of a key never changes. None when it
        cannot be read."""
        try:
            descriptor = os.open(self._data / path, os.O_RDONLY)
        except OSError:
            return None
        try:
            status = os.fstat(descriptor)
            known = self._known.get(path)
            if (
                known
                and (known.size_bytes, known.mtime_ns) == (status.st_size, status.st_mtime_ns)
                and self._has(known)
            ):
                return _Stored(known, 0)
            return self._store(path, descriptor, packed=False)
        except (_Unreadable, IsADirectoryError):
            return None
        finally:
            os.close(descriptor)

    def _store(self, path: str, descriptor: int, *, packed: bool) -> _Stored:
        """Read once for the hash, and again to store the object if it is missing. An open file stays readable when it
        is deleted."""
        status = os.fstat(descriptor)
        digest, size_bytes, blocks = hashlib.sha256(), 0, []
        for block in _blocks(descriptor):
            digest.update(block)
            size_bytes += len(block)
            if status.st_size <= _SMALL_BYTES:
                blocks.append(block)
        sha256 = digest.hexdigest()
        name = self._repository.object_name(sha256, packed=packed)
        file = File(
            path,
            size_bytes,
            sha256,
            self._repository.stored_bytes(size_bytes),
            status.st_mtime_ns,
            stat.S_IMODE(status.st_mode),
            packed,
        )
        if size_bytes == 0:
            return _Stored(msgspec.structs.replace(file, stored_bytes=0), 0)
        if packed:
            known = self._known.get(path)
            if known and known.packed and known.sha256 == sha256 and self._has(known):
                return _Stored(known, 0)
        elif self._there.get(name) == file.stored_bytes:
            return _Stored(file, 0)
        stored_bytes = self._repository.put(
            sha256, iter(blocks) if blocks else _blocks(descriptor), size_bytes, packed=packed
        )
        self._there[name] = stored_bytes
        return _Stored(msgspec.structs.replace(file, stored_bytes=stored_bytes), stored_bytes)

    def _has(self, file: File) -> bool:
        return (
            not file.size_bytes
            or self._there.get(self._repository.object_name(file.sha256, packed=file.packed)) == file.stored_bytes
        )

    def _count(self, stored: _Stored) -> None:
        self.done[stored.file.path] = stored.file
        if stored.new_bytes:
            self.new_files += 1
            self.new_bytes += stored.new_bytes
        self._read_bytes += stored.file.size_bytes
        self._report(len(self.done), self._read_bytes)


def back_up(
    data: Path, repository: Repository, check: Check, *, app_version: str, report: Report = lambda files, size: None
) -> Snapshot:
    """Make a new snapshot; it exists when this returns, and not before. The caller holds the exclusive lock.

    First the databases are copied, then the blobs that they refer to: a blob is on disk before the database refers to
    it. When a blob has gone in the meantime (a job was deleted or rendered again), the databases are copied again,
    which costs only what has changed. What is still missing is listed in the snapshot.
        Raises data_damaged, disk_full, backup_place, backup_busy.
    """
    started = time.time()
    with _work(data) as work:
        backup_run = _BackupRun(data, repository, report)
        missing: set[str] = set()
        for _ in range(_PASSES):
            before = missing
            names = sqlite_copy.copy_all(data, work)
            with sqlite_copy.opened(work / APP_DATABASE) as app:
                missing = backup_run.blobs(app)
            if missing <= before:
                break
        files = [backup_run.small(name, work / name, packed=True) for name in names]
        if (data / SECRET_KEY).exists():
            files.append(backup_run.small(SECRET_KEY, packed=False))
        with sqlite_copy.opened(work / APP_DATABASE) as app:
            files += [backup_run.done[path] for path in _wanted(data, app) if path in backup_run.done]
            lost = tuple(
                Missing(path, sqlite_copy.jobs_of(app, path.removeprefix(f"{BLOBS}/")))
                for path in sorted(missing)[:_MOST_MISSING]
            )
            jobs, revision = sqlite_copy.job_count(app), sqlite_copy.revision(app)
        listing = _keep_listing(backup_run, work / _LISTING, files)
        snapshot = Snapshot(
            format=FORMAT,
            id=new_id(started),
            created_at=started,
            app_version=app_version,
            schema_revision=revision,
            jobs=jobs,
            files=len(files),
            bytes=sum(file.size_bytes for file in files),
            new_files=backup_run.new_files,
            new_bytes=backup_run.new_bytes,
            seconds=round(time.time() - started, 3),
            listing=listing,
            missing=lost,
        )
        check()
        repository.keep(snapshot)
        return snapshot


def _keep_listing(backup_run: _BackupRun, path: Path, files: list[File]) -> File:
    with path.open("wb") as out:
        out.writelines(lines(files))
    listing = backup_run.small(_LISTING, path, packed=True)
    del backup_run.done[_LISTING]
    return listing


def _wanted(data: Path, app: sqlite3.Connection) -> Iterator[str]:
    """The paths of all blobs that the database refers to, and of all spoken lines: no table knows yet what a running
    job has bought."""
    clips = _clips(data / BLOBS / _CLIPS)
    for key in sqlite_copy.referred(app):
        clips.discard(key.removeprefix(f"{_CLIPS}/"))
        yield f"{BLOBS}/{key}"
    yield from (f"{BLOBS}/{_CLIPS}/{name}" for name in sorted(clips))
    yield from (f"{CLI_CLIPS}/{name}" for name in sorted(_clips(data / CLI_CLIPS)))


def _clips(folder: Path) -> set[str]:
    """The names of complete clips. The sound is written before its description, so a clip with a description is
    complete."""
    try:
        with os.scandir(folder) as found:
            described = {
                entry.name.removesuffix(".json")
                for entry in found
                if entry.name.endswith(".json") and not entry.name.startswith(".")
            }
    except FileNotFoundError:
        return set()
    return {f"{name}{suffix}" for name in described for suffix in (".json", ".wav")}


def _blocks(descriptor: int) -> Iterator[bytes]:
    """The bytes of an open file, from its beginning."""
    at = 0
    while True:
        try:
            block = os.pread(descriptor, _BLOCK_BYTES, at)
        except OSError as error:
            raise _Unreadable(str(error)) from error
        if not block:
            return
        yield block
        at += len(block)


@contextlib.contextmanager
def _work(data: Path) -> Iterator[Path]:
    """A folder for copies inside the data folder. It is deleted at the end; after a kill, by the next backup."""
    for folder in data.glob(f"{_WORK}*"):
        with contextlib.suppress(BlockingIOError), _locked(folder):
            shutil.rmtree(folder)
    folder = Path(tempfile.mkdtemp(prefix=_WORK, dir=data))
    try:
        with _locked(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _locked(folder: Path) -> Iterator[None]:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
