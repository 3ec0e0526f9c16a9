"""The data folder is its owner's alone, whatever the umask: folders 0700, files 0600.

What is made from now on is private by the process's umask, which child processes inherit. What an earlier version left open is closed at the start.
A leaf: the standard library only.
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
    r"(app|engine)\.sqlite3(-wal|-shm|-journal)?|secret\.key|\.lock|blobs|uploads|scratch|cache|cli|models|backups|imports|\.reserve|\.room|backup\.json"
    r"|\.restore-.*|replaced-.*|\.probe.*|\..*\.part|logs?|.*\.log(\.\d+)?|lost\+found"
)
_persons: int | None = None  # the umask that the process was started with


def private(data: Path) -> None:
    """From now on what this process makes is its owner's alone; and so is what `data` has."""
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
    """What is made within is for the person who called: their umask decides. For the command line, where nothing else is written meanwhile."""
    before = os.umask(persons_umask())
    try:
        yield
    finally:
        os.umask(before)


def close(data: Path) -> None:
    """Take what others may do away from the folder and from all that is ours in it.

    A folder is closed after what is in it, and a closed one is not looked into: after the first time this costs a look at the top. A folder
    that also holds what is not ours is somebody's, and keeps its mode. Where modes cannot be changed (another owner, a file system without
    them), nothing happens.
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
    """False where a mode does not change."""
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
