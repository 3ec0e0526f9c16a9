"""The whole HTTP surface, as one Litestar application. `app.server` gives it life."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from litestar import Litestar
from litestar.datastructures import State
from litestar.openapi import OpenAPIConfig

from app.api import downloads, events, jobs, preferences, problems, segments, system, uploads, voices
from app.api.depends import Limits, providers
from app.api.schema import operation_id

_BODY_BYTES: Final = 8 << 20  # of a JSON body; uploads have a limit of their own
_NAMES: Final = ("JobService", "Hub", "UploadStore", "Registry", "SecretStore", "Health")


def build(limits: Limits, lifespan: Sequence[Callable[[Litestar], AbstractAsyncContextManager[None]]]) -> Litestar:
    """The application; what its handlers ask for is put into `state` by the lifespan."""
    return Litestar(
        route_handlers=[
            jobs.router, segments.router, voices.router, preferences.router, uploads.router,
            *downloads.handlers, *events.handlers, *system.handlers,
        ],
        dependencies=providers(),
        exception_handlers={Exception: problems.answer},
        signature_namespace=dict.fromkeys(_NAMES, Any),
        openapi_config=OpenAPIConfig(
            "AutoDubber", limits.version, path="/schema", render_plugins=[], use_handler_docstrings=True, operation_id_creator=operation_id
        ),
        request_max_body_size=_BODY_BYTES,
        lifespan=list(lifespan),
        state=State({"limits": limits}),
        logging_config=None,
    )
