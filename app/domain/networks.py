"""Which IP addresses a download may be made from: those of the Internet, and networks that the operator allows.

Standard library only: the guard of the downloader's process uses it.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Final

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")  # RFC 6052: the last four bytes are an IPv4 address


def parse(text: str) -> tuple[Network, ...]:
    """Networks or addresses, separated by commas. Raises ValueError that names the wrong one."""
    found: list[Network] = []
    for word in (part.strip() for part in text.split(",")):
        if not word:
            continue
        try:
            found.append(ipaddress.ip_network(word, strict=False))
        except ValueError:
            raise ValueError(f"{word!r} is no network such as 192.168.1.0/24") from None
    return tuple(found)


def allowed(host: str, networks: Sequence[Network]) -> bool:
    """Whether a connection to this IP address may be made; False for what is no IP address. An IPv4 address inside an
    IPv6 one (mapped, 6to4, NAT64, Teredo) counts as itself."""
    try:
        outer = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    return all(_allowed(address, networks) for address in (_inner(outer) or (outer,)))


def _inner(address: Address) -> tuple[Address, ...]:
    if not isinstance(address, ipaddress.IPv6Address):
        return ()
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return address.teredo
    if address in _NAT64:
        return (ipaddress.IPv4Address(address.packed[12:]),)
    return ()


def _allowed(address: Address, networks: Sequence[Network]) -> bool:
    if any(address.version == network.version and address in network for network in networks):
        return True
    return address.is_global and not address.is_multicast
