"""Where a vault lies: a folder here, a bucket in `bucket.py`. A place knows names and bytes, not what they mean.

Who guarantees what. A place guarantees that an object is complete under its name or absent; the vault, that a name's content never changes
(but that of `vault.json` and of locks). All methods block. Errors: backup_place, disk_full, backup_not_found, backup_busy.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import secrets
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, Protocol

import msgspec

from app.domain.errors import BACKUP_BUSY, BACKUP_NOT_FOUND, BACKUP_PLACE, DISK_FULL, DubError
from app.storage.blobs import sync_folder
from app.storage.disk_floor import Floor
from app.system.disk_full import is_disk_full

BLOCK_BYTES: Final = 1 << 20
BUCKET: Final = "s3://"
_LOCKS: Final = "locks"
_LITTER: Final = "tmp"
_BEFORE: Final = "before-"  # copies of the database from before migrations, in the data folder's backups/
_IGNORED: Final = frozenset({"lost+found", ".DS_Store"})

Check = Callable[[], None]  # raises backup_busy when the lock is no longer ours


def address_of(text: str) -> str:
    """How a place is called: a folder by its absolute path, a bucket as it is."""
    return text.rstrip("/") if text.startswith(BUCKET) else str(Path(text).expanduser().absolute())


class Entry(msgspec.Struct, frozen=True):
    """One object. `modified_at` is seconds since 1970, by the place's clock."""

    name: str
    size_bytes: int
    modified_at: float


class Place(Protocol):
    """`where` is what the operator calls it; `at_once` is how many objects are best written or read at the same time."""

    where: str
    at_once: int

    def prepare(self) -> None:
        """Make the place ready for a new vault; refuses one that has something else in it."""

    def put(self, name: str, blocks: Iterable[bytes], size_bytes: int) -> None:
        """Store an object of about this size; it is safe when this returns."""

    def get(self, name: str) -> Iterator[bytes]:
        """The object's bytes. Raises backup_not_found."""

    def entries(self, prefix: str) -> Iterator[Entry]:
        """Everything under a folder of the vault ("objects"), in no order."""

    def delete(self, name: str) -> None:
        """Delete an object; an absent one is no error."""

    def now(self) -> float:
        """The time by the place's clock, with which `modified_at` is compared."""

    def lock(self, *, alone: bool) -> contextlib.AbstractContextManager[Check]:
        """Keep others out: `alone` for who adds or deletes, shared for who reads. Raises backup_busy at once."""


