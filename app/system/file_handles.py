"""How many connections and sockets this process can hold open, by the file handles that it may have.

Every connection takes one, and a server without any answers nobody: neither the database nor a file can be opened. A leaf: the standard library
only.
"""

from __future__ import annotations

import resource
from typing import Final

_WISHED: Final = 65_536
_OWN: Final = 192  # the database's, the engine's, of files that are sent and written, of media children
_MOST_CONNECTIONS: Final = 512  # each may hold the 400 kB of a request's head
_FEWEST: Final = 16


def raise_limit() -> int:
    """As many as the system lets this process have, within reason; returns how many that is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wished = _WISHED if hard == resource.RLIM_INFINITY else min(hard, _WISHED)
    if soft != resource.RLIM_INFINITY and soft < wished:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wished, hard))
    return limit()


def limit() -> int:
    """How many file handles this process may have now."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _WISHED if soft == resource.RLIM_INFINITY else soft


def sockets_of(wished: int) -> int:
    """WebSockets that may be open: the wished number, or half of the handles that are left for clients."""
    return min(wished, max(_FEWEST, (limit() - _OWN) // 2))


def connections_of(sockets: int) -> int:
    """Connections that may be open besides so many WebSockets; more wait in the system's queue until one ends."""
    return min(_MOST_CONNECTIONS, max(_FEWEST, limit() - _OWN - sockets))
