"""Applies retention: reads what exists, makes the plan and deletes; every deletion is logged with its job, kind, bytes
and reason."""

from __future__ import annotations

import contextlib
import functools
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import msgspec
import structlog
from sqlalchemy import Engine

from app.domain.retention import DAY_S, ENDED, Deletion, Held, Kind, Rule, Why
from app.retention.policy import LooseFile, plan
from app.storage import batches, hidden, references
from app.storage.blobs import BlobStore

CACHE_S: Final = 7 * DAY_S  # encoded chunks of an ended job: they only save time at the next edit
_AT_WORK_S: Final = 3600.0  # a file without a job that was written or used this recently may be in use
_FLOOR_PAUSE_S: Final = 60.0
log = structlog.get_logger("retention")


class Cleaned(msgspec.Struct, frozen=True):
    """What was deleted; `skipped` counts planned deletions of files that were needed again by then."""

    deleted: tuple[Deletion, ...]
    skipped: int
    bytes: int


class Cleaner:
    """Applies the rules to the folders of `data`. `changed` is called for every job that lost files; True: the job is
    deleted.

    Every method blocks. Several may run at the same time, in this process and others: every deletion is checked again
    in its own transaction.
    """

    def __init__(
        self,
        *,
        database: Engine,
        blobs: BlobStore,
        data: Path,
        rules: Sequence[Rule],
        min_free_bytes: int = 0,
        changed: Callable[[str, bool], None] = lambda job_id, gone: None,
    ) -> None:
        self._database, self._blobs, self._changed = database, blobs, changed
        self._cache, self._cli, self._imports = data / "cache", data / "cli" / "clips", data / "imports"
        self._min_free_bytes = min_free_bytes
        self._floor_lock, self._floor_at = threading.Lock(), float("-inf")
        self.rules = tuple(rules)

    @property
    def bounded(self) -> bool:
        """Whether any rule limits age or size."""
        return any(rule.kind is not Kind.BACKUPS and (rule.keep_days or rule.max_bytes) for rule in self.rules)

    def plan(self) -> tuple[Deletion, ...]:
        """What would be deleted now, and the reasons."""
        now = time.time()
        held = references.held(self._database, self._size_of, self._chunks)
        made = plan(self.rules, held, self._loose(now), now=now) if self.bounded else ()
        count, size = references.orphans(self._database, self._blobs, only_look=True)
        orphans = (
            (Deletion(Kind.OUTPUTS, Why.UNUSED, size, (), f"{count} files that nothing refers to", now),)
            if count
            else ()
        )
        return (*made, *self._stale_chunks(held, now), *orphans)

    def apply(self, planned: Sequence[Deletion]) -> Cleaned:
        """Delete what was planned, unless it changed since."""
        done, skipped = [], 0
        for deletion in planned:
            began = time.monotonic()
            if not (deletion.job_ids or deletion.names):
                count, freed = references.orphans(self._database, self._blobs)
                outcome: int | None = freed if count else None
            elif deletion.names:
                outcome = self._delete_files(deletion.names)
            else:
                outcome = self._delete_of_jobs(deletion)
            batches.pause(began)
            if outcome is None:
                skipped += 1
                continue
            done.append(msgspec.structs.replace(deletion, bytes=outcome))
            what = (
                {"job_id": deletion.job_ids[0]} if len(deletion.job_ids) == 1 else {"job_ids": list(deletion.job_ids)}
            )
            log.info(
                "deleted",
                **(what if deletion.job_ids else {}),
                kind=deletion.kind.value,
                bytes=outcome,
                reason=deletion.why.value,
            )
        return Cleaned(tuple(done), skipped, sum(deletion.bytes for deletion in done))

    def clean(self) -> int:
        """Plan and apply; returns the number of deletions."""
        return len(self.apply(self.plan()).deleted)

    def keep_floor(self) -> int:
        """Apply the rules at once when free space is below the minimum; at most once a minute. Returns the number of
        deletions."""
        return self.make_room() if self._blobs.free_bytes() < self._min_free_bytes else 0

    def make_room(self) -> int:
        """Apply the rules for a caller that needs more than the free space above the minimum."""
        if not self.bounded:
            return 0
        with self._floor_lock:
            if time.monotonic() - self._floor_at < _FLOOR_PAUSE_S:
                return 0
            try:
                return self.clean()
            finally:
                self._floor_at = time.monotonic()

    # ---------------------------------------------------------------- what exists

    def _size_of(self, key: str) -> int | None:
        try:
            return self._blobs.size_bytes(key)
        except FileNotFoundError:
            return None

    def _chunks(self, job_id: str) -> tuple[tuple[str, int], ...]:
        folder = self._cache / job_id
        size = _bytes_in(folder)
        return ((f"cache/{job_id}", size),) if size else ()

    def _loose(self, now: float) -> list[LooseFile]:
        """Lines spoken by the command line, with their metadata: they only save time at the next run."""
        found = []
        for sound in self._cli.glob("*.wav") if self._cli.is_dir() else ():
            with contextlib.suppress(FileNotFoundError):
                status, meta = sound.stat(), sound.with_suffix(".json")
                at = max(status.st_mtime, status.st_atime)
                if at < now - _AT_WORK_S:
                    found.append(
                        LooseFile(
                            Kind.CLIPS, sound.stem, status.st_size + (meta.stat().st_size if meta.exists() else 0), at
                        )
                    )
        return found

    def _stale_chunks(self, held: Sequence[Held], now: float) -> tuple[Deletion, ...]:
        """Chunks of jobs that ended long ago or were deleted."""
        jobs = {each: job for job in held for each in (job.job_id, *job.languages)}
        found = []
        for folder in self._cache.iterdir() if self._cache.is_dir() else ():
            job = jobs.get(folder.name)
            at = folder.stat().st_mtime
            if (at < now - _AT_WORK_S) if job is None else (job.state in ENDED and max(at, job.at) < now - CACHE_S):
                found.append((folder.name, at))
        if not found:
            return ()
        size = sum(_bytes_in(self._cache / name) for name, _ in found)
        names = tuple(f"cache/{name}" for name, _ in found)
        return (
            Deletion(
                Kind.OUTPUTS, Why.UNUSED, size, (), "working copies of ended jobs", min(at for _, at in found), names
            ),
        )

    # ---------------------------------------------------------------- deletions

    def _delete_of_jobs(self, deletion: Deletion) -> int | None:
        further = references.languages_of(self._database, deletion.job_ids)
        aside = (
            [self._cache / f".{secrets.token_hex(8)}" for _ in (*deletion.job_ids, *further)]
            if deletion.kind in (Kind.JOBS, Kind.OUTPUTS)
            else []
        )

        def put_aside() -> None:
            for job_id, to in zip((*deletion.job_ids, *further), aside, strict=False):
                _rename(self._cache / job_id, to)

        keys = references.retire(self._database, deletion.kind, deletion.job_ids, deletion.at, put_aside)
        if keys is None:
            return None
        freed = references.discard(self._database, self._blobs, keys, uploads_too=True) + sum(map(_remove, aside))
        for job_id in (*deletion.job_ids, *further):
            self._changed(job_id, deletion.kind is Kind.JOBS)
            if deletion.kind is Kind.JOBS:
                freed += hidden.bury(self._database, self._blobs, job_id)[1]
            elif deletion.kind is Kind.CLIPS:
                freed += references.take_clips(self._database, self._blobs, job_id, deletion.at)
        return freed

    def _delete_files(self, names: Sequence[str]) -> int | None:
        freed = 0
        for name in names:
            if name.startswith("cache/"):
                job_id, to = name.removeprefix("cache/"), self._cache / f".{secrets.token_hex(8)}"
                if references.while_ended(self._database, job_id, functools.partial(_rename, self._cache / job_id, to)):
                    freed += _remove(to)
                continue
            # the metadata first: a clip with metadata is complete
            for path in (self._cli / f"{name}.json", self._cli / f"{name}.wav"):
                with contextlib.suppress(FileNotFoundError):
                    freed += path.stat().st_size
                    path.unlink()
        return freed

    def sweep_imports(self) -> int:
        """Delete what a killed import left: folders without a write for a day."""
        count = 0
        for folder in self._imports.iterdir() if self._imports.is_dir() else ():
            if folder.stat().st_mtime < time.time() - DAY_S:
                shutil.rmtree(folder, ignore_errors=True)
                count += 1
        return count


def _bytes_in(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*") if folder.is_dir() else ():
        with contextlib.suppress(FileNotFoundError):
            total += path.stat().st_size
    return total


def _rename(folder: Path, to: Path) -> None:
    """A later render makes its own folder. After a kill before the removal, the folder is found as one without a
    job."""
    with contextlib.suppress(FileNotFoundError):
        folder.rename(to)


def _remove(folder: Path) -> int:
    size = _bytes_in(folder)
    shutil.rmtree(folder, ignore_errors=True)
    return size
