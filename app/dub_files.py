"""The folders and files of `autodubber dub`: its scratch, the clips that outlive it, and the results."""

from __future__ import annotations

import contextlib
import fcntl
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from app.domain.errors import DISK_FULL, DubError
from app.domain.media import NAMED, Artifact, ArtifactKind
from app.exit_status import UsageError

if TYPE_CHECKING:
    from app.dubbing.kit import Kit

CLIP_KEPT_S: Final = 30 * 24 * 3600.0


@contextlib.contextmanager
def run_folder(data: Path) -> Iterator[Path]:
    """A folder for one run, removed when the block ends; what killed runs left is removed first."""
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


def kept_clips(data: Path) -> Path:
    """The folder of spoken lines that outlives a run; what nobody used for 30 days goes."""
    folder = data / "cli" / "clips"
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if time.time() - path.stat().st_mtime > CLIP_KEPT_S:
            path.unlink(missing_ok=True)
    return folder


def hand_over(kit: Kit, artifacts: Sequence[Artifact], stem: str, folder: Path, inputs: Sequence[Path]) -> dict[str, str]:
    """Put the results into `folder` as STEM.dub.EXTENSION (STEM.dub.original.srt, STEM.dub.report.json), replacing earlier results, but never
    one of the inputs: then STEM.dub-2.EXTENSION.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        raise UsageError(f"{folder} is a file, not a folder") from None
    taken = {path.resolve() for path in inputs}
    number = 1
    while True:
        name = f"{stem}.dub" if number == 1 else f"{stem}.dub-{number}"
        targets = {artifact.kind: (folder / f"{name}{NAMED.get(artifact.kind, '')}.{artifact.extension}").resolve() for artifact in artifacts}
        if not taken & set(targets.values()):
            break
        number += 1
    for artifact in artifacts:
        target = targets[artifact.kind]
        partial = target.with_name(f".{target.name}.part")
        try:
            shutil.copyfile(kit.blobs.path(artifact.key), partial)
            partial.replace(target)
        except OSError as error:
            if error.errno in (28, 122):  # ENOSPC, EDQUOT
                raise DubError(DISK_FULL, str(folder)) from error
            raise
        finally:
            partial.unlink(missing_ok=True)
    order = list(ArtifactKind)
    return {kind.value: str(targets[kind]) for kind in sorted(targets, key=order.index)}
