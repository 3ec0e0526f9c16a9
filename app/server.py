"""Wires the rooms into one Litestar application and gives it a life."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from importlib import metadata

from litestar import Litestar

from app.api import routes
from app.api.depends import Limits
from app.settings import Settings, load


def version() -> str:
    try:
        return metadata.version("autodubber")
    except metadata.PackageNotFoundError:
        return "0"


def create_app(settings: Settings) -> Litestar:
    """The application. Touches neither disk nor network until it is started."""
    limits = Limits(
        version(), settings.max_upload_bytes, settings.max_duration_s, settings.upload_expiry_s, settings.min_free_bytes,
        frozenset(origin.strip().rstrip("/") for origin in settings.allowed_origins.split(",") if origin.strip()), settings.metrics,
    )

    @contextlib.asynccontextmanager
    async def life(app: Litestar) -> AsyncIterator[None]:
        yield

    return routes.build(limits, [life])


def app_from_env() -> Litestar:
    """The factory for Granian: `granian --factory app.server:app_from_env`."""
    return create_app(load())
