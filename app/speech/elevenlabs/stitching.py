"""Remembers which request spoke a line, so that its neighbours can be joined to how it was said.

The service knows a request for two hours, and takes up to three of them in front and behind; an id tells more than the
neighbour's text, which is sent where no id is known. Neither is billed, nor part of what a clip is. The id is stored
beside the clip, so that a restarted server knows it too.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import Final

from app.speech.connections import digest
from app.speech.ports import SpokenBy

_KNOWN_S: Final = 2 * 3600.0 - 300.0  # the service's two hours, less the time that a request may take
_AHEAD_S: Final = 60.0  # a clock that was set back by more tells no ages
_MOST: Final = 5000
_MOST_CHARACTERS: Final = 200


def account_of(key: str) -> str:
    """What stands for the account of a key on the disk."""
    return digest(key)[:16]


class SpokenRequests:
    """By key, voice, model and text. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known: OrderedDict[tuple[str, ...], SpokenBy] = OrderedDict()

    def remember(self, by: SpokenBy | None, *line: str) -> None:
        """The request that spoke a line; the newest counts."""
        if by is None or not 0 < len(by.request) <= _MOST_CHARACTERS or not _known_now(by):
            return
        with self._lock:
            before = self._known.get(line)
            if before is not None and before.at >= by.at:
                return
            self._known[line] = by
            self._known.move_to_end(line)
            while len(self._known) > _MOST:
                self._known.popitem(last=False)

    def of(self, *line: str) -> str | None:
        """The id, while the service still knows it."""
        with self._lock:
            found = self._known.get(line)
        return found.request if found is not None and _known_now(found) else None


def _known_now(by: SpokenBy) -> bool:
    return -_AHEAD_S < time.time() - by.at < _KNOWN_S
