"""Verifies backups. Blocks; every object is read once, however many backups need it."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Final

import msgspec

from app.backup import sqlite_copy
from app.backup.manifest import APP_DATABASE, BLOBS, ENGINE_DATABASE, File, Missing, Snapshot
from app.backup.repository import Repository, spread
from app.domain.errors import DubError
from app.domain.problems.backups import BACKUP_DAMAGED, BACKUP_NOT_FOUND

Report = Callable[[int, int], None]  # objects read so far, bytes so far
_DATABASES: Final = (ENGINE_DATABASE, APP_DATABASE)


class Damage(msgspec.Struct, frozen=True):
    """A file that cannot be restored, the reason, and the jobs that need it."""

    path: str
    reason: str
    jobs: tuple[str, ...]


class Checked(msgspec.Struct, frozen=True):
    """The result for one backup. `missing` files were gone when it was made, which it recorded: they are not damage."""

    id: str
    files: int
    bytes: int
    damage: tuple[Damage, ...]
    missing: tuple[Missing, ...]

    @property
    def whole(self) -> bool:
        return not self.damage


def verify(
    repository: Repository, snapshot_ids: Sequence[str], work: Path | None, report: Report = lambda objects, size: None
) -> list[Checked]:
    """Read every file of these backups and compare it with its hash; check the databases too. `work` is a folder for
    them."""
    read: dict[tuple[str, bool], str] = {}  # hash to fault
    with tempfile.TemporaryDirectory(prefix=".verify-", dir=work) as folder:
        return [_verify(repository, snapshot_id, read, Path(folder), report) for snapshot_id in snapshot_ids]


def _verify(
    repository: Repository, snapshot_id: str, read: dict[tuple[str, bool], str], work: Path, report: Report
) -> Checked:
    bad: list[tuple[File, str]] = []
    copies: dict[str, Path] = {}
    paths: set[str] = set()
    size_bytes = 0
    try:
        snapshot = repository.snapshot(snapshot_id)
        fresh: dict[tuple[str, bool], File] = {}
        for file in repository.files(snapshot):
            paths.add(file.path)
            size_bytes += file.size_bytes
            if file.path in _DATABASES:
                copies[file.path] = work / file.sha256
            if _key(file) not in read:
                fresh.setdefault(_key(file), file)
        _read(repository, fresh.values(), read, work, report)
        for file in repository.files(snapshot):
            if reason := read[_key(file)]:
                bad.append((file, reason))
    except DubError as error:
        if error.problem not in (BACKUP_DAMAGED, BACKUP_NOT_FOUND):
            raise
        return Checked(snapshot_id, 0, 0, (Damage(f"snapshots/{snapshot_id}.json", error.detail, ()),), ())
    damage = _damages(snapshot, bad, paths, copies)
    return Checked(snapshot_id, snapshot.files, size_bytes, tuple(damage), snapshot.missing)


def _read(
    repository: Repository, files: Iterable[File], read: dict[tuple[str, bool], str], work: Path, report: Report
) -> None:
    """Read each object once and fill `read`. Databases are left in `work` under their hash."""

    def one(file: File) -> tuple[File, str]:
        try:
            if file.path in _DATABASES:
                with (work / file.sha256).open("wb") as out:
                    out.writelines(repository.read(file))
                return file, "; ".join(sqlite_copy.troubles(work / file.sha256))
            for _ in repository.read(file):
                pass
        except DubError as error:
            if error.problem not in (BACKUP_DAMAGED, BACKUP_NOT_FOUND):
                raise
            return file, error.detail or error.message
        return file, ""

    size_bytes = 0
    for count, (file, reason) in enumerate(spread(one, files, repository.place.at_once), 1):
        read[_key(file)] = reason
        size_bytes += file.size_bytes
        report(count, size_bytes)


def _damages(
    snapshot: Snapshot, bad: Sequence[tuple[File, str]], paths: set[str], copies: dict[str, Path]
) -> list[Damage]:
    """Damaged files, and files that the database refers to and the backup lacks, with their jobs as far as the database
    can be read."""
    if APP_DATABASE not in copies:
        return [Damage(APP_DATABASE, "the backup has no database", ())]
    if any(file.path == APP_DATABASE for file, _ in bad):
        return [Damage(file.path, reason, ()) for file, reason in bad]
    known = {missing.path for missing in snapshot.missing}
    with sqlite_copy.opened(copies[APP_DATABASE]) as app:
        damages = [
            Damage(file.path, reason, sqlite_copy.jobs_of(app, file.path.removeprefix(f"{BLOBS}/")))
            for file, reason in bad
        ]
        for key in sqlite_copy.referred(app):
            path = f"{BLOBS}/{key}"
            if path not in paths and path not in known:
                damages.append(Damage(path, "the backup does not have it", sqlite_copy.jobs_of(app, key)))
    return damages


def _key(file: File) -> tuple[str, bool]:
    return (file.sha256, file.packed)
