"""`autodubber serve`: Granian with one worker, which ends with this process and locks the data folder."""

from __future__ import annotations

import encodings.idna  # noqa: F401 - else imported by `_announce` in a thread during the fork, and the worker would wait for its import lock for ever
import functools
import gc
import http.client
import logging
import multiprocessing
import os
import signal
import socket
import sqlite3
import sys
import threading
import time
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any, Final

from app import __version__
from app.config.address import url_of
from app.config.settings import Settings
from app.observability import log_file, logs
from app.server.graceful_stop import STOPS, SignalEvent, stopping_loop
from app.storage.revision import NewerDatabase, revision
from app.system import data_lock, file_handles
from app.system.console import say
from app.system.disk_full import is_disk_full
from app.system.exit_status import ENVIRONMENT, INTERNAL, OK

_log = logging.getLogger("server")
KILL_AFTER_S: Final = 8  # 2 s for WebSockets, 3 s for other connections; container engines kill after 10 s
_HEAD_BYTES: Final = 408 << 10  # of a request's head: Granian itself refuses a larger one (431, no body)
_HEAD_MS: Final = 30_000  # time for a request's head, and between two requests of a connection
_READY_WITHIN_S: Final = 60.0


def is_free(host: str, port: int) -> bool:
    """Whether no server listens there. Granian shares a port (SO_REUSEPORT) and would not notice another one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def load(failed: Event, parent: int, _target: str) -> Any:
    """Start the worker: tie it to its parent, lock the data folder, build the application. A failure stops the parent
    too, with its reason.

    The forked worker has the parent's signal handlers, and Python forgets a signal that arrives while it starts: until
    here both are held back (`_hold_stops_during_forks`). Until Granian installs the worker's own handlers, SIGTERM
    ends it: no work has begun. Ctrl-C reaches parent and worker; the parent's SIGTERM is enough.
    """
    data_lock.die_with(parent)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS)
    gc.disable()  # until everything is loaded; `app.server.lifespan` enables it again
    try:
        from app.config import environment

        _claim(environment.load().data)
        from app.server.app import app_from_env

        return app_from_env()
    except BaseException as error:
        if isinstance(error, data_lock.InUse):
            say(f"autodubber: {error}", to=sys.stderr)
        else:
            _log.critical("the server cannot start", exc_info=True)
        failed.set()
        os.kill(parent, signal.SIGTERM)
        raise SystemExit(1) from None


def _hold_stops_during_forks() -> None:
    """Let a forked process receive SIGTERM and SIGINT only when it unblocks them."""
    os.register_at_fork(
        before=lambda: signal.pthread_sigmask(signal.SIG_BLOCK, STOPS),
        after_in_parent=lambda: signal.pthread_sigmask(signal.SIG_UNBLOCK, STOPS),
    )


def _claim(data: Path) -> None:
    """Lock the data folder. On a full disk, `app.server.lifespan` tries it again."""
    try:
        data_lock.claim(data)
    except OSError as error:
        if not is_disk_full(error):
            raise


def _announce(settings: Settings, started: float) -> None:
    """Print the address as soon as the server answers."""
    url = url_of(settings.host, settings.port)
    host = url.removeprefix("http://").rsplit(":", 1)[0].strip("[]")
    while time.monotonic() - started < _READY_WITHIN_S:
        connection = http.client.HTTPConnection(host, settings.port, timeout=2)
        try:
            connection.request("GET", "/health/live")
            if connection.getresponse().status == 200:
                _say_address(settings, url, time.monotonic() - started)
                return
        except OSError:
            time.sleep(0.05)
        finally:
            connection.close()


def _say_address(settings: Settings, url: str, seconds: float) -> None:
    """Write the address as a log line when the log is JSON, else as text for the terminal."""
    said = f"AutoDubber {__version__} answers on {url} after {seconds:.1f} s"
    if settings.log_format == "json":
        _log.info(
            said, extra={"url": url, "version": __version__, "seconds": round(seconds, 3), "data": str(settings.data)}
        )
    if settings.log_format != "json" or sys.stderr.isatty():
        say(f"{said} (data in {settings.data}; Ctrl-C stops it)", to=sys.stderr)


def _refusal(settings: Settings) -> str:
    """Why this version does not open the data folder: a newer one has changed it. "" where it may try; the worker
    reports anything else."""
    try:
        revision(settings.data / "app.sqlite3")
    except NewerDatabase as error:
        return f"cannot open {settings.data}: {error}"
    except sqlite3.Error:
        pass
    return ""


def run(settings: Settings) -> int:
    """Serve until SIGINT or SIGTERM; returns the exit status. The settings are in the environment too: the worker reads
    them there."""
    started = time.monotonic()
    try:
        most_bytes, keep = settings.log_file_bytes, settings.log_file_keep
        file = log_file.opened(settings.log_file, within=settings.data, most_bytes=most_bytes, keep=keep, rotates=False)
    except log_file.LogFileUnusable as error:
        say(f"autodubber: {error}; AUTODUBBER_LOG_FILE names another", to=sys.stderr)
        return ENVIRONMENT
    logs.hide(settings.secrets)
    logs.configure(settings.log_level, settings.log_format, sys.stdout, file)
    if refusal := _refusal(settings):
        say(f"autodubber: {refusal}", to=sys.stderr)
        return ENVIRONMENT
    from granian import Granian, loops
    from granian.constants import HTTPModes, Interfaces
    from granian.http import HTTP1Settings
    from granian.log import LogLevels

    loops.register("auto")(stopping_loop)
    file_handles.raise_limit()
    sockets = file_handles.sockets_of(settings.max_sockets)
    if sockets < settings.max_sockets:
        _log.warning(
            "the limit of open files is low: fewer live connections are taken",
            extra={"open_files": file_handles.limit(), "sockets": sockets},
        )
    failed = multiprocessing.Event()
    server = Granian(
        "app.server.app:app_from_env",
        address=settings.host,
        port=settings.port,
        interface=Interfaces.ASGI,
        workers=1,
        backpressure=file_handles.connections_of(sockets),
        # HTTP/1.1 only: to detect the version, Granian would wait without limit for a silent client
        http=HTTPModes.http1,
        http1_settings=HTTP1Settings(max_buffer_size=_HEAD_BYTES, header_read_timeout=_HEAD_MS),
        workers_kill_timeout=KILL_AFTER_S,
        respawn_failed_workers=True,
        log_level=LogLevels.debug if settings.log_level == "debug" else LogLevels.warning,
        log_dictconfig={
            "formatters": {},
            "handlers": {},
            "loggers": {"_granian": {}, "granian.access": {}},
        },  # pass records to the root logger: one log
    )
    server.main_loop_interrupt = SignalEvent()
    _hold_stops_during_forks()
    server.on_startup(lambda: threading.Thread(target=_announce, args=(settings, started), daemon=True).start())
    try:
        server.serve(target_loader=functools.partial(load, failed, os.getpid()))
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else INTERNAL
    return INTERNAL if failed.is_set() else OK
