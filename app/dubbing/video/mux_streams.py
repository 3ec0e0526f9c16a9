"""Begins and finishes a film that FFmpeg appends in runs: the part of a mux that runs in a child process. It imports
numpy."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Final

from app.dubbing.worker.tasks import StreamBegun, StreamRequest, TablesRead
from app.media import mkv_placed, mp4_placed
from app.media.ebml import DamagedError
from app.media.mp4_head import Source
from app.media.mp4_movie import Movie
from app.media.mp4_tables import UnsuitableError

_MOST_OFF_S: Final = 1.0
_UNSUITABLE: Final = (UnsuitableError, DamagedError)


def begin_stream_task(request: StreamRequest, report: Callable[[float], None]) -> StreamBegun:
    """Make the file ready for FFmpeg."""
    try:
        try:
            start_s = _begin(request, request.synced_bytes)
        except _UNSUITABLE:
            start_s = _begin(request, 0)
    except _UNSUITABLE as error:
        return StreamBegun(unsuitable=str(error))
    report(1.0)
    return StreamBegun(start_s)


def _begin(request: StreamRequest, synced: int) -> float:
    stream, room = Path(request.stream), request.room_bytes
    if not request.frame:
        return mkv_placed.begin(stream, room, synced)
    with Movie(Path(request.frame)) as frame:
        return mp4_placed.begin(stream, frame, len(request.tracks), room, synced, Path(request.folder))


def finish_stream_task(request: StreamRequest, report: Callable[[float], None]) -> TablesRead:
    """Make a film of what FFmpeg has written."""
    try:
        if request.frame:
            _finish_mp4(request)
        else:
            mkv_placed.finish(Path(request.stream), request.room_bytes, request.duration_s)
    except _UNSUITABLE as error:
        return TablesRead(str(error))
    report(1.0)
    return TablesRead()


def _finish_mp4(request: StreamRequest) -> None:
    with contextlib.ExitStack() as opened:
        frame = opened.enter_context(Movie(Path(request.frame)))
        sources: list[Source | None] = []
        for track in request.tracks:
            if not track.path:
                sources.append(None)
                continue
            movie = opened.enter_context(Movie(Path(track.path)))
            sources.append(Source(movie, movie.tracks[track.number], keeps_description=True))
        length_s = mp4_placed.finish(
            Path(request.stream), frame, len(request.tracks), request.room_bytes, sources, Path(request.folder)
        )
        if abs(length_s - request.duration_s) > _MOST_OFF_S:
            raise UnsuitableError(f"the film lasts {length_s:.1f} s")
