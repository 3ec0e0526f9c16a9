"""Joins the pieces of an encoded picture into one file. Runs in a child process: it imports av."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path

from app.dubbing.mixing.cache_file import load
from app.dubbing.worker.tasks import JoinedPicture, JoinRequest
from app.media.picture_pieces import join


class _DamagedError(Exception):
    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


def join_task(request: JoinRequest, report: Callable[[float], None]) -> JoinedPicture:
    """Write `out`, or tell which piece is damaged; see `app.media.picture_pieces.join`."""
    try:
        join(
            [functools.partial(_whole, number, Path(piece)) for number, piece in enumerate(request.pieces)],
            Path(request.out),
        )
    except _DamagedError as error:
        return JoinedPicture(damaged=error.number)
    report(1.0)
    return JoinedPicture()


def _whole(number: int, piece: Path) -> bytes:
    data = load(piece)
    if data is None:
        raise _DamagedError(number)
    return data
