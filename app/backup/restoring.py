"""Restores a backup into a data folder that no server uses. Blocks. After a kill at any moment the folder is either the
old or the new one."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from app.backup import swap
from app.backup.manifest import APP_DATABASE, ENGINE_DATABASE, SECRET_KEY, File, Snapshot
from app.backup.repository import Repository, spread
from app.domain.errors import DubError
from app.domain.problems.backups import BACKUP_DAMAGED, BACKUP_NEWER, BACKUP_NOT_FOUND, DATA_USED
from app.domain.problems.uploads import DISK_FULL
from app.storage.database import HEAD
from app.system.disk_full import is_disk_full
from app.system.durable_files import Durable, writing

Report = Callable[[int, int], None]  # files so far, bytes so far
_SPARE_BYTES: Final = 64 << 20
_NEEDED: Final = frozenset({APP_DATABASE, ENGINE_DATABASE, SECRET_KEY})


class Restored(msgspec.Struct, frozen=True):
    """What was restored, where the old files are (None: there were none), and the damaged files that were left out."""

    snapshot: str
    files: int
    bytes: int
    jobs: int
    seconds: float
    aside: str | None
    left_out: tuple[str, ...]


def restore(
    repository: Repository,
    snapshot: Snapshot,
    data: Path,
    *,
    replace: bool,
    skip_damaged: bool = False,
    report: Report = lambda files, size: None,
) -> Restored:
    """Restore a snapshot; every byte is compared with its hash. The caller has locked the folder.

    Existing files are moved to DATA/replaced-TIME. A killed restore, run again, reuses what it had restored.
        Raises data_used, backup_newer, backup_damaged, backup_not_found, disk_full, backup_place.
    """
    started = time.time()
    if snapshot.schema_revision > HEAD:
        raise DubError(
            BACKUP_NEWER,
            f"It was {snapshot.app_version}, with schema {snapshot.schema_revision}; this version knows {HEAD}.",
        )
    data.mkdir(parents=True, exist_ok=True)
    swap.finish(data)
    if swap.used(data) and not replace:
        raise DubError(DATA_USED)
    stage = _Stage(data, snapshot.id)
    stage.check_room(sum(file.size_bytes for file in repository.files(snapshot)))
    files = size_bytes = 0
    bad: list[str] = []

    def one(file: File) -> tuple[File, DubError | None]:
        try:
            stage.take(repository, file)
        except DubError as error:
            if error.problem not in (BACKUP_DAMAGED, BACKUP_NOT_FOUND):
                raise
            return file, error
        return file, None

    for file, error in spread(one, repository.files(snapshot), repository.place.at_once):
        if error is not None:
            if not skip_damaged or file.path in _NEEDED:
                raise DubError(BACKUP_DAMAGED, f"{file.path}: {error.detail or error.message}")
            bad.append(file.path)
            continue
        files += 1
        size_bytes += file.size_bytes
        report(files, size_bytes)
    for litter in swap.staging(data, snapshot.id).rglob(".*.part"):  # of a killed one
        litter.unlink()
    had = swap.used(data)
    os.sync()  # one sync for all files, which may be a hundred thousand
    swap.ready(data, snapshot.id, f"replaced-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime(started))}")
    aside = swap.finish(data)
    if aside is not None and not had:  # empty folders, and temporary files of a stopped server
        shutil.rmtree(aside)
    where = str(aside) if aside is not None and had else None
    return Restored(snapshot.id, files, size_bytes, snapshot.jobs, round(time.time() - started, 3), where, tuple(bad))


class _Stage:
    """The folder that collects the restored files. Run as root, everything gets the data folder's owner."""

    def __init__(self, data: Path, snapshot_id: str) -> None:
        self._data, self._root = data, swap.staging(data, snapshot_id)
        status = data.stat()
        self._owner = (status.st_uid, status.st_gid) if os.geteuid() == 0 else None
        for other in data.glob(f"{swap.STAGE}*"):  # left by a killed restore of another snapshot
            if other != self._root.parent:
                shutil.rmtree(other)
        self._make(self._root)
        self._make(self._root / "blobs")

    def check_room(self, size_bytes: int) -> None:
        """Raises disk_full. The old files stay, so both must fit."""
        there = sum(path.stat().st_size for path in self._root.rglob("*") if path.is_file())
        free = shutil.disk_usage(self._data).free
        if size_bytes - there + _SPARE_BYTES > free:
            raise DubError(
                DISK_FULL, f"The backup has {size_bytes >> 20} MiB, and {free >> 20} MiB are free in {self._data}."
            )

    def take(self, repository: Repository, file: File) -> None:
        """Restore one file. It gets its name only when its hash is right."""
        target = self._root / file.path
        if not self._has(target, file):
            self._make(target.parent)
            try:
                # `restore` syncs them all at once
                with writing(target, durable=Durable.NO, owner_of=self._data) as out:
                    out.writelines(repository.read(file))
                    out.flush()
                    os.fchmod(out.fileno(), file.mode & 0o700)
                    os.utime(out.fileno(), ns=(file.mtime_ns, file.mtime_ns))
            except OSError as error:
                if is_disk_full(error):
                    raise DubError(DISK_FULL, f"It is the disk of {self._data}.") from error
                raise

    def _has(self, target: Path, file: File) -> bool:
        try:
            if target.stat().st_size != file.size_bytes:
                return False
            with target.open("rb") as found:
                return hashlib.file_digest(found, "sha256").hexdigest() == file.sha256
        except FileNotFoundError:
            return False

    def _make(self, folder: Path) -> None:
        if not folder.is_dir():
            self._make(folder.parent)
            folder.mkdir(exist_ok=True)
            if self._owner is not None:
                os.chown(folder, *self._owner)
