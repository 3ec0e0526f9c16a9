"""What happens to the server at three in the morning: each harm does its worst and ends; `Harms.one` chooses the
next."""

from __future__ import annotations

import contextlib
import random
import socket
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Final

from tests.integration.running import Running
from tests.soak.volume import Volume

_DATABASES: Final = ("app.sqlite3", "engine.sqlite3")
_CONNECTIONS: Final = 400
_REQUESTS: Final = (
    b"GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    (
        b"POST /api/uploads HTTP/1.1\r\nHost: 127.0.0.1\r\nTus-Resumable: 1.0.0\r\nUpload-Length: "
        b"90000\r\nContent-Length: 0\r\n\r\n"
    ),
    b"GET /api/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
    b"POST /api/jobs HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 400000\r\n\r\n"
    + b"[" * 300_000,
)


class Harms:
    """Counts what it did. The server runs when a harm ends, but for a disk that is still full."""

    def __init__(self, server: Running, volume: Volume, seed: str) -> None:
        self._server, self._volume, self._random = server, volume, random.Random(seed)
        self.done: Counter[str] = Counter()
        self._all: list[Callable[[], None]] = [
            self.kill,
            self.kill,
            self.kill,
            self.stop,
            self.fill,
            self.fill,
            self.kill_on_full_disk,
            self.lock,
            self.flood,
        ]

    def one(self) -> str:
        """Do one harm; returns its name."""
        harm = self._random.choice(self._all)
        harm()
        self.done[harm.__name__] += 1
        return harm.__name__

    def kill(self) -> None:
        self._server.kill()
        time.sleep(self._random.uniform(0, 1))
        self._server.start(ready=False)

    def stop(self) -> None:
        self._server.stop()
        self._server.start(ready=False)

    def fill(self) -> None:
        """The disk is full for some seconds, to the last byte or nearly."""
        self._volume.fill(self._random.choice([0, 0, 4096, 200_000]))
        time.sleep(self._random.uniform(1, 15))
        self._volume.empty()

    def kill_on_full_disk(self) -> None:
        """The server starts again while nothing can be written."""
        self._volume.fill()
        time.sleep(self._random.uniform(0, 2))
        self._server.kill()
        self._server.start(ready=False)
        time.sleep(self._random.uniform(1, 8))
        self._volume.empty()

    def lock(self) -> None:
        """Another program writes to a database, sometimes for longer than a request waits."""
        path = self._server.data / self._random.choice(_DATABASES)
        with contextlib.closing(sqlite3.connect(path, timeout=10, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            time.sleep(self._random.choice([1, 3, 10, 35]))
            connection.execute("ROLLBACK")

    def flood(self) -> None:
        """Hundreds of connections at once: sockets, uploads that never come, lists, and JSON that nests without end."""
        over = time.monotonic() + self._random.uniform(1, 4)
        held = []
        for at in range(_CONNECTIONS):
            with contextlib.suppress(OSError):
                connection = socket.create_connection(("127.0.0.1", self._server.port), timeout=2)
                connection.sendall(_REQUESTS[at % len(_REQUESTS)])
                held.append(connection)
        time.sleep(max(0.0, over - time.monotonic()))
        for connection in held:
            connection.close()


def settle(server: Running, volume: Volume, over: threading.Event, people: list[threading.Thread]) -> None:
    """The harms are over: give everything back, let the people go, and have a server that is ready."""
    volume.empty()
    over.set()
    for person in people:
        person.join(120)
    if server.process is None or server.process.poll() is not None:
        server.start()
