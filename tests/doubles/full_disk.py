"""A full disk for this process, without a disk: the kernel lets no file grow beyond its first byte."""

from __future__ import annotations

import contextlib
import resource
import signal
from collections.abc import Iterator

from structlog.testing import capture_logs


@contextlib.contextmanager
def full_disk() -> Iterator[None]:
    """Within it every write into a file fails (EFBIG), SQLite's too."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1, before[1]))
        with capture_logs():  # they would be written into a file, by pytest
            yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
