"""The address at which a server on this machine is reached."""

from __future__ import annotations

import os
from typing import Final

from app.system.exit_status import UsageError

_LOOPBACK: Final = {"0.0.0.0": "127.0.0.1", "::": "[::1]", "": "127.0.0.1"}  # noqa: S104


def url_of(host: str, port: int) -> str:
    """The address to open in a browser on this machine."""
    name = _LOOPBACK.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{name}:{port}"


def url_from_env() -> str:
    """The address from the environment alone: the health check must not load all settings. Raises UsageError."""
    port = os.environ.get("AUTODUBBER_PORT") or "8000"
    if not port.isdigit():
        raise UsageError(f"AUTODUBBER_PORT: expected a number (it is {port!r}).")
    return url_of(os.environ.get("AUTODUBBER_HOST") or "127.0.0.1", int(port))