class FolderPlace:
    """A folder, on this machine or mounted. Readable by its owner only: backups hold what people said, and their keys."""

    def __init__(self, root: Path, floor: Floor | None = None) -> None:
        """`floor` is the data folder's, where the place lies on the same disk: a backup leaves free what must stay free."""
        self._floor = floor
        self.where = str(root)
        self.at_once = 4  # most of a small file's time is the wait for the disk
        self._root = root

    def prepare(self) -> None:
        with _said(self.where):
            if not self._root.parent.is_dir():
                raise DubError(BACKUP_PLACE, f"{self._root.parent} does not exist; is the disk mounted?")
            _make(self._root)
            names = {path.name for path in self._root.iterdir()} - _IGNORED
            strange = sorted(name for name in names if not name.startswith(_BEFORE))
            if strange and not names & {_LOCKS, "vault.json"}:
                raise DubError(BACKUP_PLACE, f"{self.where} has other files in it ({strange[0]}).")

    def put(self, name: str, blocks: Iterable[bytes], size_bytes: int) -> None:
        target = self._root / name
        with _said(self.where):
            _make(target.parent)
            litter = self._root / _LITTER
            _make(litter)
            temporary = litter / f"{secrets.token_hex(8)}.part"
            room = self._floor.reserve(size_bytes) if self._floor else None
            try:
                with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0) as file:
                    for block in blocks:
                        _write(file.fileno(), block)
                        if room is not None:
                            room.landed(len(block))
                    os.fsync(file.fileno())
                    _give(file.fileno(), litter)
                temporary.replace(target)
            finally:
                temporary.unlink(missing_ok=True)
                if room is not None:
                    room.release()
            sync_folder(target.parent)

    def get(self, name: str) -> Iterator[bytes]:
        with _said(self.where):
            try:
                file = (self._root / name).open("rb", buffering=0)
            except FileNotFoundError:
                raise DubError(BACKUP_NOT_FOUND, f"{name} is not in {self.where}.") from None
            with file:
                while block := file.read(BLOCK_BYTES):
                    yield block
                with contextlib.suppress(OSError):  # advice only
                    os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)

    def entries(self, prefix: str) -> Iterator[Entry]:
        with _said(self.where):
            yield from _walk(self._root / prefix, prefix)

    def delete(self, name: str) -> None:
        with _said(self.where):
            (self._root / name).unlink(missing_ok=True)

    def now(self) -> float:
        probe = self._root / _LOCKS / "folder"
        with _said(self.where):
            probe.touch()
            return probe.stat().st_mtime

    @contextlib.contextmanager
    def lock(self, *, alone: bool) -> Iterator[Check]:
        """By flock: the kernel lets go of it when the process ends, however it ends."""
        descriptor = self._locked(alone=alone)
        try:
            yield lambda: None
        finally:
            if descriptor is not None:
                os.close(descriptor)

    def _locked(self, *, alone: bool) -> int | None:
        path = self._root / _LOCKS / "folder"
        with _said(self.where), contextlib.ExitStack() as stack:
            if not alone and not os.access(path, os.R_OK):
                return None  # a vault on read-only ground: nobody writes there
            if alone:
                _make(path.parent)
            descriptor = os.open(path, (os.O_RDWR | os.O_CREAT) if alone else os.O_RDONLY, 0o600)
            stack.callback(os.close, descriptor)
            try:
                fcntl.flock(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DubError(BACKUP_BUSY, f"It is {self.where}.") from None
            if alone:
                _give(descriptor, path.parent)
                for litter in _walk(self._root / _LITTER, _LITTER):  # of writers that were killed: nobody else writes now
                    (self._root / litter.name).unlink(missing_ok=True)
            stack.pop_all()
            return descriptor


def _walk(folder: Path, prefix: str) -> Iterator[Entry]:
    try:
        found = os.scandir(folder)
    except FileNotFoundError:
        return
    with found:
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path), f"{prefix}/{entry.name}")
            elif entry.is_file(follow_symlinks=False):
                with contextlib.suppress(FileNotFoundError):  # deleted meanwhile
                    stat = entry.stat(follow_symlinks=False)
                    yield Entry(f"{prefix}/{entry.name}", stat.st_size, stat.st_mtime)


def _write(descriptor: int, block: bytes) -> None:
    left = memoryview(block)
    while left:
        left = left[os.write(descriptor, left) :]


_making: Final = threading.RLock()


def _make(folder: Path) -> None:
    """The folder, made if it is missing, with the owner of the one that it lies in. No other thread sees it before it has that owner."""
    with _making:
        if not folder.is_dir():
            _make(folder.parent)
            folder.mkdir(mode=0o700, exist_ok=True)
            if os.geteuid() == 0:
                above = folder.parent.stat()
                os.chown(folder, above.st_uid, above.st_gid)


def _give(descriptor: int, like: Path) -> None:
    """As root (docker exec): the file gets the owner of its folder, so that the server, which is not root, can work with it."""
    if os.geteuid() == 0:
        stat = like.stat()
        os.fchown(descriptor, stat.st_uid, stat.st_gid)


@contextlib.contextmanager
def _said(where: str) -> Iterator[None]:
    """What the operating system says, as an error of the catalogue."""
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise DubError(DISK_FULL, f"It is the disk of the backups, {where}.") from error
        raise DubError(BACKUP_PLACE, f"{where}: {error.strerror}.") from error


def free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free
