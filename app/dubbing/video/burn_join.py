"""The pieces of a burned picture become its file. Runs in a child process: it imports av."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

from app.domain.errors import INTERNAL, DubError
from app.dubbing.mixing.cache_file import load
from app.dubbing.worker.tasks import Joined, JoinRequest
from app.media.picture_pieces import join


def join_task(request: JoinRequest, report: Callable[[float], None]) -> Joined:
    """Write `out`; see `app.media.picture_pieces.join`."""
    join([functools.partial(_whole, Path(piece)) for piece in request.pieces], Path(request.out))
    report(1.0)
    return Joined(len(request.pieces))


def _whole(piece: Path) -> bytes:
    data = load(piece)
    if data is None:
        raise DubError(INTERNAL, "A file of the cache disappeared.")
    return data
