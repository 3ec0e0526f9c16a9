"""The scheduled backup: when it is due, and its record. A child process (`autodubber backup`) does the work."""

from __future__ import annotations

import contextlib
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import structlog

from app.backup.last_backup import Record, failure, known, write
from app.system.children import command

RETRY_S: Final = 1800.0
_FIRST_S: Final = 60.0  # delay after a start: a server that crashes repeatedly does not begin with a backup
_STOP_S: Final = 2.0
log = structlog.get_logger(__name__)


def due_in_s(record: Record | None, *, to: str, every_s: float, now: float) -> float:
    """Seconds until the next backup, counted from the last good one, also over restarts. A failed backup is retried
    within the hour."""
    if record is None or record.to != to:
        return min(_FIRST_S, every_s)
    wait_s = every_s if record.ok else min(RETRY_S, every_s)
    return min(wait_s, max(0.0, record.at + wait_s - now))  # still works after the clock was set back


class BackupSchedule:
    """The periodic task. `argv` is the command that makes the backup and writes its record; `run` blocks until it has
    ended, `stop` ends it."""

    def __init__(self, data: Path, *, to: str, every_s: float, argv: Sequence[str]) -> None:
        self._data, self._to, self._every_s, self._argv = data, to, every_s, list(argv)
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def due_in_s(self) -> float:
        return due_in_s(known(self._data), to=self._to, every_s=self._every_s, now=time.time())

    def run(self) -> int:
        """Make the backup unless another one was made meanwhile; returns 1 on success. A failure is logged and
        recorded."""
        record = known(self._data)
        if record is not None and due_in_s(record, to=self._to, every_s=self._every_s, now=time.time()) > 1.0:
            return 0  # an operator has made one
        started = time.time()
        with self._lock:
            if self._stopped:
                return 0
            self._child = subprocess.Popen(  # noqa: S603 - our own command
                command(self._argv),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        _, said = self._child.communicate()
        if self._stopped:
            return 0  # the next start repeats it
        record = known(self._data)
        if record is None or record.at < started:
            last = said.decode(errors="replace").strip().splitlines()
            record = failure(
                self._data,
                self._to,
                f"It ended with status {self._child.returncode}. {last[-1] if last else ''}".strip(),
                0.0,
            )
            write(self._data, record)
        if not record.ok:
            log.error(
                "the backup failed",
                to=record.to,
                error=record.error,
                last_good_at=record.good_at,
                next_try_s=min(RETRY_S, self._every_s),
            )
            return 0
        if record.missing or record.error:
            log.warning("the backup is good, but", missing=record.missing, error=record.error)
        log.info(
            "backed up",
            snapshot=record.snapshot,
            bytes=record.bytes,
            new_bytes=record.new_bytes,
            seconds=record.seconds,
        )
        return 1

    def stop(self) -> None:
        """Stop a running backup. The next one reuses what it has stored."""
        with self._lock:
            self._stopped = True
            child = self._child
        if child is not None and child.poll() is None:
            child.terminate()
            try:
                child.wait(_STOP_S)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    child.kill()
