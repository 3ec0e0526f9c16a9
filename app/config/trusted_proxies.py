"""Finds a request's client behind proxies: X-Forwarded-For, believed only from proxies that the operator trusts.

Uses the standard library only. Any client can send the header: it is parsed, and its text is never copied.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

UNIX = "unix"  # a peer on a unix socket has no address
_MOST_CHARACTERS = 4096
_MOST_HOPS = 32


class Trusted:
    """The trusted proxies: networks, and whether peers on a unix socket (which have no address) are trusted."""

    def __init__(self, networks: Iterable[Network] = (), *, unix: bool = False) -> None:
        self._networks = tuple(networks)
        self._unix = unix

    def has(self, address: Address | None) -> bool:
        """Whether this is a trusted proxy; None is a peer without an address."""
        if address is None:
            return self._unix
        return any(address.version == network.version and address in network for network in self._networks)

    def client(self, peer: str | None, forwarded: Iterable[str]) -> str:
        """The client's address: the peer's, or, where that is a trusted proxy's, the rightmost one in the
        X-Forwarded-For headers that is not.

        An entry that is not an address ends the search: the last address named by a trusted proxy is taken.
        """
        found = _read(peer or "")
        if not self.has(found):
            return _shown(found)
        for hop in _hops(forwarded):
            if (address := _read(hop)) is None:
                break
            found = address
            if not self.has(address):
                break
        return _shown(found)


def parse(setting: str) -> Trusted:
    """The proxies of AUTODUBBER_TRUSTED_PROXIES. Raises ValueError with one line for a wrong entry."""
    networks: list[Network] = []
    unix = False
    for entry in (part.strip() for part in setting.split(",")):
        if entry == UNIX:
            unix = True
        elif entry:
            try:
                networks.append(ipaddress.ip_network(entry))
            except ValueError:
                raise ValueError(
                    f"{entry[:80]!r} is no address, no network such as 10.0.0.0/8 (without host bits), and not {UNIX!r}"
                ) from None
    return Trusted(networks, unix=unix)


def _hops(headers: Iterable[str]) -> list[str]:
    """The entries of all headers, the nearest proxy's first; limited in number, because a client may send many."""
    joined = ",".join(headers)[-_MOST_CHARACTERS:]
    return [part.strip() for part in reversed(joined.split(","))][:_MOST_HOPS]


def _read(text: str) -> Address | None:
    """An address: bare, or as some proxies write it, with a port, in brackets, with a zone, as IPv4 within IPv6. None
    for anything else."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


def _shown(address: Address | None) -> str:
    return str(address) if address is not None else UNIX
