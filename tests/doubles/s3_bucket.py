"""What the double of S3 holds, and what goes wrong with it on purpose."""

from __future__ import annotations

import threading
import time
from pathlib import Path

BUCKET = "backups"
_PAGE = 1000


class Fault:
    """What goes wrong with the next `times` requests whose "METHOD /path" contains `on`.

    `kind`: "500", "503", "slow" (waits `delay_s`), "cut" (half of the answer's body, then the connection is dropped),
    "drop" (no answer at all).
    """

    def __init__(self, kind: str, on: str = "", times: int = 1, delay_s: float = 0.0) -> None:
        self.kind, self.on, self.times, self.delay_s = kind, on, times, delay_s


class Bucket:
    """What the server holds and what it was asked. `violations` are requests that AWS would refuse."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lock = threading.Lock()
        self.objects: dict[str, tuple[Path, str, float]] = {}  # key to file, ETag, time
        self.uploads: dict[str, dict[int, tuple[Path, str]]] = {}
        self.requests: list[str] = []
        self.violations: list[str] = []
        self.faults: list[Fault] = []
        self.denied: set[str] = set()  # methods that the key may not use
        self.page = _PAGE
        self.ahead_s = 0.0  # its clock against ours

    def fault(self, line: str) -> Fault | None:
        with self.lock:
            for fault in self.faults:
                if fault.on in line and fault.times > 0:
                    fault.times -= 1
                    return fault
        return None

    def store(self, key: str, file: Path, etag: str) -> None:
        with self.lock:
            self.objects[key] = (file, etag, time.time() + self.ahead_s)
