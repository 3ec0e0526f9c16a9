"""Keeps the data folder private to its owner, whatever the umask: folders 0700, files 0600.

New files are private by the process's umask, which child processes inherit. Modes that an earlier version left wider
are narrowed at the start. Uses the standard library only.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

_OTHERS: Final = 0o077
_OURS: Final = re.compile(
    r"(app|engine)\.sqlite3(-wal|-shm|-journal)?|secret\.key|\.lock|blobs|uploads|scratch|cache|cli|models|rates|links|backups|imports"
    r"|\.reserve|\.room|backup\.json|\.restore-.*|replaced-.*|\.probe.*|\..*\.part|logs?|.*\.log(\.\d+)?|lost\+found"
)
_persons: int | None = None  # the umask that the process was started with


def private(data: Path) -> None:
    """Make new files of this process private, and narrow the modes in the folder `data`."""
    global _persons
    before = os.umask(_OTHERS)
    if _persons is None:
        _persons = before
    close(data)


def persons_umask() -> int:
    """The umask of the person who started the process."""
    return _persons if _persons is not None else _current()


@contextlib.contextmanager
def as_the_person() -> Iterator[None]:
    """Within the block, new files get the umask of the person who called. For the command line, where no other thread
    writes meanwhile."""
    before = os.umask(persons_umask())
    try:
        yield
    finally:
        os.umask(before)


def close(data: Path) -> None:
    """Remove the permissions of group and others from the folder and from AutoDubber's files in it.

    A folder is narrowed after its contents, and a folder that is already private is not read: later starts cost one
    look at the top. A folder that also holds other files keeps its mode. Where modes cannot be changed (another owner,
    a file system without modes), nothing happens.
    """
    try:
        entries = sorted(os.scandir(data), key=lambda entry: entry.name)
        top = data.stat()
    except OSError:
        return
    if not top.st_mode & _OTHERS:
        return
    for entry in entries:
        if _OURS.fullmatch(entry.name) and not _close(entry):
            return
    if all(_OURS.fullmatch(entry.name) for entry in entries):
        _take_away(data, top.st_mode)


def _close(entry: os.DirEntry[str]) -> bool:
    """False when a mode could not be changed."""
    try:
        mode = entry.stat(follow_symlinks=False).st_mode
        if not mode & _OTHERS or not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
            return True
        if stat.S_ISDIR(mode):
            with os.scandir(entry.path) as inner:
                if not all([_close(each) for each in inner]):
                    return False
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return _take_away(Path(entry.path), mode)


def _take_away(path: Path, mode: int) -> bool:
    try:
        path.chmod(stat.S_IMODE(mode) & ~_OTHERS)
        return not path.stat().st_mode & _OTHERS
    except FileNotFoundError:
        return True
    except OSError:
        return False


def _current() -> int:
    before = os.umask(_OTHERS)
    os.umask(before)
    return before
