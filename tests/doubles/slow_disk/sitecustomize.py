"""A disk that stores no clip while the file SLOW_DISK_WHILE is there. Python reads this at its start, where the folder
is in PYTHONPATH."""

import os
import time
from pathlib import Path

_sync = os.fsync


def _slow(descriptor: int) -> None:
    while (
        "/blobs/clips/" in str(Path(f"/proc/self/fd/{descriptor}").readlink())
        and Path(os.environ["SLOW_DISK_WHILE"]).exists()
    ):
        time.sleep(0.01)
    _sync(descriptor)


os.fsync = _slow
