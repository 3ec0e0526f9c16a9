"""Folders and files of `autodubber dub`: scratch, clips that outlive the run, and results."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.domain.errors import DubError
from app.domain.media import NAMED, Artifact, ArtifactKind
from app.domain.problems.uploads import DISK_FULL
from app.system import file_modes
from app.system.disk_full import is_disk_full
from app.system.durable_files import Durable, replacing
from app.system.exit_status import UsageError

if TYPE_CHECKING:
    from app.dubbing.context import Context

CLIP_KEEP_S: Final = 30 * 24 * 3600.0
SEPARATED_KEEP_S: Final = 7 * 24 * 3600.0  # 300 MB an hour, and only minutes of work
_LONGEST_NAME: Final = 255  # bytes, on nearly every file system; an encrypted one may allow fewer


@contextlib.contextmanager
def run_folder(data: Path) -> Iterator[Path]:
    """A folder for one run, deleted when the block ends. Folders of killed runs are deleted first."""
    home = data / "cli"
    home.mkdir(parents=True, exist_ok=True)
    for old in home.glob("run-*"):
        with contextlib.suppress(OSError), (old / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(old)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=home))
    try:
        with (folder / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def clip_folder(data: Path) -> Path:
    """The folder of spoken lines and of answers not yet turned into one. It outlives a run; files unused for 30 days
    are deleted."""
    folder = data / "cli" / "clips"
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if time.time() - path.stat().st_mtime > CLIP_KEEP_S:
            path.unlink(missing_ok=True)
    return folder


def separated_folder(data: Path) -> Path:
    """The folder of sounds without voices, for another dub of the same file. It outlives a run; a sound that was made
    more than 7 days ago is deleted."""
    folder = data / "cli" / "separated"
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if time.time() - path.stat().st_mtime > SEPARATED_KEEP_S:
            shutil.rmtree(path, ignore_errors=True)
    return folder


def fitting(stem: str, ending: str, longest: int = _LONGEST_NAME) -> str:
    """`stem` and `ending` as a file name of at most `longest` bytes. A longer stem is cut at a character and gets a
    hash of the whole, so that two long names with the same beginning stay different.
    """
    if len(os.fsencode(stem + ending)) <= longest:
        return stem + ending
    mark = "~" + hashlib.blake2b(os.fsencode(stem), digest_size=4).hexdigest()
    room = longest - len(os.fsencode(mark + ending))
    while stem and len(os.fsencode(stem)) > room:
        stem = stem[:-1]
    return stem + mark + ending


def longest_name(folder: Path) -> int:
    """The longest file name in this folder, in bytes."""
    try:
        return os.pathconf(folder, "PC_NAME_MAX")
    except (OSError, ValueError):
        return _LONGEST_NAME


def hand_over(
    context: Context, artifacts: Sequence[Artifact], stem: str, folder: Path, inputs: Sequence[Path], own: str = ""
) -> dict[str, str]:
    """Put the results into `folder` as STEM.dub.EXTENSION (STEM.dub.original.srt, STEM.dub.report.json), those of a
    further language with its `own` ending before that (STEM.dub.fr.srt), replacing earlier results, but never one of
    the inputs: then STEM.dub-2.EXTENSION. They get the umask that the command was started with.
    """
    with file_modes.as_the_person():
        return _hand_over(context, artifacts, stem, folder, inputs, own)


def _hand_over(
    context: Context, artifacts: Sequence[Artifact], stem: str, folder: Path, inputs: Sequence[Path], own: str
) -> dict[str, str]:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise UsageError(f"{folder} is a file, not a folder") from None
    except OSError as error:
        raise _unwritable(error, folder) from error
    taken = {path.resolve() for path in inputs}
    endings = {artifact.kind: f"{own}{NAMED.get(artifact.kind, '')}.{artifact.extension}" for artifact in artifacts}
    widest = max(endings.values(), key=len)
    number = 1
    while True:
        dub = ".dub" if number == 1 else f".dub-{number}"
        name = fitting(stem, dub + widest, longest_name(folder)).removesuffix(widest)
        targets = {kind: (folder / (name + ending)).resolve() for kind, ending in endings.items()}
        if not taken & set(targets.values()):
            break
        number += 1
    for artifact in artifacts:
        target = targets[artifact.kind]
        try:
            with (
                context.blobs.local_copy(artifact.key) as path,
                replacing(target, durable=Durable.NO) as partial,
            ):
                shutil.copyfile(path, partial)
        except OSError as error:
            raise _unwritable(error, folder) from error
    order = list(ArtifactKind)
    return {kind.value: str(targets[kind]) for kind in sorted(targets, key=order.index)}


def _unwritable(error: OSError, folder: Path) -> Exception:
    """The error for a folder that cannot be written. Unexpected errors are returned unchanged."""
    if is_disk_full(error):
        return DubError(DISK_FULL, str(folder))
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENAMETOOLONG, errno.ENOTDIR):
        return UsageError(f"{folder}: {error.strerror}")
    return error
