"""How many connections and WebSockets this process can hold open, given its limit of file handles.

Every connection takes one file handle. A server that has none left can open neither the database nor a file. Uses the
standard library only.
"""

from __future__ import annotations

import resource
from typing import Final

_WISHED: Final = 65_536
_OWN: Final = 192  # for the database, the job engine, files being sent and written, and media children
_MOST_CONNECTIONS: Final = 512  # each may hold a request's head of 400 kB
_FEWEST: Final = 16


def raise_limit() -> int:
    """Raise the limit of file handles as far as the system allows, up to a maximum; returns the new limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wished = _WISHED if hard == resource.RLIM_INFINITY else min(hard, _WISHED)
    if soft != resource.RLIM_INFINITY and soft < wished:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wished, hard))
    return limit()


def limit() -> int:
    """The current limit of file handles."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _WISHED if soft == resource.RLIM_INFINITY else soft


def sockets_of(wished: int) -> int:
    """How many WebSockets may be open: the number asked for, at most half of the handles that are left for clients."""
    return min(wished, max(_FEWEST, (limit() - _OWN) // 2))


def connections_of(sockets: int) -> int:
    """How many connections may be open besides the WebSockets. Further ones wait in the kernel's queue."""
    return min(_MOST_CONNECTIONS, max(_FEWEST, limit() - _OWN - sockets))
