"""Holds the downloader's process to what it may do, whatever the downloader or a page wants.

Python's audit hooks are called for every socket, program and file, cannot be removed, and see the IP address that is
connected to: a redirect, or a name that resolves to another address the second time, does not get round them.
Installed before the downloader is imported.
"""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from app.domain.networks import Network, allowed

_WRITES: Final = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_NEVER: Final = frozenset({"os.system", "os.exec", "os.posix_spawn", "os.spawn", "os.fork", "os.forkpty", "pty.spawn"})
_MOVES: Final = frozenset(
    {"os.remove", "os.rmdir", "os.mkdir", "os.truncate", "os.chmod", "os.chown", "os.utime", "shutil.rmtree"}
)
_PAIRS: Final = frozenset({"os.rename", "os.link", "os.symlink"})


class Refused(PermissionError):
    """A connection to an address that is not allowed."""


class Guard:
    """`refused` are the hosts to which a connection was refused."""

    def __init__(self, folder: Path, networks: Sequence[Network], programs: Sequence[str]) -> None:
        """Only files of `folder` may be written; only `programs`, by their real paths, may be started."""
        self.refused: list[str] = []
        self._folder = str(folder.resolve()) + os.sep
        self._networks = tuple(networks)
        self._programs = frozenset(os.path.realpath(program) for program in programs)

    def install(self) -> None:
        sys.addaudithook(self._look)

    def _look(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
            self._connection(arguments[0], arguments[-1])
        elif event == "open":
            path, _, flags = arguments
            if isinstance(flags, int) and flags & _WRITES:
                self._written(path)
        elif event == "subprocess.Popen":
            if os.path.realpath(os.fspath(arguments[0])) not in self._programs:
                raise PermissionError(errno.EPERM, "the downloader may not start a program")
        elif event in _NEVER:
            raise PermissionError(errno.EPERM, "the downloader may not start a program")
        elif event in _MOVES:
            self._written(arguments[0])
        elif event in _PAIRS:
            self._written(arguments[0])
            self._written(arguments[1])

    def _connection(self, used: Any, address: Any) -> None:
        if used.family not in (socket.AF_INET, socket.AF_INET6):
            raise Refused(errno.EACCES, "the downloader may only use the network")
        if address is None:  # on a socket that is connected, which was checked then
            return
        host = address[0]
        if not isinstance(host, str) or not allowed(host, self._networks):
            self.refused.append(str(host))
            raise Refused(errno.EACCES, "an address that links may not lead to")

    def _written(self, path: Any) -> None:
        if isinstance(path, int):
            return
        name = os.path.realpath(os.fsdecode(path))
        if not (name + os.sep).startswith(self._folder) and name != os.devnull:
            raise PermissionError(errno.EACCES, "the downloader may only write into its folder")
