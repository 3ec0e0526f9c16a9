"""A repository: objects named by the hash of their content, and snapshots that refer to them. Blocks; holds only a few
blocks in memory."""

from __future__ import annotations

import calendar
import contextlib
import hashlib
import re
import secrets
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, Final, TypeVar

import msgspec

from app.backup import manifest
from app.backup.backend import Backend, StoredObject
from app.backup.encryption import Cipher, new_key, sealed_bytes, unlock
from app.backup.manifest import FORMAT, File, Header, Snapshot
from app.domain.errors import DubError
from app.domain.json_decoding import Malformed, decoded
from app.domain.problems.backups import BACKUP_DAMAGED, BACKUP_NEWER, BACKUP_NOT_FOUND, BACKUP_PASSWORD

T = TypeVar("T")
R = TypeVar("R")
HEADER: Final = "vault.json"
_SNAPSHOT: Final = re.compile(r"snapshots/(\d{8}T\d{9}Z-[0-9a-f]{6})\.json")


class Repository:
    """An open repository. `encrypted` says whether its objects are encrypted."""

    def __init__(self, place: Backend, header: Header, seal: Cipher | None) -> None:
        self.place, self.header, self._seal = place, header, seal

    @property
    def encrypted(self) -> bool:
        return self._seal is not None

    # ---------------------------------------------------------------- objects

    def object_name(self, sha256: str, *, packed: bool) -> str:
        name = self._seal.name(sha256) if self._seal else sha256
        return f"objects/{name[:2]}/{name}{'.z' if packed else ''}"

    def stored_bytes(self, size_bytes: int) -> int:
        """The size of the object of a file that is not compressed."""
        return sealed_bytes(size_bytes) if self._seal else size_bytes

    def put(self, sha256: str, blocks: Iterable[bytes], size_bytes: int, *, packed: bool = False) -> int:
        """Store content under the hash that the caller has computed; returns the bytes stored."""
        name = self.object_name(sha256, packed=packed)
        return self._put(name, manifest.pack(blocks) if packed else blocks, size_bytes)

    def read(self, file: File) -> Iterator[bytes]:
        """A file's bytes. Raises backup_damaged at the end when they do not match the hash, backup_not_found when the
        object is gone."""
        digest, size_bytes = hashlib.sha256(), 0
        if file.size_bytes:
            name = self.object_name(file.sha256, packed=file.packed)
            blocks = self._get(name)
            try:
                for block in manifest.unpack(blocks) if file.packed else blocks:
                    digest.update(block)
                    size_bytes += len(block)
                    yield block
            except zlib.error as error:
                raise DubError(BACKUP_DAMAGED, f"{name}: {error}.") from None
            if digest.hexdigest() != file.sha256:
                raise DubError(BACKUP_DAMAGED, f"{name} has {size_bytes} bytes of another content.")

    def _put(self, name: str, blocks: Iterable[bytes], size_bytes: int) -> int:
        stored = 0

        def counted() -> Iterator[bytes]:
            nonlocal stored
            for block in self._seal.seal(name, blocks) if self._seal else blocks:
                stored += len(block)
                yield block

        self.place.put(name, counted(), self.stored_bytes(size_bytes))
        return stored

    def _get(self, name: str) -> Iterator[bytes]:
        blocks = self.place.get(name)
        return self._seal.open(name, blocks) if self._seal else blocks

    # ---------------------------------------------------------------- snapshots

    def ids(self) -> list[str]:
        """The ids of all snapshots, the oldest first: an id begins with its time."""
        return sorted(
            match[1] for entry in self.place.entries("snapshots") if (match := _SNAPSHOT.fullmatch(entry.name))
        )

    def snapshot(self, snapshot_id: str) -> Snapshot:
        """Raises backup_not_found, backup_damaged, backup_newer."""
        name = f"snapshots/{snapshot_id}.json"
        if not _SNAPSHOT.fullmatch(name):
            raise DubError(BACKUP_NOT_FOUND, f"{snapshot_id} is no backup's id.")
        try:
            raw = b"".join(self._get(name))
            found_format = decoded(raw, _Format).format
            if found_format > FORMAT:
                raise DubError(BACKUP_NEWER, f"Its format is {found_format}; this version knows {FORMAT}.")
            found = decoded(raw, Snapshot)
        except Malformed as error:
            raise DubError(BACKUP_DAMAGED, f"{name}: {error}.") from None
        if found.id != snapshot_id:
            raise DubError(BACKUP_DAMAGED, f"{name} is the backup {found.id}.")
        return found

    def newest(self) -> Snapshot:
        """Raises backup_not_found."""
        if not (ids := self.ids()):
            raise DubError(BACKUP_NOT_FOUND, f"There is none in {self.place.where}.")
        return self.snapshot(ids[-1])

    def keep(self, snapshot: Snapshot) -> None:
        """Write the snapshot: it exists from now on."""
        raw = msgspec.json.format(msgspec.json.encode(snapshot), indent=1)
        self._put(f"snapshots/{snapshot.id}.json", [raw], len(raw))

    def forget(self, snapshot_id: str) -> None:
        """Delete a snapshot. Its objects stay until `pruning` deletes them."""
        self.place.delete(f"snapshots/{snapshot_id}.json")

    def files(self, snapshot: Snapshot) -> Iterator[File]:
        """The files of the snapshot, one by one. Raises backup_damaged, backup_not_found."""
        try:
            yield from manifest.parse(self.read(snapshot.listing))
        except (msgspec.DecodeError, ValueError) as error:
            raise DubError(BACKUP_DAMAGED, f"The list of files of {snapshot.id}: {error}.") from None

    def objects(self) -> Iterator[StoredObject]:
        """Every object in the backend."""
        return self.place.entries("objects")


