"""Deletes old snapshots and the objects that no snapshot needs. The caller holds the exclusive lock. Blocks."""

from __future__ import annotations

from typing import Final

import msgspec

from app.backup.backend import Check
from app.backup.repository import Repository, taken_at

DAY_S: Final = 24 * 3600.0
GRACE_S: Final = DAY_S  # a younger object may belong to a backup whose lock has ended though it still runs


class Pruned(msgspec.Struct, frozen=True):
    """What was deleted, and the size of all remaining objects."""

    snapshots: tuple[str, ...]
    objects: int
    bytes: int
    left_bytes: int


def prune(
    repository: Repository,
    check: Check,
    *,
    keep_s: float,
    max_bytes: int,
    now: float,
    grace_s: float = GRACE_S,
    dry_run: bool = False,
) -> Pruned:
    """Delete snapshots older than `keep_s`, then the oldest ones until all objects fit `max_bytes`; 0 is no limit.

    The newest snapshot stays. When a remaining snapshot cannot be read, nothing is deleted. Raises backup_damaged,
    backup_newer, backup_busy.
    """
    gone: list[str] = []
    needed: set[tuple[bytes, bool]] = set()
    lists: set[str] = set()
    total_bytes = 0
    ids = repository.ids()
    for snapshot_id in reversed(ids):
        old = keep_s > 0 and now - taken_at(snapshot_id) > keep_s
        if snapshot_id != ids[-1] and (old or gone):
            gone.append(snapshot_id)
            continue
        snapshot = repository.snapshot(snapshot_id)
        added: set[tuple[bytes, bool]] = set()
        added_bytes = 0
        if snapshot.listing.sha256 not in lists:
            for file in (snapshot.listing, *repository.files(snapshot)):
                key = (bytes.fromhex(file.sha256), file.packed)
                if key not in needed and key not in added:
                    added.add(key)
                    added_bytes += file.stored_bytes
        if max_bytes and total_bytes + added_bytes > max_bytes and snapshot_id != ids[-1]:
            gone.append(snapshot_id)
            continue
        lists.add(snapshot.listing.sha256)
        needed |= added
        total_bytes += added_bytes
    check()
    if not dry_run:
        for snapshot_id in reversed(gone):  # the oldest first: after a kill in between, the newer ones are whole
            repository.forget(snapshot_id)
    objects, freed_bytes = _sweep(repository, check, needed, grace_s, dry_run=dry_run)
    return Pruned(tuple(reversed(gone)), objects, freed_bytes, total_bytes)


def _sweep(
    repository: Repository, check: Check, needed: set[tuple[bytes, bool]], grace_s: float, *, dry_run: bool
) -> tuple[int, int]:
    """Delete the objects that no snapshot needs; returns their number and bytes."""
    names = {repository.object_name(sha256.hex(), packed=packed) for sha256, packed in needed}
    unneeded = [entry for entry in repository.objects() if entry.name not in names]
    if not unneeded:
        return 0, 0
    before = repository.place.now() - grace_s
    count = freed_bytes = 0
    for entry in unneeded:
        if entry.modified_at <= before:
            if not dry_run:
                check()
                repository.place.delete(entry.name)
            count += 1
            freed_bytes += entry.size_bytes
    return count, freed_bytes
