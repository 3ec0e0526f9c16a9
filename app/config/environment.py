"""Reads the settings from the environment, once at the start.

A secret may stand in a file instead: `NAME_FILE`. A wrong value stops the start with one clear line (`SettingsError`).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import msgspec

from app.config import hosts
from app.config import trusted_proxies as proxies
from app.config.settings import Settings, variables
from app.config.variables import PREFIX, Variable
from app.domain import networks
from app.observability import tracing
from app.spending import prices

# The first folder of a base path must differ from our own paths: a proxy may have removed it.
RESERVED: Final = frozenset(
    {"api", "ws", "download", "media", "health", "metrics", "schema", "jobs", "settings", "licenses", "_app"}
)
_BASE_PATH: Final = re.compile(r"(?:/[A-Za-z0-9_-]{1,64}){1,8}")


class SettingsError(Exception):
    """A wrong value in the environment; the message is one line and names the variable, never a secret's value."""


def _raw(variable: Variable, environ: Mapping[str, str]) -> str | None:
    if not variable.secret:
        return environ.get(variable.name)
    path = environ.get(variable.name + "_FILE")
    if path is None:
        return environ.get(variable.name)
    if variable.name in environ:
        raise SettingsError(f"{variable.name} and {variable.name}_FILE are both set; keep one.")
    try:
        return Path(path).read_text().strip()
    except OSError as error:
        raise SettingsError(f"{variable.name}_FILE: cannot read {path}: {error.strerror}.") from None


def _base_path(raw: str) -> str:
    """The path without its last slash. Raises SettingsError."""
    path = raw.rstrip("/")
    if not path:
        return ""
    if not _BASE_PATH.fullmatch(path):
        raise SettingsError(
            f"AUTODUBBER_BASE_PATH: expected a path such as /dub, of letters, digits, - and _ (it is {raw!r})."
        )
    if (first := path.split("/")[1]) in RESERVED:
        raise SettingsError(
            f"AUTODUBBER_BASE_PATH: AutoDubber has addresses of its own below /{first}; choose another path (it is "
            f"{raw!r})."
        )
    return path


def _proxies(value: str) -> None:
    proxies.parse(value)


def _hosts(value: str) -> None:
    hosts.parse(value)


def _networks(value: str) -> None:
    networks.parse(value)


def _cookies(value: str) -> None:
    if not Path(value).is_file() or not os.access(value, os.R_OK):
        raise ValueError("there is no such file that can be read")


def _prices(value: str) -> None:
    prices.read(Path(value))


def _token(value: str) -> None:
    if not value.isascii() or not value.isprintable() or " " in value:
        raise ValueError("a token has printable ASCII characters and no spaces")


def _headers(value: str) -> None:
    tracing.parse_headers(value)


_SWITCH: Final = {"on": "true", "yes": "true", "off": "false", "no": "false"}

# further checks of a value; ValueError says in one line what is wrong, without a secret
_CHECKS: Final[Mapping[str, Callable[[str], None]]] = {
    "trusted_proxies": _proxies,
    "allowed_hosts": _hosts,
    "metrics_token": _token,
    "links_private": _networks,
    "links_cookies": _cookies,
    "prices": _prices,
    "otlp_endpoint": tracing.check_endpoint,
    "otlp_headers": _headers,
}


def load(environ: Mapping[str, str] | None = None) -> Settings:
    """The settings from the environment. Raises SettingsError with one line for the first wrong value."""
    environ = os.environ if environ is None else environ
    known = variables()
    names = {v.name for v in known} | {v.name + "_FILE" for v in known if v.secret}
    unknown = sorted(name for name in environ if name.startswith(PREFIX) and name not in names)
    if unknown:
        raise SettingsError(f"{unknown[0]} is not a setting of AutoDubber; docs/environment.md lists them all.")
    values: dict[str, Any] = {}
    for variable in known:
        raw = _raw(variable, environ)
        if raw is None or raw == "":
            continue
        if isinstance(variable.default, bool):
            raw = _SWITCH.get(raw.lower(), raw)
        try:
            values[variable.field] = (
                Path(raw) if variable.field == "data" else msgspec.convert(raw, variable.type, strict=False)
            )
        except msgspec.ValidationError as error:
            shown = "" if variable.secret else f" (it is {raw!r})"
            raise SettingsError(f"{variable.name}: {error}{shown}.") from None
        if (check := _CHECKS.get(variable.field)) is not None:
            try:
                check(values[variable.field])
            except ValueError as error:
                raise SettingsError(f"{variable.name}: {error}.") from None
        if variable.choices and raw not in variable.choices:
            raise SettingsError(f"{variable.name}: expected one of {', '.join(variable.choices)} (it is {raw!r}).")
    values["base_path"] = _base_path(values.get("base_path", ""))
    settings = Settings(**values)
    return msgspec.structs.replace(settings, data=settings.data.absolute())
