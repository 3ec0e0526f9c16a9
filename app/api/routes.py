"""All routes as one Litestar application. `app.server.app` adds the lifespan."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final, cast

from litestar import Litestar
from litestar.config.cors import CORSConfig
from litestar.datastructures import State

from app.api import (
    downloads,
    events,
    glossaries,
    jobs,
    languages,
    links,
    pages,
    preferences,
    problems,
    segments,
    speakers,
    storage,
    subtitle_preview,
    system,
    translation,
    upload_headers,
    uploads,
    voices,
)
from app.api.bodies import CheckedRequest
from app.api.compression import compression
from app.api.depends import OperatorLimits, providers
from app.api.keys import keys_of_request
from app.api.leases import Leases
from app.api.prefix import Prefix
from app.api.schema import openapi_config
from app.api.security import RequestGate
from app.config import trusted_proxies
from app.config.hosts import Hosts

_BODY_BYTES: Final = 8 << 20  # of a JSON body; uploads have their own limit
# not imported here: they import the database
_NAMES: Final = (
    "JobService",
    "Hub",
    "UploadStore",
    "Registry",
    "SecretStore",
    "StorageUsage",
    "Links",
    "GlossaryStore",
)
_EXPOSED: Final = ["ETag", "Location", "Content-Disposition", "Content-Range", "X-Request-Id", *upload_headers.EXPOSED]


def build(
    limits: OperatorLimits, lifespan: Sequence[Callable[[Litestar], AbstractAsyncContextManager[None]]], hosts: Hosts
) -> Litestar:
    """The application, which answers to the names of `hosts`. The lifespan puts its handlers' dependencies into
    `state`."""
    cors = (
        CORSConfig(allow_origins=sorted(limits.allowed_origins), expose_headers=_EXPOSED)
        if limits.allowed_origins
        else None
    )
    app = Litestar(
        route_handlers=[
            jobs.router,
            languages.router,
            segments.router,
            speakers.router,
            translation.router,
            voices.router,
            preferences.router,
            glossaries.router,
            glossaries.of_jobs,
            uploads.router,
            links.router,
            storage.router,
            subtitle_preview.router,
            storage.export_job,
            *downloads.handlers,
            *events.handlers,
            *system.handlers,
            pages.page,
        ],
        dependencies={**providers(), "keys": keys_of_request},
        request_class=CheckedRequest,
        exception_handlers={Exception: problems.answer},
        signature_namespace=dict.fromkeys(_NAMES, Any),
        openapi_config=openapi_config(limits.version, limits.base_path),
        request_max_body_size=_BODY_BYTES,
        lifespan=list(lifespan),
        state=State({"limits": limits, "leases": Leases()}),
        logging_config=None,
        cors_config=cors,
        compression_config=compression(),
    )
    guard = RequestGate(
        app.asgi_handler,
        limits.allowed_origins,
        hosts,
        closing=lambda: app.state.get("closing"),
        trusted=trusted_proxies.parse(limits.trusted_proxies),
        access_log=limits.access_log,
    )
    app.asgi_handler = cast(Any, Prefix(guard, limits.base_path) if limits.base_path else guard)
    return app
