"""Decides which host names the server answers to, as a defence against DNS rebinding.

IP addresses, localhost and its subdomains always pass: no web site can own them. Names from AUTODUBBER_ALLOWED_HOSTS
pass, and the machine's own names unless the server listens on this machine only. Only the Host header is compared:
X-Forwarded-Host is ignored, because any client can send it. Uses the standard library only.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

_HEADER: Final = re.compile(r"(\[[0-9a-fA-F:.]{2,45}\]|[A-Za-z0-9._-]{1,253})(?::(\d{1,5}))?")
_NAME: Final = re.compile(
    r"(?=.{1,253}$)(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?"
)
_USUAL: Final = ("", "80", "443")  # a browser omits the scheme's default port


class Hosts:
    """The names that pass. `own` are the machine's, `listed` those of AUTODUBBER_ALLOWED_HOSTS as `parse` gives
    them."""

    def __init__(self, listed: Iterable[str] = (), own: Iterable[str] = ()) -> None:
        self.listed = tuple(dict.fromkeys(listed))
        self.own = tuple(dict.fromkeys(own))
        self._rules = tuple(_split(entry) for entry in (*self.listed, *self.own))

    def knows(self, header: str) -> bool:
        """Whether the Host header names this server. False for a malformed host."""
        found = split(header)
        if found is None:
            return False
        name, port = found
        if is_address(name) or name == "localhost" or name.endswith(".localhost"):
            return True
        return any(
            _matches(name, wanted) and (not only or port == only or (only in _USUAL and not port))
            for wanted, only in self._rules
        )


def split(header: str) -> tuple[str, str] | None:
    """Name (lower case, without brackets and a last dot) and port ("" where there is none) of a Host header; None when
    it is malformed."""
    match = _HEADER.fullmatch(header)
    if match is None or int(match[2] or 0) > 65535:
        return None
    name = match[1].lower().removesuffix(".")
    if name.startswith("["):
        name = name[1:-1]
        return (name, match[2] or "") if ":" in name and is_address(name) else None
    return (name, match[2] or "") if _NAME.fullmatch(name) else None


def is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def parse(setting: str) -> tuple[str, ...]:
    """The entries of AUTODUBBER_ALLOWED_HOSTS: names, *.example.org for all subdomains, with or without a port. Raises
    ValueError with one line."""
    found = []
    for entry in filter(None, (part.strip() for part in setting.split(","))):
        name, port = _entry(entry)
        if not is_address(name):  # an address always passes
            found.append(f"{name}:{port}" if port else name)
    return tuple(found)


def of_origins(origins: Iterable[str]) -> tuple[str, ...]:
    """The names in a list of web origins: an allowed origin may be the proxy's own name."""
    return tuple(name for origin in origins if (name := _origin_name(origin)) and not is_address(name))


def own_names(hosts_file: Path = Path("/etc/hosts")) -> tuple[str, ...]:
    """The machine's or container's own names: its host name with and without domain, its aliases in /etc/hosts, and
    NAME.local. No name server is asked: an answer could take long and could not be trusted.
    """
    host = socket.gethostname().lower().removesuffix(".")
    names = [host, host.partition(".")[0], f"{host.partition('.')[0]}.local"]
    try:
        lines = hosts_file.read_text(errors="replace").lower().splitlines()
    except OSError:
        lines = []
    for line in lines:
        _, *called = line.partition("#")[0].split()[:64] or [""]
        if host in called:
            names += called
    return tuple(dict.fromkeys(name for name in names if _NAME.fullmatch(name) and not is_address(name)))


def known(listed: str, origins: Iterable[str], listens_on: str) -> Hosts:
    """The names that pass for a server that listens on the address."""
    named = [] if is_address(listens_on) or not _NAME.fullmatch(listens_on.lower()) else [listens_on.lower()]
    return Hosts([*parse(listed), *of_origins(origins)], named if is_local(listens_on) else [*named, *own_names()])


def is_local(listens_on: str) -> bool:
    """Whether an address to listen on is reached from this machine only."""
    return listens_on == "localhost" or (is_address(listens_on) and ipaddress.ip_address(listens_on).is_loopback)


def _entry(entry: str) -> tuple[str, str]:
    name, port = entry, ""
    if entry.startswith("["):
        name, _, port = entry[1:].partition("]")
        port = port.removeprefix(":")
    elif entry.count(":") == 1:
        name, _, port = entry.partition(":")
    name = _ascii(name).lower().removesuffix(".")
    bare = name.removeprefix("*.")
    if not (is_address(name) or _NAME.fullmatch(bare)) or not (
        port == "" or (port.isdigit() and 0 < int(port) < 65536)
    ):
        raise ValueError(
            f"{entry[:80]!r} is no host name such as dub.example.org, nas.local:8000 or *.example.org (without "
            f"http:// and path)"
        )
    return name, port


def _ascii(name: str) -> str:
    """The name in ASCII, as browsers send it: "bücher.example" becomes xn--bcher-kva.example."""
    try:
        return name if name.isascii() else name.encode("idna").decode()
    except UnicodeError:
        return name


def _origin_name(origin: str) -> str:
    try:
        return (urlsplit(origin).hostname or "").removesuffix(".")
    except ValueError:
        return ""


def _split(entry: str) -> tuple[str, str]:
    name, _, port = entry.partition(":")
    return name, port


def _matches(name: str, wanted: str) -> bool:
    return name.endswith(wanted[1:]) if wanted.startswith("*.") else name == wanted
