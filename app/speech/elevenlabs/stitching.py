"""Remembers which request spoke a line, so that its neighbours can be joined to how it was said.

The service knows a request for two hours, and takes up to three of them in front and behind; an id tells more than the
neighbour's text, which is sent where no id is known. Neither is billed, nor part of what a clip is.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import Final

_KNOWN_S: Final = 2 * 3600.0 - 300.0  # the service's two hours, less the time that a request may take
_MOST: Final = 5000


class SpokenRequests:
    """Ids by key, voice, model and text. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, ...], tuple[str, float]] = OrderedDict()

    def remember(self, request_id: str | None, *line: str) -> None:
        """The request that spoke a line."""
        if not request_id or len(request_id) > 200:
            return
        with self._lock:
            self._known[line] = request_id, time.monotonic()
            self._known.move_to_end(line)
            while len(self._known) > _MOST:
                self._known.popitem(last=False)

    def of(self, *line: str) -> str | None:
        """The id, while the service still knows it."""
        with self._lock:
            found = self._known.get(line)
        return found[0] if found is not None and time.monotonic() - found[1] < _KNOWN_S else None
