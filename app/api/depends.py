"""Dependencies of handlers by name: the services in the application's state."""

from __future__ import annotations

from typing import Any, Protocol, TypeVar, cast

import msgspec
from litestar.datastructures import State
from litestar.di import NamedDependency as Given  # a parameter that is one of `providers`, by its name
from litestar.di import Provide
from litestar.types import Scope

from app.domain.errors import DubError
from app.domain.principal import ANYONE, Principal
from app.domain.problems.uploads import DISK_FULL

__all__ = ["Given", "OperatorLimits", "acting", "principal_of", "providers"]

S = TypeVar("S", bound="Acting")


class OperatorLimits(msgspec.Struct, frozen=True):
    """Limits set by the operator; see `app.config.settings`. Sizes are bytes, times seconds."""

    version: str
    max_upload_bytes: int
    max_duration_s: float
    upload_expiry_s: float
    min_free_bytes: int
    allowed_origins: frozenset[str]
    metrics: bool
    metrics_token: str = ""
    base_path: str = ""
    trusted_proxies: str = ""
    access_log: bool = True


_NAMES = (
    "service",
    "hub",
    "uploads",
    "leases",
    "registry",
    "secrets",
    "glossaries",
    "environment_keys",
    "limits",
    "health",
    "metrics",
    "pages",
    "closing",
    "usage",
    "links",
)

_SERVICES = frozenset({"service", "usage"})


class Acting(Protocol):
    """A service, which is told for whom it acts."""

    def acting_for(self, principal: Principal) -> Acting: ...


def principal_of(scope: Scope) -> Principal:
    """Who sends this request. Nobody has to say so."""
    return ANYONE


def acting(service: S, scope: Scope) -> S:
    """The service as one request has it."""
    return cast(S, service.acting_for(principal_of(scope)))


def providers() -> dict[str, Provide]:
    """One provider for each name, an attribute of the application's state. A missing one means that the server waits
    for free space (`app.server.lifespan`). A service acts for the principal of the request."""

    def provider(name: str) -> Provide:
        def provide(state: State, scope: Scope) -> Any:
            if (found := state.get(name)) is None:
                raise DubError(DISK_FULL, "The server waits for room, and opens then.", headers={"Retry-After": "5"})
            return acting(found, scope) if name in _SERVICES else found

        return Provide(provide, sync_to_thread=False)

    return {name: provider(name) for name in _NAMES}
