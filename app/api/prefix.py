"""The path under which a proxy shows AutoDubber: taken off the requests, put in front of the addresses that are told."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
App = Callable[[Any, Any, Any], Awaitable[None]]


class Prefix:
    """The ASGI layer that lets everything behind it see paths without `base`; `root_path` says what was in front.

    A proxy may take the prefix off or not: the path itself tells, as no address of ours begins with `base` (`app.config.settings` sees to that).
    What a client may claim (X-Forwarded-Prefix) is not read.
    """

    def __init__(self, app: App, base: str) -> None:
        self._app = app
        self._base = base

    async def __call__(self, scope: Scope, receive: Any, send: Any) -> None:
        if "path" in scope:  # not a lifespan
            scope = {**scope, "path": self.inner(scope["path"]), "root_path": self._base}
        await self._app(scope, receive, send)

    def inner(self, path: str) -> str:
        """`path` without the prefix, when it has it."""
        if path == self._base:
            return "/"
        return path.removeprefix(self._base) if path.startswith(f"{self._base}/") else path


def shown(scope: Scope) -> str:
    """The path as the client knows it."""
    return f"{scope.get('root_path', '')}{scope['path']}"
