"""The backend of a repository: names and bytes, in a folder (here) or a bucket (`s3.py`).

A backend guarantees that an object is either complete under its name or absent. The repository guarantees that the
content of a name never changes, except `vault.json` and locks. All methods block. Errors: backup_place, disk_full,
backup_not_found, backup_busy.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final, Protocol

import msgspec

from app.domain.errors import DubError
from app.domain.problems.backups import BACKUP_BUSY, BACKUP_NOT_FOUND, BACKUP_PLACE
from app.domain.problems.uploads import DISK_FULL
from app.storage.disk_floor import Floor
from app.system.disk_full import is_disk_full
from app.system.durable_files import Durable, give, writing

BLOCK_BYTES: Final = 1 << 20
BUCKET: Final = "s3://"
_LOCKS: Final = "locks"
_LITTER: Final = "tmp"
_BEFORE: Final = "before-"  # copies of the database from before migrations, in the data folder's backups/
_IGNORED: Final = frozenset({"lost+found", ".DS_Store"})

Check = Callable[[], None]  # raises backup_busy when the lock has been lost


def address_of(text: str) -> str:
    """The address of a backend: the absolute path of a folder, or a bucket as given."""
    return text.rstrip("/") if text.startswith(BUCKET) else str(Path(text).expanduser().absolute())


class StoredObject(msgspec.Struct, frozen=True):
    """One object. `modified_at` is seconds since 1970, by the backend's clock."""

    name: str
    size_bytes: int
    modified_at: float


class Backend(Protocol):
    """`where` is the address as the operator wrote it; `at_once` is the best number of objects in transfer at the same
    time."""

    where: str
    at_once: int

    def prepare(self) -> None:
        """Prepare the backend for a new repository. Raises backup_place when it holds other files."""

    def put(self, name: str, blocks: Iterable[bytes], size_bytes: int) -> None:
        """Store an object of about this size. It is durable when this returns."""

    def get(self, name: str) -> Iterator[bytes]:
        """The object's bytes. Raises backup_not_found."""

    def entries(self, prefix: str) -> Iterator[StoredObject]:
        """Every object under a folder of the repository ("objects"), unordered."""

    def delete(self, name: str) -> None:
        """Delete an object. A missing one is not an error."""

    def now(self) -> float:
        """The backend's clock, in seconds since 1970: `modified_at` is compared with it."""

    def lock(self, *, alone: bool) -> contextlib.AbstractContextManager[Check]:
        """Lock the repository: `alone` to add or delete, shared to read. Raises backup_busy at once."""


class FolderBackend:
    """A folder, local or mounted. Only its owner may read it: backups hold people's words and keys."""

    def __init__(self, root: Path, floor: Floor | None = None) -> None:
        """`floor` is the data folder's when both are on one disk: a backup respects the minimum free space too."""
        self._floor = floor
        self.where = str(root)
        self.at_once = 4  # a small file mostly waits for the disk
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
            room = self._floor.reserve(size_bytes) if self._floor else None
            try:
                with writing(target, durable=Durable.NAME, owner_of=litter, temporary_in=litter) as file:
                    for block in blocks:
                        with room.writing(len(block)) if room else contextlib.nullcontext(lambda _: None) as landed:
                            file.write(block)
                            file.flush()
                            landed(len(block))
            finally:
                if room is not None:
                    room.release()

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

    def entries(self, prefix: str) -> Iterator[StoredObject]:
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
        """Locked with flock: the kernel releases it when the process ends, however it ends."""
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
                return None  # a repository on a read-only file system: nothing writes there
            if alone:
                _make(path.parent)
            descriptor = os.open(path, (os.O_RDWR | os.O_CREAT) if alone else os.O_RDONLY, 0o600)
            stack.callback(os.close, descriptor)
            try:
                fcntl.flock(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
            except BlockingIOError:
                raise DubError(BACKUP_BUSY, f"It is {self.where}.") from None
            if alone:
                give(descriptor, path.parent)
                # left by killed writers: nothing else writes under this lock
                for litter in _walk(self._root / _LITTER, _LITTER):
                    (self._root / litter.name).unlink(missing_ok=True)
            stack.pop_all()
            return descriptor


def _walk(folder: Path, prefix: str) -> Iterator[StoredObject]:
    try:
        found = os.scandir(folder)
    except FileNotFoundError:
        return
    with found:
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path), f"{prefix}/{entry.name}")
            elif entry.is_file(follow_symlinks=False):
                with contextlib.suppress(FileNotFoundError):  # deleted in the meantime
                    stat = entry.stat(follow_symlinks=False)
                    yield StoredObject(f"{prefix}/{entry.name}", stat.st_size, stat.st_mtime)


_making: Final = threading.RLock()


def _make(folder: Path) -> None:
    """Make the folder if it is missing, with its parent's owner. No other thread sees it before it has that owner."""
    with _making:
        if not folder.is_dir():
            _make(folder.parent)
            folder.mkdir(mode=0o700, exist_ok=True)
            if os.geteuid() == 0:
                above = folder.parent.stat()
                os.chown(folder, above.st_uid, above.st_gid)


@contextlib.contextmanager
def _said(where: str) -> Iterator[None]:
    """The operating system's error as a catalogue error."""
    try:
        yield
    except OSError as error:
        if is_disk_full(error):
            raise DubError(DISK_FULL, f"It is the disk of the backups, {where}.") from error
        raise DubError(BACKUP_PLACE, f"{where}: {error.strerror}.") from error


def free_bytes(folder: Path) -> int:
    return shutil.disk_usage(folder).free
