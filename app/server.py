"""Wires the rooms into one Litestar application and gives it a life."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import multiprocessing
import os
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Final

import structlog
from litestar import Litestar

from app import __version__, guard, hosts, log_file, logs, telemetry, turns
from app.api import routes
from app.api.depends import Limits
from app.api.events import Closing
from app.api.lag import LoopWatch
from app.api.leases import Leases
from app.api.pages import Pages
from app.settings import Settings, load
from app.stopping import StoppingLoop

if TYPE_CHECKING:
    from app.rooms import Rooms

_THREADS: Final = 32
_FAREWELL_S: Final = 2.0
_GRACE_S: Final = 3.0
_log = structlog.get_logger("server")


def create_app(settings: Settings) -> Litestar:
    """The application. Touches neither disk nor network until it is started."""
    limits = Limits(
        __version__,
        settings.max_upload_bytes,
        settings.max_duration_s,
        settings.upload_expiry_s,
        settings.min_free_bytes,
        settings.origins,
        settings.metrics,
        settings.metrics_token,
        settings.base_path,
        settings.trusted_proxies,
        settings.access_log,
    )

    @contextlib.asynccontextmanager
    async def life(app: Litestar) -> AsyncIterator[None]:
        async with _life(app, settings):
            yield

    return routes.build(limits, [life], hosts.known(settings.allowed_hosts, settings.origins, settings.host))


def app_from_env() -> Litestar:
    """The factory for Granian. Configures this process's log: the one that rotates the file."""
    settings = load()
    file = log_file.opened(settings.log_file, most_bytes=settings.log_file_bytes, keep=settings.log_file_keep, rotates=True)
    logs.hide(settings.secrets)
    logs.configure(settings.log_level, settings.log_format, sys.stdout, file)
    return create_app(settings)


@contextlib.asynccontextmanager
async def _life(app: Litestar, settings: Settings) -> AsyncIterator[None]:
    """Own the data folder, open the rooms, answer; the engine launches meanwhile. At the end: sockets, engine, voices, database."""
    _own(settings.data)
    from app.api.health import Health, room, writable
    from app.api.metrics import Metrics, Standing
    from app.jobs import housekeeping
    from app.rooms import Rooms

    loop = asyncio.get_running_loop()
    loop.set_default_executor(ThreadPoolExecutor(_THREADS, "worker"))  # the default, 6 on 2 cores, starves on a slow disk
    try:
        rooms = await asyncio.to_thread(Rooms, settings)
    except Exception as error:
        _give_up(f"cannot open {settings.data}: {str(error).splitlines()[0]}")
        raise
    closing, watch = Closing(), LoopWatch()
    probes = {
        "database": rooms.database_trouble,
        "storage": writable(settings.data),
        "disk": room(rooms.blobs.free_bytes, settings.min_free_bytes),
        "ffmpeg": rooms.ffmpeg_trouble,
        "engine": rooms.engine_trouble,
    }
    health = Health(
        version=__version__, probes=probes, jobs=rooms.store.counts, sockets=lambda: rooms.hub.subscribers, free_bytes=rooms.blobs.free_bytes
    )
    app.state.update(
        service=rooms.service,
        hub=rooms.hub,
        uploads=rooms.uploads,
        registry=rooms.registry,
        secrets=rooms.secrets,
        environment_key=settings.elevenlabs_key,
        health=health,
        metrics=Metrics(
            Standing(health, rooms.queue_lengths, rooms.waits_s, rooms.kept_bytes, watch.take, settings.data, settings.min_free_bytes), __version__
        ),
        pages=await asyncio.to_thread(Pages, page_folder(), settings.base_path),
        closing=closing,
        stock=rooms.stock,
    )
    if isinstance(loop, StoppingLoop):  # a server's own process
        loop.before_stop = lambda: _say_goodbye(closing)
        turns.shorten()
    launch = asyncio.create_task(_launch(rooms, settings))
    chores = [asyncio.create_task(housekeeping.run(rooms.chores())), asyncio.create_task(watch.run())]
    interrupt = asyncio.create_task(_interrupt(app.state["leases"], closing))
    leave = asyncio.create_task(_leave(rooms, closing))
    try:
        yield
    finally:
        leave.cancel()
        closing.set()
        for chore in chores:
            chore.cancel()
        await asyncio.gather(leave, launch, interrupt, *chores, return_exceptions=True)
        await rooms.close()
        await asyncio.to_thread(telemetry.stop)


def _own(data: Path) -> None:
    """One server for one data folder: a second one ends here with one line."""
    try:
        guard.claim(data)
    except guard.InUse as error:
        sys.stderr.write(f"autodubber: {error}\n")
        raise


def _give_up(reason: str) -> None:
    """Say in one line why the server cannot start. As Granian's worker, end at once: its way would print the traceback four times."""
    _log.critical("the server cannot start", reason=reason, exc_info=True)
    sys.stderr.write(f"autodubber: {reason}\n")
    if multiprocessing.parent_process() is not None:
        sys.stderr.flush()
        os._exit(1)


async def _launch(rooms: Rooms, settings: Settings) -> None:
    """Start what traces it, where that is wished, and the engine. What stands then stays, and the garbage collector need not look at it again.

    A full collection went through 400 000 objects with the interpreter's lock held: 85 ms, and half a second where the processors were taken.
    """
    await asyncio.to_thread(telemetry.start, settings.otlp_endpoint, settings.otlp_headers, version=__version__)
    await asyncio.to_thread(rooms.launch)
    if not gc.isenabled():  # `app.serve` has turned it off for the start
        gc.freeze()
        gc.enable()


async def _say_goodbye(closing: Closing) -> None:
    """Before the server stops, which cuts what is open: close every socket."""
    _log.info("the server stops")
    if deaf := await closing.farewell(_FAREWELL_S):
        _log.info("sockets are cut: their clients take nothing", sockets=deaf)


async def _interrupt(leases: Leases, closing: asyncio.Event) -> None:
    """When the server stops, uploads in progress keep what they have and end; their clients go on later."""
    await closing.wait()
    leases.interrupt_all()


async def _leave(rooms: Rooms, closing: Closing) -> None:
    """Granian waits for every connection, also for that of a paused player, which reads nothing more. After a while: close, and go."""
    await closing.wait()
    await closing.farewell(_FAREWELL_S)
    await asyncio.sleep(_GRACE_S)
    _log.info("connections are still open; the server stops without them")
    await rooms.close()
    await asyncio.to_thread(telemetry.stop, 1.0)
    os._exit(0)


def page_folder() -> Path:
    """Where the built page lies: beside the package, in a checkout as in the image."""
    return Path(__file__).resolve().parent.parent / "web" / "build"