class _Format(msgspec.Struct, frozen=True):
    format: int


def new_id(at: float) -> str:
    """The time in UTC, to the millisecond, so that ids sort by it."""
    at_ms = int(at * 1000)
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(at_ms // 1000))}{at_ms % 1000:03}Z-{secrets.token_hex(3)}"


def taken_at(snapshot_id: str) -> float:
    """When a snapshot was taken, from its id."""
    return calendar.timegm(time.strptime(snapshot_id[:15], "%Y%m%dT%H%M%S")) + int(snapshot_id[15:18]) / 1000


def open_repository(place: Backend, password: str) -> Repository:
    """Open the repository. Raises backup_not_found, backup_password, backup_newer, backup_damaged."""
    try:
        raw = b"".join(place.get(HEADER))
    except DubError as error:
        if error.problem is BACKUP_NOT_FOUND:
            raise DubError(BACKUP_NOT_FOUND, f"There is none in {place.where}.") from None
        raise
    try:
        header = decoded(raw, Header)
    except Malformed as error:
        raise DubError(BACKUP_DAMAGED, f"vault.json: {error}.") from None
    if header.format > FORMAT:
        raise DubError(BACKUP_NEWER, f"Its format is {header.format}; this version knows {FORMAT}.")
    return Repository(place, header, unlock(password, header.encryption) if header.encryption else None)


def open_or_make(place: Backend, password: str) -> Repository:
    """Open the repository, or create it. The caller holds the exclusive lock. Encryption cannot be switched on or off
    later: raises backup_password."""
    try:
        repository = open_repository(place, password)
    except DubError as error:
        if error.problem is not BACKUP_NOT_FOUND:
            raise
    else:
        if password and not repository.encrypted:
            raise DubError(
                BACKUP_PASSWORD,
                f"The backups in {place.where} are not encrypted. Take another place, or unset the password.",
            )
        return repository
    seal, encryption = new_key(password) if password else (None, None)
    header = Header(format=FORMAT, id=secrets.token_hex(16), created_at=time.time(), encryption=encryption)
    raw = msgspec.json.format(msgspec.json.encode(header), indent=1)
    place.put(HEADER, [raw], len(raw))
    return Repository(place, header, seal)


def spread(work: Callable[[T], R], items: Iterable[T], at_once: int) -> Iterator[R]:
    """Run the calls in threads and yield results as they finish; at most twice `at_once` are pending. The first failure
    ends it."""
    running: set[Future[R]] = set()
    with ThreadPoolExecutor(at_once, "vault") as pool, contextlib.ExitStack() as stack:
        stack.callback(lambda: pool.shutdown(wait=True, cancel_futures=True))
        for item in items:
            running.add(pool.submit(work, item))
            if len(running) >= 2 * at_once:
                done, running = _first(running)
                for future in done:
                    yield future.result()
        while running:
            done, running = _first(running)
            for future in done:
                yield future.result()


def _first(running: set[Future[Any]]) -> tuple[set[Future[Any]], set[Future[Any]]]:
    done, left = wait(running, return_when=FIRST_COMPLETED)
    return done, left
