"""Builds the Litestar application: routes, middleware and lifespan."""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

import structlog
from litestar import Litestar

from app import __version__
from app.api import routes
from app.api.depends import OperatorLimits
from app.api.events import Shutdown
from app.api.leases import Leases
from app.api.pages import Pages
from app.config import hosts
from app.config.environment import load
from app.config.settings import Settings
from app.observability import log_file, logs, tracing
from app.observability.stacks import stacks
from app.server.graceful_stop import StoppingLoop
from app.server.lifespan import Lifespan
from app.system import file_handles, file_modes, scheduling

_THREADS: Final = 32
_CLOSE_WITHIN_S: Final = 2.0
_GRACE_S: Final = 3.0
_END_S: Final = 1.5  # for the services, once more; then all that is left is cut, before Granian does it
_log = structlog.get_logger("server")


def create_app(settings: Settings) -> Litestar:
    """The application. It uses neither disk nor network until it is started."""
    limits = OperatorLimits(
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
    """The factory for Granian. Configures the log of this process, which rotates the log file."""
    settings = load()
    file = log_file.opened(
        settings.log_file,
        within=settings.data,
        most_bytes=settings.log_file_bytes,
        keep=settings.log_file_keep,
        rotates=True,
    )
    logs.hide(settings.secrets)
    logs.configure(settings.log_level, settings.log_format, sys.stdout, file)
    return create_app(settings)


@contextlib.asynccontextmanager
async def _life(app: Litestar, settings: Settings) -> AsyncIterator[None]:
    """Lock the data folder, open the services, answer; the job engine starts meanwhile. At the end: sockets, engine,
    voices, database."""
    file_modes.private(settings.data)
    loop = asyncio.get_running_loop()
    # the default, 6 threads on 2 cores, is too few for a slow disk
    loop.set_default_executor(ThreadPoolExecutor(_THREADS, "worker"))
    closing = Shutdown(file_handles.sockets_of(settings.max_sockets))
    app.state.update(closing=closing, pages=await asyncio.to_thread(Pages, page_folder(), settings.base_path))
    is_own = isinstance(loop, StoppingLoop)  # a server's own process
    if isinstance(loop, StoppingLoop):
        loop.before_stop = lambda: _close_sockets(closing)
        scheduling.shorten()
    life = Lifespan(app, settings, closing)
    await life.begin()
    interrupt = asyncio.create_task(_interrupt(app.state["leases"], closing))
    leave = asyncio.create_task(_leave(life, closing))
    try:
        yield
    finally:
        if not is_own:
            leave.cancel()
        closing.set()
        await asyncio.gather(interrupt, return_exceptions=True)
        await life.end()
        await asyncio.to_thread(tracing.stop)
        leave.cancel()
        await asyncio.gather(leave, return_exceptions=True)


async def _close_sockets(closing: Shutdown) -> None:
    """Close every WebSocket before the server stops: it would cut them."""
    _log.info("the server stops")
    if deaf := await closing.close_sockets(_CLOSE_WITHIN_S):
        _log.info("sockets are cut: their clients take nothing", sockets=deaf)


async def _interrupt(leases: Leases, closing: asyncio.Event) -> None:
    """End running uploads when the server stops. They keep their bytes, and their clients go on later."""
    await closing.wait()
    leases.interrupt_all()


async def _leave(life: Lifespan, closing: Shutdown) -> None:
    """End the process when something is still open after a while: Granian would wait for every connection, even a
    paused player's, and a service may hang. Nothing is lost: what is finished is on disk."""
    await closing.wait()
    await closing.close_sockets(_CLOSE_WITHIN_S)
    await asyncio.sleep(_GRACE_S)
    if life.ends:
        _log.warning("the services do not end; the server stops without them", stacks=stacks())
    else:
        _log.info("connections are still open; the server stops without them")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_END_S):
            await life.close()
            await asyncio.to_thread(tracing.stop, 1.0)
    os._exit(0)


def page_folder() -> Path:
    """The folder of the built page: beside the package, in a checkout and in the image."""
    return Path(__file__).resolve().parents[2] / "web" / "build"
