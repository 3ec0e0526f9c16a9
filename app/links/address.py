"""Checks a pasted address before anything is asked."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from app.domain.errors import DubError
from app.domain.networks import Network, allowed
from app.domain.plain_text import plain
from app.domain.problems.links import LINK_ADDRESS, LINK_PRIVATE

MOST_CHARACTERS: Final = 4096
_ODD: Final = re.compile(r"[\s\x00-\x1f\x7f<>\"\\^`{|}]")


def checked(text: str, networks: Sequence[Network]) -> str:
    """The address without spaces around it. Raises link_address, and link_private where it names a private IP address;
    names are resolved, and checked again, when a connection is made (`app.links.guard`)."""
    url = text.strip()
    if not url or len(url) > MOST_CHARACTERS:
        raise DubError(LINK_ADDRESS, f"It has {len(url)} characters; at most {MOST_CHARACTERS} are accepted.")
    if _ODD.search(url):
        raise DubError(LINK_ADDRESS, "It has spaces or signs that no address has.")
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise DubError(LINK_ADDRESS) from None
    if parts.scheme.lower() not in ("http", "https"):
        raise DubError(LINK_ADDRESS, "It does not begin with http:// or https://.")
    if not host:
        raise DubError(LINK_ADDRESS, "It names no host.")
    if parts.username is not None or parts.password is not None:
        raise DubError(LINK_ADDRESS, "It holds a user name or a password.")
    if host.lower().rstrip(".") == "localhost" or host.lower().endswith((".localhost", ".local", ".internal")):
        if not networks:
            raise DubError(LINK_PRIVATE)
    elif _is_ip(host) and not allowed(host, networks):
        raise DubError(LINK_PRIVATE)
    return url


def site(url: str) -> str:
    """The host and path, for people: a query may hold a token."""
    parts = urlsplit(url)
    return plain(f"{parts.hostname or ''}{parts.path if parts.path != '/' else ''}")[:200]


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return True
