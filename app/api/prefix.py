"""The base path behind a proxy: removed from requests, added to addresses in answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

Scope = MutableMapping[str, Any]
App = Callable[[Any, Any, Any], Awaitable[None]]


class Prefix:
    """The ASGI middleware that removes `base` from paths and puts it into `root_path`.

    A proxy may remove the prefix itself: the path shows it, as no route of ours begins with `base`
    (`app.config.environment` checks that). X-Forwarded-Prefix is ignored: any client can send it.
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
