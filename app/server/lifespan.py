"""Opens the server's services at the start and closes them at the end. On a full disk it waits and opens them when
there is room.

Until they are open the server is alive, not ready, and says why.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import multiprocessing
import os
import shutil
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import structlog
from litestar import Litestar

from app import __version__
from app.api.events import Shutdown
from app.config.settings import Settings
from app.observability import tracing
from app.observability.loop_lag import LoopWatch
from app.system import data_lock
from app.system.console import say
from app.system.disk_full import is_disk_full

if TYPE_CHECKING:
    from app.server.services import Services

AGAIN_S: Final = 2.0
_WAITS: Final = "It waits for room: the disk is full. It goes on by itself."
_log = structlog.get_logger("server")


class Lifespan:
    """One for each application. Call `begin` and `end` once each, on the server's loop."""

    def __init__(self, app: Litestar, settings: Settings, closing: Shutdown) -> None:
        self._app, self._settings, self._closing = app, settings, closing
        self._watch = LoopWatch()
        self._services: Services | None = None
        self._launch: asyncio.Task[None] | None = None
        self._periodic_tasks: list[asyncio.Task[Any]] = []
        self.ends = False  # the services are being closed

    async def begin(self) -> None:
        """Open the services, or begin to wait for free space. The job engine starts meanwhile."""
        self._do(self._watch.run())
        if not await self._opened():
            _log.error("the server waits for room", data=str(self._settings.data))
            self._app.state.update(health=self._waiting())
            self._launch = asyncio.create_task(self._open_later())

    async def end(self) -> None:
        """Stop running work and close the services. The server is already stopping."""
        self.ends = True
        for periodic_task in self._periodic_tasks:
            periodic_task.cancel()
        await asyncio.gather(
            *(task for task in (self._launch, *self._periodic_tasks) if task is not None), return_exceptions=True
        )
        await self.close()

    async def close(self) -> None:
        if self._services is not None:
            await self._services.close()

    async def _open_later(self) -> None:
        while not await self._stops():
            if await self._opened():
                _log.info("the server goes on: there is room")
                return

    async def _opened(self) -> bool:
        """Open the services; False when the disk is full. Any other failure stops the server with one line."""
        settings = self._settings
        try:
            own(settings.data)
            from app.server.services import Services

            services = await asyncio.to_thread(Services, settings)
        except data_lock.InUse:
            raise
        except Exception as error:
            if is_disk_full(error, settings.data):
                return False
            _give_up(f"cannot open {settings.data}: {str(error).splitlines()[0]}")
            raise
        self._services = services
        self._provide(services)
        from app.retention import periodic_tasks

        await services.links.start()
        self._launch = asyncio.create_task(self._launched(services))
        self._do(periodic_tasks.run(services.periodic_tasks()))
        return True

    def _provide(self, services: Services) -> None:
        """Provide the handlers with their dependencies."""
        from app.api.health import Health, room, writable
        from app.api.metrics import Gauges, Metrics
        from app.server.engines import environment_keys

        settings, free_bytes = self._settings, services.blobs.free_bytes
        probes = {
            "database": services.database_trouble,
            "storage": writable(settings.data),
            "disk": room(free_bytes, settings.min_free_bytes),
            "ffmpeg": services.ffmpeg_trouble,
            "engine": services.engine_trouble,
        }
        health = Health(
            version=__version__,
            probes=probes,
            jobs=services.store.counts,
            sockets=lambda: services.hub.subscribers,
            free_bytes=free_bytes,
        )
        standing = Gauges(
            health,
            services.queue_lengths,
            services.waits_s,
            services.blob_bytes,
            self._watch.take,
            settings.data,
            settings.min_free_bytes,
        )
        self._app.state.update(
            service=services.service,
            hub=services.hub,
            uploads=services.uploads,
            registry=services.registry,
            secrets=services.secrets,
            glossaries=services.glossaries,
            environment_keys=environment_keys(settings),
            health=health,
            metrics=Metrics(standing, __version__),
            usage=services.usage,
            links=services.links,
        )

    def _waiting(self) -> Any:
        """The health of a server that still waits for free space."""
        from app.api.health import Health, room, writable

        data, floor = self._settings.data, self._settings.min_free_bytes
        probes = {
            "database": lambda: _WAITS,
            "storage": writable(data),
            "disk": room(lambda: _free_bytes(data), floor),
            "engine": lambda: _WAITS,
        }
        return Health(
            version=__version__, probes=probes, jobs=dict, sockets=lambda: 0, free_bytes=lambda: _free_bytes(data)
        )

    async def _launched(self, services: Services) -> None:
        """Start tracing, when it is set, and the job engine, until it runs. Objects that exist then are excluded from
        garbage collection.

        A full collection went through 400 000 objects with the interpreter's lock held: 85 ms, and half a second where
        the processors were taken.
        """
        await asyncio.to_thread(
            tracing.start, self._settings.otlp_endpoint, self._settings.otlp_headers, version=__version__
        )
        launched = await asyncio.to_thread(services.launch)
        if not gc.isenabled():  # `app.server.granian` has disabled it for the start
            gc.freeze()
            gc.enable()
        while not launched and not await self._stops():
            launched = await asyncio.to_thread(services.launch)

    async def _stops(self) -> bool:
        """Wait for the next attempt; True when the server stops first."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(AGAIN_S):
                await self._closing.wait()
        return self._closing.is_set()

    def _do(self, work: Coroutine[Any, Any, Any]) -> None:
        self._periodic_tasks.append(asyncio.create_task(work))


def own(data: Path) -> None:
    """Lock the data folder; a second server ends here with one line."""
    try:
        data_lock.claim(data)
    except data_lock.InUse as error:
        say(f"autodubber: {error}", to=sys.stderr)
        raise


def _free_bytes(folder: Path) -> int:
    """The free space of the disk that the folder is, or will be, on."""
    while not folder.exists():
        folder = folder.parent
    return shutil.disk_usage(folder).free


def _give_up(reason: str) -> None:
    """Print in one line why the server cannot start. In Granian's worker, exit at once: Granian would print the
    traceback four times."""
    _log.critical("the server cannot start", reason=reason, exc_info=True)
    say(f"autodubber: {reason}", to=sys.stderr)
    if multiprocessing.parent_process() is not None:
        os._exit(1)
