"""A small disk of its own for the server: a tmpfs that can be filled to the last byte and emptied again."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path
from typing import Final

_BLOCK: Final = bytes(1 << 16)


def in_own_namespace() -> None:
    """Mounting needs root. Anybody else becomes root of a namespace of their own; returns in the process that may
    mount."""
    if os.geteuid() == 0:
        return
    command = ["unshare", "--user", "--map-root-user", "--mount", sys.executable, "-m", "tests.soak"]
    try:
        os.execvp(command[0], command)  # noqa: S606 - becoming the process that may mount
    except OSError as error:
        raise SystemExit(f"make soak mounts a small disk: run it as root, or allow user namespaces ({error})") from None


class Volume:
    """A tmpfs of `size_bytes` at `path`, mounted by `open`, unmounted by `close`."""

    def __init__(self, path: Path, size_bytes: int) -> None:
        self.path, self._size_bytes = path, size_bytes
        self._ballast = path / "ballast"

    def open(self) -> Volume:
        self.path.mkdir(parents=True)
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={self._size_bytes}", "tmpfs", str(self.path)], check=True)
        return self

    def close(self) -> None:
        subprocess.run(["umount", "--lazy", str(self.path)], check=True)

    def free_bytes(self) -> int:
        status = os.statvfs(self.path)
        return status.f_bavail * status.f_frsize

    def fill(self, leave_bytes: int = 0) -> None:
        """Write until no more than `leave_bytes` are free. The server writes too: what it gives back meanwhile is taken
        as well."""
        with self._ballast.open("ab", buffering=0) as file, contextlib.suppress(OSError):
            while (free := self.free_bytes() - leave_bytes) > 0:
                file.write(_BLOCK[:free])

    def empty(self) -> None:
        """Give the room back."""
        self._ballast.unlink(missing_ok=True)
