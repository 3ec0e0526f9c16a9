"""Writes a file so that its name has the old content or the new one, whole, whatever ends the process in between.

The bytes go to a temporary name beside the target, which then takes the target's name by a rename. An error removes the
temporary file; a killed process leaves it (`.autodubber-*.part`). `Durable` says what a loss of power may undo.

Only the standard library: a server imports this at its start. Errors are the operating system's; `app.system.disk_full`
knows which of them is a full disk. All functions block.
"""

from __future__ import annotations

import contextlib
import enum
import errno
import os
import shutil
from collections.abc import Iterator
from io import BufferedWriter
from pathlib import Path
from typing import Final

PRIVATE: Final = 0o600
_CANNOT_SYNC: Final = frozenset({errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF})


class Durable(enum.IntEnum):
    """What is on disk when a file has its new name.

    NO: after a loss of power the file may be damaged or the old one. For what has a checksum or is made again.
    CONTENT: its bytes. After a loss of power the name has the old file or the new one, whole.
    NAME: its bytes and its name. What has returned is not lost.
    """

    NO = 0
    CONTENT = 1
    NAME = 2


@contextlib.contextmanager
def replacing(target: Path, *, durable: Durable, temporary: Path | None = None) -> Iterator[Path]:
    """The temporary path that the block, or a program that it starts, writes to. The file replaces `target` when the
    block ends without an error.

    A `temporary` name of the caller's own is one that the next run uses again: what a killed run left there is removed.
    """
    if temporary is None:
        temporary = target.with_name(_temporary_name())
    else:
        temporary.unlink(missing_ok=True)
    try:
        yield temporary
        if durable >= Durable.CONTENT:
            sync_file(temporary)
        temporary.replace(target)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    if durable >= Durable.NAME:
        sync_folder(target.parent)


@contextlib.contextmanager
def writing(
    target: Path,
    *,
    durable: Durable,
    mode: int = PRIVATE,
    owner_of: Path | None = None,
    temporary_in: Path | None = None,
) -> Iterator[BufferedWriter]:
    """An open file that replaces `target` when the block ends without an error.

    Args:
        mode: the file's permissions, less the umask.
        owner_of: a file or folder whose owner gets the file when root writes it.
        temporary_in: the folder of the temporary file, on the same file system; else the target's.
    """
    temporary = None if temporary_in is None else temporary_in / _temporary_name()
    with replacing(target, durable=durable, temporary=temporary) as path, _new(path, mode) as file:
        yield file
        if owner_of is not None:
            give(file.fileno(), owner_of)


def write(target: Path, data: bytes, *, durable: Durable, owner_of: Path | None = None) -> None:
    """`target` has these bytes, readable by its owner only."""
    with writing(target, durable=durable, owner_of=owner_of) as file:
        file.write(data)


def create(target: Path, data: bytes, *, durable: Durable) -> bool:
    """As `write`, but an existing file stays, also one that another process makes at the same time: then False."""
    temporary = target.with_name(_temporary_name())
    try:
        with _new(temporary, PRIVATE) as file:
            file.write(data)
        if durable >= Durable.CONTENT:
            sync_file(temporary)
        try:
            os.link(temporary, target)
        except FileExistsError:
            return False
        except OSError:  # a file system without links
            temporary.rename(target)
    finally:
        temporary.unlink(missing_ok=True)
    if durable >= Durable.NAME:
        sync_folder(target.parent)
    return True


def move(source: Path, target: Path, *, durable: Durable) -> None:
    """Give a finished file another name, in place of what has it. `source` may be on another file system: then it is
    copied."""
    if durable >= Durable.CONTENT:
        sync_file(source)
    try:
        source.replace(target)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        with replacing(target, durable=durable) as temporary:
            shutil.copyfile(source, temporary)
        source.unlink()
        return
    if durable >= Durable.NAME:
        sync_folder(target.parent)


def sync_file(path: Path) -> None:
    """The bytes of a file are on disk when this returns."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(folder: Path) -> None:
    """The names in a folder are on disk when this returns, where its file system can do that. Some network file systems
    cannot; a rename is still whole there."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC:
            raise
    finally:
        os.close(descriptor)


def give(descriptor: int, owner_of: Path) -> None:
    """When root runs this (`docker exec`), an open file gets the owner of `owner_of`: the server, which is not root,
    can use it."""
    if os.geteuid() == 0:
        status = owner_of.stat()
        os.fchown(descriptor, status.st_uid, status.st_gid)


def _new(path: Path, mode: int) -> BufferedWriter:
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode), "wb")


def _temporary_name() -> str:
    return f".autodubber-{os.urandom(8).hex()}.part"
